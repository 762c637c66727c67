//! The inbox of an agent: reading and acknowledging notifications.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::context::{Context, EventType};
use super::error::{Error, Result};
use super::input;
use super::page::{Page, Window};
use super::platform::{Machins, Timer};
use super::records::{KEPT, Notification};

/// The maximum number of ids that one call acknowledges.
const MAX_ACK: usize = 1_000;

/// An event that concerns the agent.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Notification")]
pub(crate) struct NotificationReply {
    #[serde(flatten)]
    notification: Notification,
    is_read: bool,
}

/// A page of an inbox, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InboxPage {
    items: Vec<NotificationReply>,
    /// The number of unread notifications in the whole inbox.
    unread_count: usize,
    /// The number of notifications in the whole inbox, whatever the filters.
    total: usize,
    offset: u64,
    limit: u64,
    /// Whether more notifications that match the filters follow this page.
    has_more: bool,
}

/// Filters of an inbox.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct InboxQuery {
    /// Whether to return only unread notifications.
    #[serde(default, deserialize_with = "input::flag")]
    unread: Option<bool>,
    /// Returns only notifications of this type.
    event_type: Option<EventType>,
}

/// The notifications to mark as read.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Acknowledgement {
    /// At most 1000 ids; those that are not in the inbox are ignored.
    notification_ids: Vec<String>,
}

/// The result of an acknowledgement.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Acknowledged {
    /// The number of notifications that this call marked as read.
    acknowledged: usize,
    /// The number of notifications in the whole inbox that are still unread.
    unread_count: usize,
}

impl From<&Notification> for NotificationReply {
    fn from(notification: &Notification) -> Self {
        Self { is_read: notification.read_at.is_some(), notification: notification.clone() }
    }
}

impl Machins {
    pub(crate) fn inbox(
        &self,
        caller: Uuid,
        query: &InboxQuery,
        window: Window,
    ) -> Result<InboxPage> {
        let span = window.span()?;
        let inbox = &self.agents[&caller].inbox;
        let is_of_type = |notification: &&Notification| {
            query.event_type.is_none_or(|event_type| event_type == notification.event_type)
        };
        // The reply says whether more follow, but not how many.
        let enough = span.end().saturating_add(1);
        let page = if query.unread.unwrap_or(false) {
            let found = inbox.newest_unread().filter(is_of_type).take(enough);
            span.counted_page(found, NotificationReply::from)
        } else if query.event_type.is_some() {
            let found = inbox.newest().filter(is_of_type).take(enough);
            span.counted_page(found, NotificationReply::from)
        } else {
            span.page(inbox.newest(), NotificationReply::from)
        };
        let Page { items, offset, limit, has_more, .. } = page;
        let (unread_count, total) = (inbox.unread(), inbox.len());
        Ok(InboxPage { items, unread_count, total, offset, limit, has_more })
    }

    pub(crate) fn ack(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        request: &Acknowledgement,
    ) -> Result<Acknowledged> {
        let ids = &request.notification_ids;
        if ids.len() > MAX_ACK {
            let rule = format!("must have at most {MAX_ACK} entries");
            return Err(Error::field("notification_ids", rule));
        }
        let ids: HashSet<Uuid> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        Ok(self.mark_read(cx, caller, |id| ids.contains(&id)))
    }

    pub(crate) fn ack_all(&mut self, cx: &mut Context<'_>, caller: Uuid) -> Acknowledged {
        self.mark_read(cx, caller, |_| true)
    }

    fn mark_read(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        chosen: impl Fn(Uuid) -> bool,
    ) -> Acknowledged {
        let inbox = &mut self.agents[&caller].inbox;
        let acknowledged = inbox.mark_read(cx.now, chosen);
        if acknowledged > 0 {
            self.timers.insert((cx.now.plus(KEPT), Timer::Pruning(caller)));
        }
        Acknowledged { acknowledged, unread_count: inbox.unread() }
    }
}
