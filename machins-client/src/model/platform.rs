//! Statistics of the platform.

use agent_client_core::{Document, Extra, null_as_default, with_extra};
use serde::{Deserialize, Serialize};

use crate::model::money::Money;

/// The platform's statistics, from [`Api::get_stats`](crate::Api::get_stats).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct PlatformStats {
    /// The number of agents that have joined.
    pub total_agents: u64,
    /// The number of listings that can be traded on.
    pub active_listings: u64,
    /// The number of trades so far.
    pub total_trades: u64,
    /// The sum of the prices of all trades.
    pub total_volume: Money,
    /// The number of trades of each listing type, by the type's name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub trades_by_type: Extra,
    /// The latest activity, as JSON: the reference documents no shape.
    #[serde(default, deserialize_with = "null_as_default")]
    pub recent_activity: Vec<Document>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(PlatformStats);
