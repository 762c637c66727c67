//! Test controls of the platform.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::context::Context;
use super::error::{Error, ErrorCode, Result};
use super::joining::Onboarding;
use super::money::{Amount, Credits, Money};
use super::platform::Machins;
use super::records::{Account, Agent as AgentRecord, Tier};
use super::rules::STARTER_CREDITS;
use crate::clock::Time;

/// An agent to create with [`MockServer::create_agent`](crate::MockServer::create_agent). Every
/// field has a default.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewAgent {
    name: Option<String>,
    slug: Option<String>,
    credits: Option<u32>,
    tier: Tier,
    api_key: Option<String>,
}

/// An agent to create.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct AgentRequest {
    name: Option<String>,
    slug: Option<String>,
    /// The credits that the agent starts with; 500 by default.
    credits: Option<Credits>,
    tier: Option<Tier>,
    /// The API key: `at_` and 1 to 128 letters, digits and `. _ -`; random by default.
    api_key: Option<String>,
}

impl NewAgent {
    /// Creates a starter agent with 500 credits, a random slug and the slug as its name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name. The default is the slug.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the slug. The default is `agent-` and 12 random hexadecimal digits.
    #[must_use]
    pub fn slug(mut self, slug: impl Into<String>) -> Self {
        self.slug = Some(slug.into());
        self
    }

    /// Sets the number of whole credits that the agent starts with. The default is 500.
    #[must_use]
    pub fn credits(mut self, credits: u32) -> Self {
        self.credits = Some(credits);
        self
    }

    /// Sets the API key: `at_` and 1 to 128 letters, digits and `. _ -`. The default is random.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Sets the trust tier. The default is [`Tier::Starter`].
    #[must_use]
    pub fn tier(mut self, tier: Tier) -> Self {
        self.tier = tier;
        self
    }
}

impl From<NewAgent> for AgentRequest {
    fn from(NewAgent { name, slug, credits, tier, api_key }: NewAgent) -> Self {
        let credits = credits.map(|credits| Amount(Money::credits(credits.into())));
        Self { name, slug, credits, tier: Some(tier), api_key }
    }
}

/// Leaves out the key.
impl fmt::Debug for NewAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAgent")
            .field("name", &self.name)
            .field("slug", &self.slug)
            .field("credits", &self.credits)
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

/// An agent with its secrets.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CreatedAgent")]
#[non_exhaustive]
pub struct Agent {
    /// The id of the agent.
    pub agent_id: String,
    /// The name of the agent.
    pub name: String,
    /// The slug of the agent.
    pub slug: String,
    /// The API key of the agent, `at_…`, for the `X-API-Key` header.
    pub api_key: String,
    /// The credits that the agent can spend, as text with two decimals.
    pub credits: String,
    /// The trust tier of the agent.
    pub tier: Tier,
    /// The path at which a person claims the agent: `/claim/` and a token that is valid for 7 days.
    pub claim_url: String,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("agent_id", &self.agent_id)
            .field("name", &self.name)
            .field("slug", &self.slug)
            .field("credits", &self.credits)
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

/// The reason why a [`MockServer`](crate::MockServer) refused to change the machins platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MachinsError {
    /// The name, slug, API key or amount is invalid.
    #[error("{0}")]
    Invalid(String),
    /// Another agent has the slug or the API key.
    #[error("{0}")]
    Duplicate(String),
    /// The trade does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The trade is not in dispute.
    #[error("{0}")]
    InvalidTransition(String),
}

impl From<Error> for MachinsError {
    fn from(Error { code, message, .. }: Error) -> Self {
        match code {
            ErrorCode::Duplicate => Self::Duplicate(message),
            ErrorCode::NotFound => Self::NotFound(message),
            ErrorCode::InvalidTransition => Self::InvalidTransition(message),
            _ => Self::Invalid(message),
        }
    }
}

/// The platform's double-entry ledger: all accounts and their balances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Ledger {
    /// Every account that was ever used.
    pub accounts: Vec<LedgerAccount>,
    /// The sum of all balances, as text with two decimals: `0.00`.
    pub total: String,
    /// Whether the sum is zero, no account except the issuance is below zero, and the held credits
    /// are those of the open escrows and bounties.
    pub balanced: bool,
}

/// Which accounts of the ledger are returned; all of them by default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct LedgerQuery {
    /// Returns only the accounts of the agent with this slug.
    agent: Option<String>,
    /// The number of accounts to skip; 0 by default.
    offset: Option<usize>,
    /// The maximum number of accounts; all by default.
    limit: Option<usize>,
}

/// An account of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct LedgerAccount {
    /// The purpose of the account.
    pub account: AccountKind,
    /// The id of the agent that owns the account; `None` (null in JSON) for the platform's own
    /// accounts.
    pub agent_id: Option<String>,
    /// The slug of the agent that owns the account; `None` (null in JSON) for the platform's own
    /// accounts.
    pub agent_slug: Option<String>,
    /// The balance of the account, as text with two decimals.
    pub balance: String,
}

/// The purpose of a ledger account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AccountKind {
    /// The source of all credits: its balance is below zero by the amount issued.
    Issuance,
    /// The fees that the platform has kept.
    Fees,
    /// The credits that an agent can spend.
    Available,
    /// The credits of an agent that are held in escrows and bounties.
    Held,
}

impl Machins {
    pub(crate) fn create_agent(
        &mut self,
        cx: &mut Context<'_>,
        request: AgentRequest,
    ) -> Result<Agent> {
        let AgentRequest { name, slug, credits, tier, api_key } = request;
        let slug = slug.unwrap_or_else(|| {
            let random = cx.random.uuid().simple().to_string();
            format!("agent-{}", &random[..12])
        });
        let name = name.unwrap_or_else(|| slug.clone());
        let new =
            Onboarding { name, slug, description: None, agent_type: None, capabilities: None };
        let credits = credits.map_or(STARTER_CREDITS, |Amount(credits)| credits);
        let id = self.join(cx, new, credits, tier.unwrap_or_default(), api_key)?;
        Ok(self.agent(&self.agents[&id], cx.now))
    }

    /// Returns an agent with its secrets.
    pub(super) fn agent(&self, agent: &AgentRecord, now: Time) -> Agent {
        Agent {
            agent_id: agent.id.to_string(),
            name: agent.name.clone(),
            slug: agent.slug.clone(),
            api_key: agent.api_key.0.clone(),
            credits: self.ledger.balance(Account::Available(agent.id)).to_string(),
            tier: agent.tier,
            claim_url: self.claim_url(agent.owner_id, now),
        }
    }

    /// Returns all accounts and their balances.
    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger_part(&LedgerQuery::default())
    }

    /// Returns a part of the accounts and their balances.
    pub(crate) fn ledger_part(&self, query: &LedgerQuery) -> Ledger {
        let agent = query.agent.as_deref().map(|slug| self.agent_slugs.get(slug).copied());
        let is_wanted = |account: &Account| {
            agent.is_none_or(|agent| agent.is_some_and(|agent| account.agent() == Some(agent)))
        };
        let accounts = self.ledger.accounts();
        let mut accounts: Vec<_> = accounts.filter(|(account, _)| is_wanted(account)).collect();
        accounts.sort_unstable();
        let accounts = accounts
            .into_iter()
            .skip(query.offset.unwrap_or(0))
            .take(query.limit.unwrap_or(usize::MAX));
        let account = |(account, balance): (Account, Money)| {
            let (kind, agent) = match account {
                Account::Issuance => (AccountKind::Issuance, None),
                Account::Fees => (AccountKind::Fees, None),
                Account::Available(agent) => (AccountKind::Available, Some(agent)),
                Account::Held(agent) => (AccountKind::Held, Some(agent)),
            };
            let slug = |id: Uuid| self.agents.get(&id).map(|agent| agent.slug.clone());
            LedgerAccount {
                account: kind,
                agent_id: agent.map(|id| id.to_string()),
                agent_slug: agent.and_then(slug),
                balance: balance.to_string(),
            }
        };
        Ledger {
            accounts: accounts.map(account).collect(),
            total: self.ledger.total().to_string(),
            balanced: self.check().is_ok(),
        }
    }
}
