//! An agent's inbox, as it is stored.

use std::collections::VecDeque;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::clock::Time;
use crate::machins::context::{Context, Event, EventType};
use crate::machins::object::Object;

/// How long a notification is kept after it was read.
pub(crate) const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The maximum number of notifications in one inbox; new ones replace the oldest.
pub(crate) const MAX_NOTIFICATIONS: usize = 10_000;

/// An inbox, oldest notification first.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "VecDeque<Notification>")]
pub(crate) struct Inbox {
    notifications: VecDeque<Notification>,
    /// The number of notifications that are not read.
    unread: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Notification {
    pub(crate) id: Uuid,
    pub(crate) event_type: EventType,
    /// The data of the event, which depends on its type.
    pub(crate) payload: Object,
    pub(crate) created_at: Time,
    pub(crate) read_at: Option<Time>,
}

impl Notification {
    fn is_unread(&self) -> bool {
        self.read_at.is_none()
    }
}

impl Inbox {
    pub(crate) fn push(&mut self, cx: &mut Context<'_>, event: &Event) {
        if self.len() >= MAX_NOTIFICATIONS {
            let oldest = self.notifications.pop_front();
            self.unread -= usize::from(oldest.is_some_and(|oldest| oldest.is_unread()));
        }
        self.unread += 1;
        self.notifications.push_back(Notification {
            id: cx.random.uuid(),
            event_type: event.event_type,
            payload: Object::new(&event.data),
            created_at: cx.now,
            read_at: None,
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.notifications.len()
    }

    /// Returns all notifications, newest first.
    pub(crate) fn newest(&self) -> impl ExactSizeIterator<Item = &Notification> {
        self.notifications.iter().rev()
    }

    /// Returns the unread notifications, newest first. What is older than all of them is not looked
    /// at.
    pub(crate) fn newest_unread(&self) -> impl Iterator<Item = &Notification> {
        self.newest().filter(|notification| notification.is_unread()).take(self.unread)
    }

    pub(crate) fn unread(&self) -> usize {
        self.unread
    }

    /// Marks the chosen notifications as read, and returns how many of them were unread.
    pub(crate) fn mark_read(&mut self, now: Time, chosen: impl Fn(Uuid) -> bool) -> usize {
        let before = self.unread;
        for notification in &mut self.notifications {
            if notification.is_unread() && chosen(notification.id) {
                notification.read_at = Some(now);
                self.unread -= 1;
            }
        }
        before - self.unread
    }

    /// Deletes what was read a week ago.
    pub(crate) fn prune(&mut self, now: Time) {
        self.notifications
            .retain(|notification| notification.read_at.is_none_or(|read| read.plus(KEPT) > now));
    }

    /// Returns the times at which there is something to delete.
    pub(crate) fn prunings(&self) -> impl Iterator<Item = Time> {
        self.newest().filter_map(|notification| notification.read_at).map(|read| read.plus(KEPT))
    }
}

impl Serialize for Inbox {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.notifications.serialize(serializer)
    }
}

impl From<VecDeque<Notification>> for Inbox {
    fn from(notifications: VecDeque<Notification>) -> Self {
        let unread = notifications.iter().filter(|notification| notification.is_unread()).count();
        Self { notifications, unread }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::machins::context::Audience;
    use crate::random::Random;

    #[test]
    fn a_full_inbox_counts_what_it_still_holds() {
        let mut random = Random::new(1);
        let now = Clock::default().now();
        let mut cx = Context::new(now, &mut random);
        let event = Event {
            event_type: EventType::MatchFound,
            audience: Audience::Everyone,
            data: serde_json::Map::new(),
        };
        let mut inbox = Inbox::default();
        (0..MAX_NOTIFICATIONS).for_each(|_| inbox.push(&mut cx, &event));
        inbox.mark_read(now, |id| id.as_u128() % 3 == 0);
        (0..100).for_each(|_| inbox.push(&mut cx, &event));
        let unread: Vec<_> = inbox.newest().filter(|one| one.read_at.is_none()).collect();
        assert_eq!((inbox.len(), inbox.unread()), (MAX_NOTIFICATIONS, unread.len()));
        assert!(inbox.newest_unread().eq(unread));
    }
}
