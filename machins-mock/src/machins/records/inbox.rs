//! An agent's inbox, as it is stored.

use std::collections::VecDeque;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Time;
use crate::machins::context::{Context, Event, EventType};
use crate::machins::object::Object;

/// How long a notification is kept after it was read.
pub(crate) const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The maximum number of notifications in one inbox; new ones replace the oldest.
pub(crate) const MAX_NOTIFICATIONS: usize = 10_000;

/// An inbox, oldest notification first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Inbox(pub(crate) VecDeque<Notification>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Notification {
    pub(crate) id: Uuid,
    pub(crate) event_type: EventType,
    /// The data of the event, which depends on its type.
    pub(crate) payload: Object,
    pub(crate) created_at: Time,
    pub(crate) read_at: Option<Time>,
}

impl Inbox {
    pub(crate) fn push(&mut self, cx: &mut Context<'_>, event: &Event) {
        if self.0.len() >= MAX_NOTIFICATIONS {
            self.0.pop_front();
        }
        self.0.push_back(Notification {
            id: cx.random.uuid(),
            event_type: event.event_type,
            payload: Object::new(&event.data),
            created_at: cx.now,
            read_at: None,
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn unread(&self) -> usize {
        self.0.iter().filter(|notification| notification.read_at.is_none()).count()
    }

    /// Deletes what was read a week ago.
    pub(crate) fn prune(&mut self, now: Time) {
        self.0.retain(|notification| notification.read_at.is_none_or(|read| read.plus(KEPT) > now));
    }

    /// Returns the times at which there is something to delete.
    pub(crate) fn prunings(&self) -> impl Iterator<Item = Time> {
        self.0.iter().filter_map(|notification| notification.read_at).map(|read| read.plus(KEPT))
    }
}
