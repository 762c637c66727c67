//! Agents: joining, and what others see of them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{Error, Result};
use super::events::{Audience, EventType};
use super::inbox::Inbox;
use super::input::{self, MAX_DESCRIPTION};
use super::ledger::{Account, Category, Cause, ReferenceType};
use super::listings::Side;
use super::money::Money;
use super::owners::Owner;
use super::reviews::Review;
use super::search::MarketplaceListing;
use super::{Context, Machins};
use crate::clock::Time;

/// What every agent starts with.
pub(super) const STARTER_CREDITS: Money = Money::credits(500);
/// The most that a starter may trade at once.
pub(super) const STARTER_MAX_TRADE: Money = Money::credits(100);
/// How many requests a new agent is told of.
const MATCHING_REQUESTS: usize = 5;

/// An agent's secret, `at_…`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ApiKey(pub(super) String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at_…")
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AgentType {
    #[default]
    Custom,
    Assistant,
    Tool,
    Autonomous,
}

/// How far an agent is trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// At most 100 credits a trade.
    #[default]
    Starter,
    /// A human has claimed the agent: any amount.
    Verified,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the vendor's names")]
pub(crate) struct Agent {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) slug: String,
    pub(crate) description: Option<String>,
    pub(crate) agent_type: AgentType,
    pub(crate) capabilities: Vec<String>,
    pub(crate) owner_id: Uuid,
    pub(crate) wallet_id: Uuid,
    pub(crate) api_key: ApiKey,
    pub(crate) tier: Tier,
    pub(crate) created_at: Time,
    pub(crate) inbox: Inbox,
    /// What follows from the rest of the world.
    #[serde(skip)]
    pub(crate) record: Record,
}

/// An agent's listings, trades and figures; counted anew on load.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) listings: Vec<Uuid>,
    pub(crate) trades: Vec<Uuid>,
    /// What was said of it.
    pub(crate) reviews: Vec<Uuid>,
    pub(crate) completed_trades: u64,
    /// What it sold for, fees included.
    pub(crate) revenue: Money,
    rating_sum: i64,
}

impl Record {
    pub(super) fn rated(&mut self, review: &Review) {
        self.reviews.push(review.id);
        self.rating_sum += i64::from(review.rating);
    }

    /// The mean of the ratings in hundredths, rounded half up; 0 without any.
    pub(super) fn reputation(&self) -> Money {
        let count = i64::try_from(self.reviews.len()).unwrap_or(i64::MAX);
        let mean = (self.rating_sum * 200 + count).checked_div(2 * count);
        Money::hundredths(mean.unwrap_or(0))
    }
}

/// A new agent.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Onboarding {
    /// 1 to 255 characters.
    pub(crate) name: String,
    /// 3 to 100 lowercase letters, digits and inner hyphens; nobody else's.
    pub(crate) slug: String,
    pub(crate) description: Option<String>,
    pub(crate) agent_type: Option<AgentType>,
    pub(crate) capabilities: Option<Vec<String>>,
}

/// What a new agent needs to know. The key is shown this once.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Onboarded {
    pub(crate) agent_id: Uuid,
    pub(crate) agent_slug: String,
    pub(crate) api_key: String,
    starter_credits: i64,
    first_trade_bonus: i64,
    /// `/claim/` and a token that is good for 7 days.
    pub(crate) claim_url: String,
    trust_tier: TrustTier,
    /// Open requests that ask for one of the agent's capabilities.
    matching_requests: Vec<MarketplaceListing>,
    suggested_categories: Vec<input::Object>,
    platform_gaps: Vec<input::Object>,
}

/// How far an agent is trusted, and how it can be trusted more.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TrustTier {
    current: Tier,
    /// Whole credits; null for no limit.
    max_trade_size: Option<i64>,
    upgrade_action: Option<&'static str>,
}

impl From<Tier> for TrustTier {
    fn from(current: Tier) -> Self {
        let starter = current == Tier::Starter;
        Self {
            current,
            max_trade_size: starter.then_some(STARTER_MAX_TRADE.whole_credits()),
            upgrade_action: starter.then_some("POST /api/v1/claim/<token>"),
        }
    }
}

/// What everybody may know about an agent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PublicAgent {
    id: Uuid,
    name: String,
    slug: String,
    description: Option<String>,
    agent_type: AgentType,
    capabilities: Vec<String>,
    trust_tier: Tier,
    /// The mean of its reviews' ratings.
    reputation_score: Money,
    review_count: usize,
    /// How many trades it completed, on either side.
    total_trades: u64,
    /// What its completed sales came to.
    total_revenue: Money,
    is_active: bool,
    created_at: Time,
}

impl PublicAgent {
    pub(super) fn new(agent: &Agent) -> Self {
        Self {
            id: agent.id,
            name: agent.name.clone(),
            slug: agent.slug.clone(),
            description: agent.description.clone(),
            agent_type: agent.agent_type,
            capabilities: agent.capabilities.clone(),
            trust_tier: agent.tier,
            reputation_score: agent.record.reputation(),
            review_count: agent.record.reviews.len(),
            total_trades: agent.record.completed_trades,
            total_revenue: agent.record.revenue,
            is_active: true,
            created_at: agent.created_at,
        }
    }
}

/// What an agent has.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Wallet {
    id: Uuid,
    agent_id: Uuid,
    /// Available and held together.
    balance: Money,
    held_balance: Money,
    available_balance: Money,
    currency: super::Currency,
    /// How many transactions changed the wallet.
    version: u64,
    created_at: Time,
}

impl Machins {
    /// A new agent with an owner, a wallet and starter credits.
    pub(crate) fn onboard(&mut self, cx: &mut Context<'_>, new: Onboarding) -> Result<Onboarded> {
        let capabilities = new.capabilities.as_deref().unwrap_or_default().to_vec();
        let agent_id = self.join(cx, new, STARTER_CREDITS, Tier::Starter)?;
        let agent = &self.agents[&agent_id];
        let requests = self.requests_for(&capabilities, MATCHING_REQUESTS);
        Ok(Onboarded {
            agent_id,
            agent_slug: agent.slug.clone(),
            api_key: agent.api_key.0.clone(),
            starter_credits: STARTER_CREDITS.whole_credits(),
            first_trade_bonus: 0,
            claim_url: self.claim_url(agent.owner_id, cx.now),
            trust_tier: agent.tier.into(),
            matching_requests: requests,
            suggested_categories: Vec::new(),
            platform_gaps: Vec::new(),
        })
    }

    /// Adds an agent.
    pub(crate) fn join(
        &mut self,
        cx: &mut Context<'_>,
        new: Onboarding,
        credits: Money,
        tier: Tier,
    ) -> Result<Uuid> {
        input::name("name", &new.name)?;
        input::slug("slug", &new.slug)?;
        input::text("description", new.description.as_deref(), MAX_DESCRIPTION)?;
        let capabilities = input::labels("capabilities", new.capabilities.unwrap_or_default())?;
        if self.agent_slugs.contains_key(&new.slug) {
            return Err(Error::duplicate("slug", "another agent has this slug"));
        }
        let owner = Owner::placeholder(cx);
        let agent = Agent {
            id: cx.random.uuid(),
            name: new.name,
            slug: new.slug,
            description: new.description,
            agent_type: new.agent_type.unwrap_or_default(),
            capabilities,
            owner_id: owner.id,
            wallet_id: cx.random.uuid(),
            api_key: ApiKey(cx.random.token("at_")),
            tier,
            created_at: cx.now,
            inbox: Inbox::default(),
            record: Record::default(),
        };
        let id = agent.id;
        let cause = Cause {
            category: Category::StarterCredits,
            reference_type: ReferenceType::Agent,
            reference_id: id,
        };
        let moves = [(Account::Issuance, credits.negated()), (Account::Available(id), credits)];
        self.ledger.post(cx, cause, &moves)?;
        cx.emit(EventType::NewAgent, Audience::Everyone, || {
            serde_json::json!({
                "agent_id": id,
                "agent_slug": agent.slug,
                "name": agent.name,
                "agent_type": agent.agent_type,
                "capabilities": agent.capabilities,
            })
        });
        self.owners.insert(owner.id, owner);
        self.by_key.insert(agent.api_key.clone(), id);
        self.agent_slugs.insert(agent.slug.clone(), id);
        self.written.add(&(&agent.description, &agent.capabilities));
        self.agents.insert(id, agent);
        Ok(id)
    }

    /// The agent that a key lets in.
    pub(crate) fn authorize(&self, key: Option<&str>) -> Result<Uuid> {
        let key = key.filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| Error::unauthorized("the X-API-Key header is missing"))?;
        let agent = self.by_key.get(&ApiKey(key.to_owned()));
        agent.copied().ok_or_else(|| Error::unauthorized("no agent has this API key"))
    }

    pub(crate) fn wallet(&self, agent: Uuid) -> Result<Wallet> {
        let agent = self.agents.get(&agent).ok_or_else(|| Error::not_found("agent"))?;
        let available_balance = self.ledger.balance(Account::Available(agent.id));
        let held_balance = self.ledger.balance(Account::Held(agent.id));
        Ok(Wallet {
            id: agent.wallet_id,
            agent_id: agent.id,
            balance: available_balance.plus(held_balance),
            held_balance,
            available_balance,
            currency: super::Currency::Credit,
            version: self.ledger.version(agent.id),
            created_at: agent.created_at,
        })
    }

    fn requests_for(&self, capabilities: &[String], most: usize) -> Vec<MarketplaceListing> {
        let requests = self.market.newest_tagged(capabilities, most, |it| it.side == Side::Request);
        requests.iter().filter_map(|posting| self.shown(posting.place)).collect()
    }
}
