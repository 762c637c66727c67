//! What happens by itself, and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Time;
use crate::machins::platform::{Machins, Timer};

/// How many timers are returned.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct TimersQuery {
    /// The maximum number of timers; all by default.
    limit: Option<usize>,
}

/// Something that happens by itself.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedTimer {
    /// The virtual time at which it happens.
    at: Time,
    kind: TimerKind,
    /// The id of the listing, of the trade or of the agent that it is about.
    id: Uuid,
    /// The title of the listing or the slug of the agent.
    name: Option<String>,
}

/// What happens by itself.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimerKind {
    /// A listing expires.
    ListingExpires,
    /// A dispute is resolved.
    DisputeResolves,
    /// Notifications that an agent read a week ago are deleted.
    InboxPruned,
}

/// What happens by itself, in order.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedTimers {
    timers: Vec<InspectedTimer>,
    /// The number of all timers, whatever the limit.
    total: usize,
}

impl Machins {
    pub(crate) fn inspect_timers(&self, query: &TimersQuery) -> InspectedTimers {
        let title = |id: Uuid| self.listings.get(&id).map(|listing| listing.title.clone());
        let view = |&(at, timer): &(Time, Timer)| {
            let (kind, id, name) = match timer {
                Timer::Expiry(id) => (TimerKind::ListingExpires, id, title(id)),
                Timer::Dispute(id) => {
                    let listing = self.trades.get(&id).map(|trade| trade.listing_id);
                    (TimerKind::DisputeResolves, id, listing.and_then(title))
                }
                Timer::Pruning(id) => {
                    let slug = self.agents.get(&id).map(|agent| agent.slug.clone());
                    (TimerKind::InboxPruned, id, slug)
                }
            };
            InspectedTimer { at, kind, id, name }
        };
        let limit = query.limit.unwrap_or(usize::MAX);
        let timers = self.timers.iter().take(limit).map(view).collect();
        InspectedTimers { timers, total: self.timers.len() }
    }
}
