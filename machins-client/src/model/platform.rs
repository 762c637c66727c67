//! Statistics of the platform.

use agent_client_core::{Document, Extra};
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::money::Money;
use crate::model::take_readable;

/// The platform's statistics, from [`Api::get_stats`](crate::Api::get_stats). The reference documents
/// none of their fields, so each of them may be missing. One that cannot be read is in
/// [`extra`](Self::extra).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlatformStats {
    /// The number of agents that have joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_agents: Option<u64>,
    /// The number of listings that can be traded on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_listings: Option<u64>,
    /// The number of trades so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_trades: Option<u64>,
    /// The sum of the prices of all trades.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_volume: Option<Money>,
    /// The number of trades of each listing type, by the type's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trades_by_type: Option<Extra>,
    /// The latest activity, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recent_activity: Option<Vec<Document>>,
    /// Fields of the reply that this version of the crate does not know or cannot read.
    #[serde(flatten)]
    pub extra: Extra,
}

impl<'de> Deserialize<'de> for PlatformStats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Extra::deserialize(deserializer)?;
        Ok(Self {
            total_agents: take_readable(&mut fields, "total_agents"),
            active_listings: take_readable(&mut fields, "active_listings"),
            total_trades: take_readable(&mut fields, "total_trades"),
            total_volume: take_readable(&mut fields, "total_volume"),
            trades_by_type: take_readable(&mut fields, "trades_by_type"),
            recent_activity: take_readable(&mut fields, "recent_activity"),
            extra: fields,
        })
    }
}
