//! An entry of the inbox, which may be malformed.

use std::time::SystemTime;

use agent_client_core::Document;
use serde::Deserialize;
use serde_json::Value;

use crate::model::event::{Event, EventType};
use crate::model::id::NotificationId;
use crate::model::inbox::Notification;

/// An entry of the inbox as the service lists it.
#[derive(Debug, Deserialize)]
#[serde(from = "Document")]
pub(super) struct Listed {
    content: Content,
    /// The id or, if there is none, the whole text.
    identity: String,
}

#[derive(Debug)]
enum Content {
    Notification(Notification),
    Malformed(Document),
}

impl From<Document> for Listed {
    fn from(raw: Document) -> Self {
        let id = text(&raw, "id").filter(|id| !id.is_empty());
        let identity = id.map_or_else(|| raw.to_string(), str::to_owned);
        let content = match raw.to::<Notification>() {
            Ok(notification) if id.is_some() => Content::Notification(notification),
            _ => Content::Malformed(raw),
        };
        Self { content, identity }
    }
}

impl Listed {
    /// What distinguishes this entry from all others.
    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// Returns the id to acknowledge, or `None` if the entry has none.
    pub(super) fn id(&self) -> Option<NotificationId> {
        match &self.content {
            Content::Notification(notification) => Some(notification.id.clone()),
            Content::Malformed(raw) => NotificationId::new(text(raw, "id")?).ok(),
        }
    }

    pub(super) fn notification(&self) -> Option<&Notification> {
        match &self.content {
            Content::Notification(notification) => Some(notification),
            Content::Malformed(_) => None,
        }
    }

    pub(super) fn event(&self) -> Event {
        match &self.content {
            Content::Notification(notification) => notification.event(),
            Content::Malformed(raw) => Event::Unknown {
                event_type: EventType::from(text(raw, "event_type").unwrap_or_default()),
                data: raw.clone(),
            },
        }
    }

    pub(super) fn raw(&self) -> Document {
        match &self.content {
            Content::Notification(notification) => Document::new(notification).unwrap_or_default(),
            Content::Malformed(raw) => raw.clone(),
        }
    }

    pub(super) fn is_read(&self) -> bool {
        match &self.content {
            Content::Notification(notification) => notification.is_read,
            Content::Malformed(raw) => raw.get("is_read") == Some(&Value::Bool(true)),
        }
    }

    /// Returns `false` only if the entry is certainly of another type.
    pub(super) fn may_be(&self, event_type: &EventType) -> bool {
        match &self.content {
            Content::Notification(notification) => notification.event_type == *event_type,
            Content::Malformed(raw) => {
                text(raw, "event_type").is_none_or(|word| word == event_type.as_str())
            }
        }
    }

    pub(super) fn time(&self) -> Option<SystemTime> {
        match &self.content {
            Content::Notification(notification) => notification.created_at.as_ref()?.time(),
            Content::Malformed(_) => None,
        }
    }

    /// Returns the id of the trade that the event is about, or `None` if it names none.
    pub(super) fn trade(&self) -> Option<&str> {
        match &self.content {
            Content::Notification(notification) => text(&notification.payload, "trade_id"),
            Content::Malformed(raw) => raw.pointer("/payload/trade_id")?.as_str(),
        }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}
