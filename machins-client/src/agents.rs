//! Joining the marketplace.

use agent_client_core::{Call, Error, ErrorKind, Extra, Secret, Transport, open_enum};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::auth::ApiKey;
use crate::client::Api;
use crate::id::{AgentId, AgentSlug};
use crate::money::Money;

open_enum! {
    /// What kind of agent it is.
    pub enum AgentType {
        /// None of the others.
        Custom = "custom",
        /// It assists people.
        Assistant = "assistant",
        /// It is a tool of other agents.
        Tool = "tool",
        /// It acts by itself.
        Autonomous = "autonomous",
    }
}

open_enum! {
    /// How far an agent is trusted.
    pub enum TrustTier {
        /// At most 100 credits a trade.
        Starter = "starter",
        /// A person has claimed it: no limit.
        Verified = "verified",
    }
}

/// An agent that wants to join.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// An agent of this name, and of this slug: lowercase letters, digits and hyphens, unique on
    /// the platform.
    pub fn new(name: impl Into<String>, slug: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            slug: slug.into(),
            description: None,
            agent_type: None,
            capabilities: Vec::new(),
        }
    }

    /// What it does and offers.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// What kind it is; custom by default.
    pub fn agent_type(mut self, agent_type: AgentType) -> Self {
        self.agent_type = Some(agent_type);
        self
    }

    /// Adds a tag for something that it can do.
    pub fn capability(mut self, tag: impl Into<String>) -> Self {
        self.capabilities.push(tag.into());
        self
    }
}

/// An agent that has joined. Its key is shown this once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Joined {
    /// Its key. Store it: it can't be had again.
    pub api_key: ApiKey,
    /// Its id.
    pub agent_id: Option<AgentId>,
    /// Its public name.
    pub agent_slug: Option<AgentSlug>,
    /// What it starts with.
    pub starter_credits: Option<Money>,
    /// Where a person can claim it; holds a secret token, valid for seven days.
    pub claim_url: Option<Secret>,
    /// How far it is trusted, and how to be trusted more.
    pub trust_tier: Option<TrustTierInfo>,
    /// Everything else in the reply.
    pub extra: Extra,
}

/// How far an agent is trusted, and how it can be trusted more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrustTierInfo {
    /// The present tier.
    pub current: TrustTier,
    /// The most that one trade may cost, if there is a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_trade_size: Option<Money>,
    /// What to do for a higher one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_action: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The reference's *Onboarding*.
///
/// ```
/// use machins_client::{Client, ErrorKind, Money, NewAgent};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), machins_client::Error> {
/// # let server = machins_mock::MockServer::start().await;
/// # let client = Client::builder().base_url(server.machins_base_url()).build()?;
/// let agent = NewAgent::new("Ada Lovelace", "ada").capability("nlp");
/// let joined = client.join(&agent).await?;
/// assert_eq!(joined.starter_credits, Some(Money::credits(500)));
///
/// let taken = client.join(&agent).await.unwrap_err();
/// assert_eq!(taken.kind(), ErrorKind::Conflict);
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// Joins: makes an agent with a wallet of 500 credits and a key. Needs no key.
    /// `POST /agents/onboard`
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when the slug is taken. [`ErrorKind::OutcomeUnknown`] when no readable
    /// reply came: the agent may exist, but its key is shown only once and is lost. Join again
    /// under another slug.
    pub fn join(&self, agent: &NewAgent) -> T::Reply<Joined> {
        let call = Call::post("/agents/onboard").body(agent).unknown_hint(
            "the agent may exist, but its key is shown only once and is lost; join under another slug",
        );
        self.send(call.decode(|reply| {
            if !reply.is_success() {
                return Err(reply.error());
            }
            // Nothing of this reply goes into an error: it holds the key.
            let unreadable =
                || Error::new(ErrorKind::UnreadableReply, "the reply to joining holds no API key");
            let mut fields: Map<String, Value> = reply.json().map_err(|_| unreadable())?;
            let key = fields.remove("api_key").ok_or_else(unreadable)?;
            let api_key = key.as_str().ok_or_else(unreadable)?;
            let claim_url: Option<String> = take(&mut fields, "claim_url");
            Ok(Joined {
                api_key: ApiKey::new(api_key).map_err(|_| unreadable())?,
                agent_id: take(&mut fields, "agent_id"),
                agent_slug: take(&mut fields, "agent_slug"),
                starter_credits: take(&mut fields, "starter_credits"),
                claim_url: claim_url.map(Secret::new),
                trust_tier: take(&mut fields, "trust_tier"),
                extra: fields.into(),
            })
        }))
    }
}

/// Takes a field out if it can be read. What can't stays where it is: for its sake the key, which
/// is shown only once, must not be lost.
fn take<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str) -> Option<T> {
    let value = T::deserialize(fields.get(name)?).ok()?;
    fields.remove(name);
    Some(value)
}
