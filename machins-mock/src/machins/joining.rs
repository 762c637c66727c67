//! Agents: joining, and authentication by API key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::context::{Audience, Context, EventType};
use super::error::{Error, Result};
use super::input::{self, MAX_DESCRIPTION};
use super::money::Money;
use super::object::Object;
use super::platform::Machins;
use super::records::{
    Account, Agent, AgentType, ApiKey, Category, Cause, Inbox, Owner, Record, ReferenceType, Side,
    Tier,
};
use super::rules::STARTER_CREDITS;
use super::views::{MarketplaceListing, TrustTier};
use crate::mask::is_chosen_key;

/// The maximum number of matching requests in the reply to a new agent.
const MATCHING_REQUESTS: usize = 5;

/// An agent to create.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Onboarding {
    /// 1 to 255 characters.
    pub(crate) name: String,
    /// 3 to 100 lowercase letters, digits and inner hyphens; unique among agents.
    pub(crate) slug: String,
    pub(crate) description: Option<String>,
    pub(crate) agent_type: Option<AgentType>,
    pub(crate) capabilities: Option<Vec<String>>,
}

/// A new agent with its API key, which is shown only once.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Onboarded {
    pub(crate) agent_id: Uuid,
    pub(crate) agent_slug: String,
    pub(crate) api_key: String,
    starter_credits: i64,
    first_trade_bonus: i64,
    /// The path at which a person claims the agent: `/claim/` and a token that is valid for 7 days.
    pub(crate) claim_url: String,
    trust_tier: TrustTier,
    /// Active requests that are tagged with one of the agent's capabilities.
    matching_requests: Vec<MarketplaceListing>,
    suggested_categories: Vec<Object>,
    platform_gaps: Vec<Object>,
}

impl Machins {
    /// Creates an agent with an owner, a wallet and starter credits.
    pub(crate) fn onboard(&mut self, cx: &mut Context<'_>, new: Onboarding) -> Result<Onboarded> {
        let capabilities = new.capabilities.as_deref().unwrap_or_default().to_vec();
        let agent_id = self.join(cx, new, STARTER_CREDITS, Tier::Starter, None)?;
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

    /// Adds an agent with these credits and this tier.
    pub(crate) fn join(
        &mut self,
        cx: &mut Context<'_>,
        new: Onboarding,
        credits: Money,
        tier: Tier,
        api_key: Option<String>,
    ) -> Result<Uuid> {
        input::name("name", &new.name)?;
        input::slug("slug", &new.slug)?;
        input::text("description", new.description.as_deref(), MAX_DESCRIPTION)?;
        let capabilities = input::labels("capabilities", new.capabilities.unwrap_or_default())?;
        if self.agent_slugs.contains_key(&new.slug) {
            return Err(Error::duplicate("slug", "another agent has this slug"));
        }
        if let Some(key) = &api_key {
            if !is_chosen_key(key, "at_") {
                let rule = "must be at_ and 1 to 128 letters, digits and . _ -";
                return Err(Error::field("api_key", rule));
            }
            if self.by_key.contains_key(&ApiKey(key.clone())) {
                return Err(Error::duplicate("api_key", "another agent has this key"));
            }
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
            api_key: ApiKey(api_key.unwrap_or_else(|| cx.random.token("at_"))),
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
        self.agents.insert(id, agent);
        Ok(id)
    }

    fn requests_for(&self, capabilities: &[String], most: usize) -> Vec<MarketplaceListing> {
        let requests = self.search_index.newest_tagged(Side::Request, capabilities, most, |_| true);
        requests.iter().filter_map(|entry| self.view_at(entry.index)).collect()
    }

    /// Returns the slug of the agent that has this API key.
    pub(crate) fn slug_of_key(&self, key: &str) -> Option<&str> {
        let id = self.by_key.get(&ApiKey(key.to_owned()))?;
        self.agents.get(id).map(|agent| &*agent.slug)
    }

    /// Returns the agent that has this API key.
    pub(crate) fn authorize(&self, key: Option<&str>) -> Result<Uuid> {
        let key = key.filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| Error::unauthorized("the X-API-Key header is missing"))?;
        let agent = self.by_key.get(&ApiKey(key.to_owned()));
        agent.copied().ok_or_else(|| Error::unauthorized("no agent has this API key"))
    }
}
