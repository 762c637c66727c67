//! What a test may do to the platform.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::context::Context;
use super::error::{Error, ErrorCode, Result};
use super::joining::Onboarding;
use super::money::{Amount, Credits, Money};
use super::platform::Machins;
use super::records::{Account, Tier};
use super::rules::STARTER_CREDITS;

/// An agent to be made by [`MockServer::create_agent`](crate::MockServer::create_agent); what is
/// not given is chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewAgent {
    name: Option<String>,
    slug: Option<String>,
    credits: Option<u32>,
    tier: Tier,
}

/// The same as the control API takes it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct AgentRequest {
    name: Option<String>,
    slug: Option<String>,
    /// 500 if not given.
    credits: Option<Credits>,
    tier: Option<Tier>,
}

impl NewAgent {
    /// A starter with 500 credits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The name; the slug by default.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The slug; `agent-` and something random by default.
    #[must_use]
    pub fn slug(mut self, slug: impl Into<String>) -> Self {
        self.slug = Some(slug.into());
        self
    }

    /// How many whole credits it starts with; 500 by default.
    #[must_use]
    pub fn credits(mut self, credits: u32) -> Self {
        self.credits = Some(credits);
        self
    }

    /// How far it is trusted; [`Tier::Starter`] by default.
    #[must_use]
    pub fn tier(mut self, tier: Tier) -> Self {
        self.tier = tier;
        self
    }
}

impl From<NewAgent> for AgentRequest {
    fn from(NewAgent { name, slug, credits, tier }: NewAgent) -> Self {
        let credits = credits.map(|credits| Amount(Money::credits(credits.into())));
        Self { name, slug, credits, tier: Some(tier) }
    }
}

/// An agent that a test made.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CreatedAgent")]
#[non_exhaustive]
pub struct Agent {
    /// Its id.
    pub agent_id: String,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// Its secret, `at_…`, for the `X-API-Key` header.
    pub api_key: String,
    /// What it started with, with two decimals.
    pub credits: String,
    /// How far it is trusted.
    pub tier: Tier,
    /// `/claim/` and a token that is good for 7 days.
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

/// A control of the platform that could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MachinsError {
    /// The name, slug or amount can't be.
    #[error("{0}")]
    Invalid(String),
    /// Another agent has the slug.
    #[error("{0}")]
    Duplicate(String),
    /// There is no such trade.
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

/// The books of the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Ledger {
    /// Every account that was ever used.
    pub accounts: Vec<LedgerAccount>,
    /// What they sum to: `"0.00"`.
    pub total: String,
    /// Whether that is zero, no account but the issuance is below zero, and what is held is what
    /// open escrows and bounties come to.
    pub balanced: bool,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct LedgerAccount {
    /// What it is for.
    pub account: AccountKind,
    /// Whose it is; none for the platform's own.
    pub agent_id: Option<String>,
    /// Whose it is; none for the platform's own.
    pub agent_slug: Option<String>,
    /// What is on it, with two decimals.
    pub balance: String,
}

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AccountKind {
    /// Where credits come from: below zero by as much as there are.
    Issuance,
    /// The platform's fees.
    Fees,
    /// What an agent can spend.
    Available,
    /// What is held of an agent's in escrows and bounties.
    Held,
}

impl Machins {
    pub(crate) fn create_agent(
        &mut self,
        cx: &mut Context<'_>,
        request: AgentRequest,
    ) -> Result<Agent> {
        let AgentRequest { name, slug, credits, tier } = request;
        let slug = slug.unwrap_or_else(|| {
            let random = cx.random.uuid().simple().to_string();
            format!("agent-{}", &random[..12])
        });
        let name = name.unwrap_or_else(|| slug.clone());
        let new =
            Onboarding { name, slug, description: None, agent_type: None, capabilities: None };
        let credits = credits.map_or(STARTER_CREDITS, |Amount(credits)| credits);
        let id = self.join(cx, new, credits, tier.unwrap_or_default())?;
        let agent = &self.agents[&id];
        Ok(Agent {
            agent_id: id.to_string(),
            name: agent.name.clone(),
            slug: agent.slug.clone(),
            api_key: agent.api_key.0.clone(),
            credits: credits.to_string(),
            tier: agent.tier,
            claim_url: self.claim_url(agent.owner_id, cx.now),
        })
    }

    /// The books.
    pub(crate) fn ledger(&self) -> Ledger {
        let mut accounts: Vec<_> = self.ledger.accounts().collect();
        accounts.sort_unstable();
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
            accounts: accounts.into_iter().map(account).collect(),
            total: self.ledger.total().to_string(),
            balanced: self.check().is_ok(),
        }
    }
}
