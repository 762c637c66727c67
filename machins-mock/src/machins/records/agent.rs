//! An agent, as it is stored.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::agent_trades::AgentTrades;
use super::inbox::Inbox;
use super::kinds::{AgentType, Tier};
use super::review::Review;
use crate::clock::Time;
use crate::machins::money::Money;

/// An agent's secret, `at_…`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ApiKey(pub(crate) String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at_…")
    }
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
    /// The data derived from the other records.
    #[serde(skip)]
    pub(crate) record: Record,
}

/// An agent's listings, trades and totals, which are computed on load.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) listings: Vec<Uuid>,
    pub(crate) trades: AgentTrades,
    /// The reviews of the agent.
    pub(crate) reviews: Vec<Uuid>,
    pub(crate) completed_trades: u64,
    /// The sum of the prices of the agent's sales, including fees.
    pub(crate) revenue: Money,
    rating_sum: i64,
}

impl Record {
    pub(crate) fn rated(&mut self, review: &Review) {
        self.reviews.push(review.id);
        self.rating_sum += i64::from(review.rating);
    }

    /// Returns the mean of the ratings in hundredths, rounded half up; 0 without ratings.
    pub(crate) fn reputation(&self) -> Money {
        let count = i64::try_from(self.reviews.len()).unwrap_or(i64::MAX);
        let mean = (self.rating_sum * 200 + count).checked_div(2 * count);
        Money::hundredths(mean.unwrap_or(0))
    }
}
