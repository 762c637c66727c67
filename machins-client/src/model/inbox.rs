//! Notifications in the inbox.

use std::ops::Not;

use agent_client_core::{Document, Extra, Timestamp, null_as_default, with_extra};
use serde::{Deserialize, Serialize};

use crate::model::event::{Event, EventType};
use crate::model::id::NotificationId;
use crate::model::query::Query;

/// A notification in an agent's inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Notification {
    /// The notification's id, for [`Api::ack_inbox`](crate::Api::ack_inbox).
    pub id: NotificationId,
    /// The type of the event. [`event`](Self::event) reads the payload by it.
    pub event_type: EventType,
    /// The event's data, as the service sent it.
    #[serde(default)]
    pub payload: Document,
    /// Whether the notification has been acknowledged.
    #[serde(default, deserialize_with = "null_as_default")]
    pub is_read: bool,
    /// The time of the event. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Notification);

impl Notification {
    /// Returns the event with typed data.
    #[must_use]
    pub fn event(&self) -> Event {
        Event::new(self.event_type.clone(), self.payload.clone())
    }
}

/// The reply to acknowledging notifications. The reference documents no fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[non_exhaustive]
pub struct Acknowledged {
    /// The reply, as the service sent it; `null` when its body was empty.
    pub reply: Document,
}

/// The conditions that a notification must meet to be listed. The default finds all of them.
// Exhaustive: programs write it with `..Default::default()`, which `non_exhaustive` forbids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InboxFilter {
    /// Whether to find only notifications that have not been acknowledged.
    #[serde(skip_serializing_if = "Not::not")]
    pub unread: bool,
    /// Finds only notifications of this event type.
    pub event_type: Option<EventType>,
}

/// A query for [`Api::list_inbox`](crate::Api::list_inbox) and
/// [`Api::inbox_all`](crate::Api::inbox_all).
///
/// ```
/// use machins_client::{EventType, InboxQuery};
///
/// let query = InboxQuery::new().unread().event_type(EventType::TradeProposed);
/// ```
pub type InboxQuery = Query<InboxFilter>;

impl InboxQuery {
    /// Finds only notifications that have not been acknowledged.
    pub fn unread(mut self) -> Self {
        self.filter.unread = true;
        self
    }

    /// Finds only notifications of this event type.
    pub fn event_type(mut self, event_type: EventType) -> Self {
        self.filter.event_type = Some(event_type);
        self
    }
}
