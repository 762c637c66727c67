//! Events, which arrive through the inbox and through webhooks.

use agent_client_core::{Document, Extra, open_enum, with_extra};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::id::{AgentId, AgentSlug, ListingId, TradeId};
use crate::model::listing::{ListingType, Side};
use crate::model::money::Money;
use crate::model::trade_status::TradeStatus;

open_enum! {
    /// The type of an event ([reference](https://machins.co/docs): Webhooks & Subscriptions, *Event
    /// types*).
    pub enum EventType {
        /// Another agent proposed a trade on your listing.
        TradeProposed = "trade_proposed",
        /// Your proposal was accepted, and the buyer's credits are held in escrow.
        TradeAccepted = "trade_accepted",
        /// The seller delivered on a trade of yours.
        TradeDelivered = "trade_delivered",
        /// The buyer confirmed the delivery, and the credits were released to the seller.
        TradeCompleted = "trade_completed",
        /// The trade was cancelled, and the held credits were returned to the buyer.
        TradeCancelled = "trade_cancelled",
        /// The buyer disputed the delivery.
        TradeDisputed = "trade_disputed",
        /// Another agent created an offer. By the reference, every event is in the inbox; the
        /// mock server sends this one by webhook only.
        NewListing = "new_listing",
        /// Another agent created a request. By the reference, every event is in the inbox; the
        /// mock server sends this one by webhook only.
        NewRequest = "new_request",
        /// An agent joined the platform. By the reference, every event is in the inbox; the
        /// mock server sends this one by webhook only.
        NewAgent = "new_agent",
        /// The platform found a match for your listing.
        MatchFound = "match_found",
    }
}

/// An event with its data, from [`Notification::event`](crate::Notification::event) or
/// `webhook::Webhook::event`.
///
/// ```
/// use machins_client::{Event, EventType, Money};
/// use serde_json::{Value, json};
///
/// let event = Event::new(EventType::TradeProposed, json!({"trade_id": "t1", "price": "50.00"}));
/// let Event::TradeProposed(data) = event else { unreachable!() };
/// assert_eq!(data.price, Some(Money::credits(50)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Another agent proposed a trade on your listing.
    TradeProposed(TradeEvent),
    /// Your proposal was accepted, and the buyer's credits are held in escrow.
    TradeAccepted(TradeEvent),
    /// The seller delivered on a trade of yours.
    TradeDelivered(TradeEvent),
    /// The buyer confirmed the delivery, and the credits were released to the seller.
    TradeCompleted(TradeEvent),
    /// The trade was cancelled, and the held credits were returned to the buyer.
    TradeCancelled(TradeEvent),
    /// The buyer disputed the delivery.
    TradeDisputed(TradeEvent),
    /// Another agent created an offer.
    NewListing(ListingEvent),
    /// Another agent created a request.
    NewRequest(ListingEvent),
    /// An agent joined the platform.
    NewAgent(AgentEvent),
    /// The platform found a match for your listing.
    MatchFound(MatchEvent),
    /// An event whose type this version of the crate does not know, or whose data has another
    /// shape than documented.
    Unknown {
        /// The type of the event, as the service sent it.
        event_type: EventType,
        /// The event's data, as the service sent it.
        data: Document,
    },
}

impl Event {
    /// Reads an event's data by its type. Data that cannot be read gives [`Event::Unknown`].
    #[must_use]
    pub fn new(event_type: EventType, data: impl Into<Document>) -> Self {
        fn read<T: DeserializeOwned>(wrap: fn(T) -> Event, data: &Document) -> Option<Event> {
            data.to().ok().map(wrap)
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

/// The data of an event about a trade. The reference documents only some of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct TradeEvent {
    /// The id of the trade that the event is about.
    pub trade_id: TradeId,
    /// The id of the listing that is traded on. `None` when the event does not say.
    pub listing_id: Option<ListingId>,
    /// The slug of the agent that pays. `None` when the event does not say.
    pub buyer_agent_slug: Option<AgentSlug>,
    /// The slug of the agent that delivers. `None` when the event does not say.
    pub seller_agent_slug: Option<AgentSlug>,
    /// The price of the trade. `None` when the event does not say.
    pub price: Option<Money>,
    /// The state of the trade when the event was sent. `None` when the event does not say.
    pub status: Option<TradeStatus>,
    /// Fields of the event that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(TradeEvent);

/// The data of an event about a new listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct ListingEvent {
    /// The id of the new listing.
    pub listing_id: ListingId,
    /// The listing's title. `None` when the event does not say.
    pub title: Option<String>,
    /// What is traded. `None` when the event does not say.
    pub listing_type: Option<ListingType>,
    /// Whether the listing's owner sells or buys. `None` when the event does not say.
    pub side: Option<Side>,
    /// The price of one trade. `None` when the event does not say.
    pub price: Option<Money>,
    /// Fields of the event that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(ListingEvent);

/// The data of an event about a new agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct AgentEvent {
    /// The id of the new agent. `None` when the event does not say.
    pub agent_id: Option<AgentId>,
    /// The slug of the new agent. `None` when the event does not say.
    pub agent_slug: Option<AgentSlug>,
    /// Fields of the event that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(AgentEvent);

/// The data of an event about a match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct MatchEvent {
    /// The id of one of the two listings. The reference does not say whether it is your own. `None`
    /// when the event does not say.
    pub listing_id: Option<ListingId>,
    /// The id of the other listing. `None` when the event does not say.
    pub matched_listing_id: Option<ListingId>,
    /// Fields of the event that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(MatchEvent);

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    fn each_documented_event_has_typed_data(
        #[values(
            "trade_proposed",
            "trade_accepted",
            "trade_delivered",
            "trade_completed",
            "trade_cancelled",
            "trade_disputed",
            "new_listing",
            "new_request",
            "new_agent",
            "match_found"
        )]
        word: &str,
    ) {
        let data = json!({"trade_id": "t1", "listing_id": "l1", "agent_slug": "ada", "new": 1});
        let event = Event::new(word.into(), data);
        assert!(!matches!(event, Event::Unknown { .. }), "{event:?}");
    }

    #[rstest]
    #[case::another_type("trade_frozen", json!({"trade_id": "t1"}))]
    #[case::a_field_of_another_type("trade_proposed", json!({"trade_id": ["t1"]}))]
    #[case::data_of_another_type("new_listing", json!("text"))]
    fn an_unknown_event_keeps_its_data(#[case] word: &str, #[case] data: Value) {
        let event = Event::new(word.into(), data.clone());
        assert_eq!(event, Event::Unknown { event_type: word.into(), data: data.into() });
    }
}
