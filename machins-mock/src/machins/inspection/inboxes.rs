//! The inboxes of all agents.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::part::Part;
use crate::machins::context::EventType;
use crate::machins::inboxes::NotificationReply;
use crate::machins::platform::Machins;
use crate::machins::records::Notification;

/// Which notifications are returned; all of them by default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct NotificationsQuery {
    /// Returns only the inbox of the agent with this slug.
    agent: Option<String>,
    /// Returns only notifications of this type.
    event_type: Option<EventType>,
    /// Returns only notifications that were not read, or only those that were.
    unread: Option<bool>,
    /// Returns only notifications about the trade with this id.
    trade: Option<String>,
    /// The number of notifications to skip; 0 by default.
    offset: Option<usize>,
    /// The maximum number of notifications; all by default.
    limit: Option<usize>,
}

/// A notification, and whose inbox it is in.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedNotification {
    agent: String,
    #[serde(flatten)]
    notification: NotificationReply,
}

/// Notifications of all agents, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedNotifications {
    notifications: Vec<InspectedNotification>,
    /// The number of notifications that match, whatever the limit.
    total: usize,
}

impl Machins {
    pub(crate) fn inspect_inboxes(&self, query: &NotificationsQuery) -> InspectedNotifications {
        let trade = query.trade.as_deref().map(|id| {
            let id = id.parse().ok().filter(|id: &Uuid| self.trades.contains_key(id));
            id.map(|id| (&self.trades[&id], id.to_string()))
        });
        let is_about = |notification: &Notification| match &trade {
            None => true,
            Some(None) => false,
            Some(Some((_, id))) => notification.payload.as_str().contains(&**id),
        };
        let agents = self.agents.values().filter(|agent| {
            query.agent.as_deref().is_none_or(|slug| slug == agent.slug)
                && trade.as_ref().and_then(Option::as_ref).is_none_or(|(trade, _)| {
                    [trade.buyer_agent_id, trade.seller_agent_id].contains(&agent.id)
                })
        });
        let matches = |notification: &&Notification| {
            query.unread.is_none_or(|unread| unread == notification.read_at.is_none())
                && query.event_type.is_none_or(|kind| kind == notification.event_type)
                && is_about(notification)
        };
        let mut found: Vec<_> = agents
            .flat_map(|agent| agent.inbox.newest().filter(matches).map(|one| (&*agent.slug, one)))
            .collect();
        found.sort_by_key(|(_, notification)| Reverse(notification.created_at));
        let part = Part { offset: query.offset, limit: query.limit, ..Part::default() };
        let (notifications, total) =
            part.cut(found.into_iter(), |(slug, notification)| InspectedNotification {
                agent: slug.to_owned(),
                notification: NotificationReply::from(notification),
            });
        InspectedNotifications { notifications, total }
    }
}
