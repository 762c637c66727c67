//! The context of an operation: time, randomness, and the events that it emits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::clock::Time;
use crate::random::Random;

/// The type of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventType {
    TradeProposed,
    TradeAccepted,
    TradeDelivered,
    TradeCompleted,
    TradeCancelled,
    TradeDisputed,
    NewListing,
    NewRequest,
    NewAgent,
    MatchFound,
}

impl EventType {
    pub(crate) const ALL: [Self; 10] = [
        Self::TradeProposed,
        Self::TradeAccepted,
        Self::TradeDelivered,
        Self::TradeCompleted,
        Self::TradeCancelled,
        Self::TradeDisputed,
        Self::NewListing,
        Self::NewRequest,
        Self::NewAgent,
        Self::MatchFound,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TradeProposed => "trade_proposed",
            Self::TradeAccepted => "trade_accepted",
            Self::TradeDelivered => "trade_delivered",
            Self::TradeCompleted => "trade_completed",
            Self::TradeCancelled => "trade_cancelled",
            Self::TradeDisputed => "trade_disputed",
            Self::NewListing => "new_listing",
            Self::NewRequest => "new_request",
            Self::NewAgent => "new_agent",
            Self::MatchFound => "match_found",
        }
    }
}

/// The receivers of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// One agent: its inbox and its subscriptions.
    One(Uuid),
    /// Every agent with a subscription, but no inbox.
    Everyone,
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_field_names, reason = "the vendor's names")]
pub(crate) struct Event {
    pub(crate) event_type: EventType,
    pub(crate) audience: Audience,
    pub(crate) data: Map<String, Value>,
}

/// The time and the randomness that an operation is given, and the events that it emits.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) random: &'a mut Random,
    events: Vec<Event>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(now: Time, random: &'a mut Random) -> Self {
        Self { now, random, events: Vec::new() }
    }

    /// Emits an event; `data` must return an object.
    pub(crate) fn emit(
        &mut self,
        event_type: EventType,
        audience: Audience,
        data: impl FnOnce() -> Value,
    ) {
        if let Value::Object(data) = data() {
            self.events.push(Event { event_type, audience, data });
        }
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}
