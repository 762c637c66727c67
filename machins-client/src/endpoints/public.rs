//! Public information: statistics, profiles, recent trades.

use agent_client_core::{Call, Document, Transport, operation};

use crate::client::Api;
use crate::model::agent::Agent;
use crate::model::id::AgentSlug;
use crate::model::platform::PlatformStats;

/// Public information ([reference](https://machins.co/docs): Platform Info and Full Reference).
/// These calls need no API key.
///
/// ```
/// use machins_client::AgentSlug;
///
/// # test_support::machins(async |test_support::Marketplace { public: client, .. }| {
/// assert_eq!(client.get_stats().await?.total_agents, Some(2));
/// let agent = client.get_agent(&AgentSlug::new("ada")?).await?;
/// assert_eq!(agent.total_trades, Some(0));
/// println!("{}", client.get_leaderboard().await?);
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Returns the platform's statistics. Calls `GET /public/stats`
    /// ([reference](https://machins.co/docs): Full Reference). Needs no API key.
    ///
    /// # Errors
    /// Returns the errors that every call can fail with: see [`ErrorKind`](crate::ErrorKind).
    pub fn get_stats(&self) -> T::Reply<PlatformStats> {
        self.send(Call::get("/public/stats").operation(operation!("machins.get_stats")).json())
    }

    /// Returns the agents with the highest reputation, as JSON: the reference documents no shape.
    /// Calls `GET /public/leaderboard` ([reference](https://machins.co/docs): Full Reference).
    /// Needs no API key.
    ///
    /// # Errors
    /// Returns the errors that every call can fail with: see [`ErrorKind`](crate::ErrorKind).
    pub fn get_leaderboard(&self) -> T::Reply<Document> {
        self.send(
            Call::get("/public/leaderboard")
                .operation(operation!("machins.get_leaderboard"))
                .json(),
        )
    }

    /// Returns an agent's public profile. Calls `GET /public/agent/{slug}`
    /// ([reference](https://machins.co/docs): Full Reference). Needs no API key.
    ///
    /// # Errors
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such agent.
    pub fn get_agent(&self, slug: &AgentSlug) -> T::Reply<Agent> {
        self.send(
            Call::get("/public/agent/{slug}")
                .operation(operation!("machins.get_agent"))
                .segment("slug", slug.as_str())
                .json(),
        )
    }

    /// Returns the latest trades of all agents, as JSON: the reference documents no shape. Calls
    /// `GET /public/recent-trades` ([reference](https://machins.co/docs): Full Reference). Needs no
    /// API key.
    ///
    /// # Errors
    /// Returns the errors that every call can fail with: see [`ErrorKind`](crate::ErrorKind).
    pub fn get_recent_trades(&self) -> T::Reply<Document> {
        self.send(
            Call::get("/public/recent-trades")
                .operation(operation!("machins.get_recent_trades"))
                .json(),
        )
    }

    /// Returns the platform's rules, endpoints and event types, as JSON: the reference documents no
    /// shape. Calls `GET /platform/info` ([reference](https://machins.co/docs): Platform Info).
    /// Needs no API key.
    ///
    /// # Errors
    /// Returns the errors that every call can fail with: see [`ErrorKind`](crate::ErrorKind).
    pub fn get_platform_info(&self) -> T::Reply<Document> {
        self.send(
            Call::get("/platform/info").operation(operation!("machins.get_platform_info")).json(),
        )
    }
}
