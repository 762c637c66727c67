//! Events: what the platform tells an agent, by inbox or webhook.

use agent_client_core::{Document, Extra, open_enum};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{AgentId, AgentSlug, ListingId, TradeId};
use crate::listings::{ListingType, Side};
use crate::money::Money;
use crate::trade_state::TradeStatus;

open_enum! {
    /// What kind of event it is.
    pub enum EventType {
        /// Someone proposes a trade on your listing.
        TradeProposed = "trade_proposed",
        /// Your proposal is accepted; the credits are held.
        TradeAccepted = "trade_accepted",
        /// The seller has delivered.
        TradeDelivered = "trade_delivered",
        /// The trade is confirmed; the credits are released.
        TradeCompleted = "trade_completed",
        /// The trade is cancelled; the credits are returned.
        TradeCancelled = "trade_cancelled",
        /// The buyer disputes the delivery.
        TradeDisputed = "trade_disputed",
        /// Somebody has made an offer. Webhooks only.
        NewListing = "new_listing",
        /// Somebody has made a request. Webhooks only.
        NewRequest = "new_request",
        /// An agent has joined. Webhooks only.
        NewAgent = "new_agent",
        /// The platform has found a match for your listing.
        MatchFound = "match_found",
    }
}

/// An event with its data.
///
/// ```
/// use machins_client::{Event, EventType, Money};
/// use serde_json::json;
///
/// let event = Event::new(EventType::TradeProposed, json!({"trade_id": "t1", "price": "50.00"}));
/// let Event::TradeProposed(data) = event else { unreachable!() };
/// assert_eq!(data.price, Some(Money::credits(50)));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Someone proposes a trade on your listing.
    TradeProposed(TradeEvent),
    /// Your proposal is accepted; the credits are held.
    TradeAccepted(TradeEvent),
    /// The seller has delivered.
    TradeDelivered(TradeEvent),
    /// The trade is confirmed; the credits are released.
    TradeCompleted(TradeEvent),
    /// The trade is cancelled; the credits are returned.
    TradeCancelled(TradeEvent),
    /// The buyer disputes the delivery.
    TradeDisputed(TradeEvent),
    /// Somebody has made an offer.
    NewListing(ListingEvent),
    /// Somebody has made a request.
    NewRequest(ListingEvent),
    /// An agent has joined.
    NewAgent(AgentEvent),
    /// The platform has found a match for your listing.
    MatchFound(MatchEvent),
    /// An event that this version does not know, or data of another shape, as it came.
    Unknown {
        /// What kind of event it is.
        event_type: EventType,
        /// Its data.
        data: Document,
    },
}

impl Event {
    /// Reads an event's data by its type.
    #[must_use]
    pub fn new(event_type: EventType, data: impl Into<Document>) -> Self {
        fn read<T: DeserializeOwned>(wrap: fn(T) -> Event, data: &Value) -> Option<Event> {
            T::deserialize(data).ok().map(wrap)
        }
        let data = data.into();
        let known = match event_type {
            EventType::TradeProposed => read(Self::TradeProposed, &data),
            EventType::TradeAccepted => read(Self::TradeAccepted, &data),
            EventType::TradeDelivered => read(Self::TradeDelivered, &data),
            EventType::TradeCompleted => read(Self::TradeCompleted, &data),
            EventType::TradeCancelled => read(Self::TradeCancelled, &data),
            EventType::TradeDisputed => read(Self::TradeDisputed, &data),
            EventType::NewListing => read(Self::NewListing, &data),
            EventType::NewRequest => read(Self::NewRequest, &data),
            EventType::NewAgent => read(Self::NewAgent, &data),
            EventType::MatchFound => read(Self::MatchFound, &data),
            EventType::Unknown(_) => None,
        };
        known.unwrap_or(Self::Unknown { event_type, data })
    }
}

/// The data of an event about a trade. The reference documents only some fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TradeEvent {
    /// The trade.
    pub trade_id: TradeId,
    /// Its listing.
    pub listing_id: Option<ListingId>,
    /// Who pays.
    pub buyer_agent_slug: Option<AgentSlug>,
    /// Who delivers.
    pub seller_agent_slug: Option<AgentSlug>,
    /// The price.
    pub price: Option<Money>,
    /// Where the trade stands.
    pub status: Option<TradeStatus>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The data of an event about a new listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListingEvent {
    /// The listing.
    pub listing_id: ListingId,
    /// Its title.
    pub title: Option<String>,
    /// What is traded.
    pub listing_type: Option<ListingType>,
    /// Which way it goes.
    pub side: Option<Side>,
    /// The price.
    pub price: Option<Money>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The data of an event about a new agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgentEvent {
    /// The agent.
    pub agent_id: Option<AgentId>,
    /// Its public name.
    pub agent_slug: Option<AgentSlug>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The data of an event about a match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MatchEvent {
    /// Your listing, or the one that was found: the reference does not say.
    pub listing_id: Option<ListingId>,
    /// The other one.
    pub matched_listing_id: Option<ListingId>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_documented_event_has_typed_data() {
        let data = json!({"trade_id": "t1", "listing_id": "l1", "agent_slug": "ada", "new": 1});
        for word in [
            "trade_proposed",
            "trade_accepted",
            "trade_delivered",
            "trade_completed",
            "trade_cancelled",
            "trade_disputed",
            "new_listing",
            "new_request",
            "new_agent",
            "match_found",
        ] {
            let event = Event::new(word.into(), data.clone());
            assert!(!matches!(event, Event::Unknown { .. }), "{word}: {event:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_kept_as_it_came() {
        for (word, data) in [
            ("trade_frozen", json!({"trade_id": "t1"})),
            ("trade_proposed", json!({"trade_id": ["t1"]})),
            ("new_listing", json!("text")),
        ] {
            let Event::Unknown { event_type, data: kept } = Event::new(word.into(), data.clone())
            else {
                panic!("{word} {data} was understood")
            };
            assert_eq!((event_type.as_str(), Value::from(kept)), (word, data));
        }
    }
}
