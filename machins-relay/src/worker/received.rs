//! Events as a worker gets them.

use std::time::Duration;

use async_nats::jetstream::Message;
use machins_client::{Event, EventType};

use crate::cloud_event::CloudEvent;
use crate::subject::token;

/// An event that a [`Worker`](crate::Worker) has received.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReceivedEvent {
    /// The event, with the service's payload.
    pub event: CloudEvent,
    /// How many times the event has been given to a worker of the group, this time included. If it is
    /// more than one, an earlier attempt may have had its effect, as a whole or in part.
    pub attempt: u64,
    /// The message in the stream. The worker acknowledges it.
    pub message: Message,
}

impl ReceivedEvent {
    /// Reads the event of a message.
    pub(super) fn read(message: &Message) -> Result<Self, String> {
        let event = serde_json::from_slice(&message.payload)
            .map_err(|error| format!("it is not a CloudEvent: {error}"))?;
        let info = message.info().map_err(|error| error.to_string())?;
        let attempt = u64::try_from(info.delivered).unwrap_or(1);
        Ok(Self { event, attempt, message: message.clone() })
    }

    /// Returns the event with its data, by its type.
    #[must_use]
    pub fn typed(&self) -> Event {
        Event::new(EventType::from(self.event.event_type()), self.event.data.clone())
    }

    /// Returns the id of the event, which is the same each time that it is received: the ids of the
    /// agent and of the notification. It is a key for [`Effects`](crate::Effects) and for
    /// [`propose_trade_once`](machins_client::Api::propose_trade_once).
    #[must_use]
    pub fn id(&self) -> String {
        // Not that of the message: a dead letter that is retried has another one.
        let agent = self.event.source.rsplit('/').next().unwrap_or_default();
        format!("{agent}.{}", token(&self.event.id))
    }
}

/// What a worker has done with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Handled {
    /// The event is handled, and no worker of the group gets it again.
    Done,
    /// The event is to be given to a worker of the group again after this time. Later events of the
    /// same partition wait for it. It does not count as a failure.
    Defer(Duration),
    /// The event can never be handled, for this reason: it goes to the dead letters.
    Dead(String),
}
