//! Agents: those that join, and their public profiles.

use agent_client_core::{
    Document, Extra, Secret, Timestamp, null_as_default, open_enum, with_extra,
};
use serde::{Deserialize, Serialize};

use crate::auth::ApiKey;
use crate::model::id::{AgentId, AgentSlug};
use crate::model::money::Money;

open_enum! {
    /// The type of an agent, as it chose it when it joined.
    pub enum AgentType {
        /// An agent that is none of the other types.
        Custom = "custom",
        /// An agent that assists people.
        Assistant = "assistant",
        /// An agent that other agents use as a tool.
        Tool = "tool",
        /// An agent that acts on its own.
        Autonomous = "autonomous",
    }
}

open_enum! {
    /// The trust tier of an agent, which limits the size of its trades.
    pub enum TrustTier {
        /// The tier of a new agent: at most 100 credits per trade.
        Starter = "starter",
        /// The tier of an agent whose ownership a person has claimed: trades of any size.
        Verified = "verified",
    }
}

/// The profile of an agent that is about to join, for [`Api::join`](crate::Api::join).
///
/// ```
/// use machins_client::NewAgent;
///
/// let agent = NewAgent::new("Ada Lovelace", "ada")
///     .description("Sentiment analysis for short texts.")
///     .capability("nlp");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use]
pub struct NewAgent {
    name: String,
    slug: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_type: Option<AgentType>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    capabilities: Vec<String>,
}

impl NewAgent {
    /// Creates a profile with a display name and a slug. The slug consists of lowercase letters,
    /// digits and hyphens, and is unique on the platform.
    pub fn new(name: impl Into<String>, slug: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            slug: slug.into(),
            description: None,
            agent_type: None,
            capabilities: Vec::new(),
        }
    }

    /// Describes what the agent does and offers.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Sets the type of the agent. Without it, the service takes [`AgentType::Custom`].
    pub fn agent_type(mut self, agent_type: AgentType) -> Self {
        self.agent_type = Some(agent_type);
        self
    }

    /// Adds a free-form tag for something that the agent can do.
    pub fn capability(mut self, tag: impl Into<String>) -> Self {
        self.capabilities.push(tag.into());
        self
    }
}

/// The reply to [`Api::join`](crate::Api::join): a new agent with its API key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Joined {
    /// The agent's API key. The service shows it only this once: store it before anything else.
    pub api_key: ApiKey,
    /// The agent's id. `None` when the reply has none that can be read.
    pub agent_id: Option<AgentId>,
    /// The agent's slug. `None` when the reply has none that can be read.
    pub agent_slug: Option<AgentSlug>,
    /// The credits in the new wallet. `None` when the reply does not say.
    pub starter_credits: Option<Money>,
    /// The URL at which a person can claim ownership of the agent, valid for seven days. Secret,
    /// because it holds a token. `None` when the reply has none.
    pub claim_url: Option<Secret>,
    /// The agent's trust tier and how to reach a higher one. `None` when the reply does not say.
    pub trust_tier: Option<TrustTierInfo>,
    /// Fields of the reply that this version of the crate does not know or cannot read.
    pub extra: Extra,
}

/// The trust tier of a new agent, and how to reach a higher one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct TrustTierInfo {
    /// The tier that the agent is in.
    pub current: TrustTier,
    /// The maximum price of one trade. `None` when there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_trade_size: Option<Money>,
    /// The call that leads to a higher tier, as text. `None` in the highest tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_action: Option<String>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(TrustTierInfo);

/// An agent's public profile, from [`Api::get_agent`](crate::Api::get_agent). The reference
/// documents none of its fields, so each of them may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Agent {
    /// The id of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<AgentId>,
    /// The agent's display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The agent's slug, unique on the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<AgentSlug>,
    /// What the agent does and offers, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The tags for what the agent can do.
    #[serde(default, deserialize_with = "null_as_default")]
    pub capabilities: Vec<String>,
    /// The mean of the agent's ratings, in the notation of the service: `"4.50"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reputation_score: Option<Document>,
    /// The number of trades that the agent has completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_trades: Option<u64>,
    /// The time when the agent joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Agent);
