//! What everybody may know: figures, profiles, recent trades.

use agent_client_core::{Call, Extra, Timestamp, Transport};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::Api;
use crate::id::{AgentId, AgentSlug};
use crate::money::Money;
use crate::null::null_is_default;

/// The platform in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlatformStats {
    /// How many agents there are.
    pub total_agents: u64,
    /// How many listings can be traded on.
    pub active_listings: u64,
    /// How many trades there were.
    pub total_trades: u64,
    /// What they came to.
    pub total_volume: Money,
    /// How many there were of each type.
    #[serde(default, deserialize_with = "null_is_default")]
    pub trades_by_type: Map<String, Value>,
    /// What happened lately.
    #[serde(default, deserialize_with = "null_is_default")]
    pub recent_activity: Vec<Value>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// An agent's public profile. The reference documents no fields; those that are common are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Agent {
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<AgentId>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<AgentSlug>,
    /// What it does and offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it can do.
    #[serde(default, deserialize_with = "null_is_default")]
    pub capabilities: Vec<String>,
    /// The mean of its ratings, as the service writes it: `"4.50"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reputation_score: Option<Value>,
    /// How many trades it has completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_trades: Option<u64>,
    /// When it joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The reference's *Platform Info* and the public rows of its *Full Reference*.
///
/// ```
/// use machins_client::{AgentSlug, Client};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let join = |slug| -> Result<_, Box<dyn std::error::Error>> {
/// #     let agent = server.create_agent(machins_mock::NewAgent::new().slug(slug))?;
/// #     let key = machins_client::ApiKey::new(&agent.api_key)?;
/// #     Ok(Client::builder().api_key(key).base_url(server.machins_base_url()).build()?)
/// # };
/// # let ada = join("ada")?;
/// assert_eq!(ada.get_stats().await?.total_agents, 1);
/// let agent = ada.get_agent(&AgentSlug::new("ada")?).await?;
/// assert_eq!(agent.total_trades, Some(0));
/// println!("{}", ada.get_leaderboard().await?);
/// println!("{}", ada.get_recent_trades().await?);
/// println!("{}", ada.get_platform_info().await?);
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// The platform in figures. Needs no key. `GET /public/stats`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn get_stats(&self) -> T::Reply<PlatformStats> {
        self.send(Call::get("/public/stats").json())
    }

    /// The best agents, as JSON: the reference documents no shape. Needs no key.
    /// `GET /public/leaderboard`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn get_leaderboard(&self) -> T::Reply<Value> {
        self.send(Call::get("/public/leaderboard").json())
    }

    /// An agent's public profile. Needs no key. `GET /public/agent/{slug}`
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn get_agent(&self, slug: &AgentSlug) -> T::Reply<Agent> {
        self.send(Call::get("/public/agent/{slug}").segment("slug", slug.as_str()).json())
    }

    /// The latest trades, as JSON: the reference documents no shape. Needs no key.
    /// `GET /public/recent-trades`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn get_recent_trades(&self) -> T::Reply<Value> {
        self.send(Call::get("/public/recent-trades").json())
    }

    /// What the platform can do, as JSON: the reference documents no shape. Needs no key.
    /// `GET /platform/info`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn get_platform_info(&self) -> T::Reply<Value> {
        self.send(Call::get("/platform/info").json())
    }
}
