//! A subscription, as it is stored, and its webhooks.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use hmac::Mac;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::clock::Time;
use crate::machins::context::{Event, EventType};
use crate::machins::mac::{hex, keyed_mac};
use crate::machins::object::Object;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) id: Uuid,
    pub(crate) agent_id: Uuid,
    pub(crate) event_type: EventType,
    pub(crate) webhook_url: String,
    pub(crate) filters: Object,
    pub(crate) secret: Option<Secret>,
    pub(crate) is_active: bool,
    pub(crate) failure_count: u32,
    pub(crate) created_at: Time,
}

/// The secret that signs a subscription's webhooks.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A webhook to send.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    /// The slug of the agent whose subscription it is.
    pub(crate) agent_slug: String,
    pub(crate) subscription_id: Uuid,
    pub(crate) event_type: EventType,
    pub(crate) url: String,
    pub(crate) body: Bytes,
    /// The HMAC-SHA256 of the body, in lowercase hexadecimal; `None` without a secret.
    pub(crate) signature: Option<String>,
}

#[derive(Serialize)]
struct Post<'a> {
    event: EventType,
    subscription_id: Uuid,
    data: &'a Map<String, Value>,
}

impl Subscription {
    /// Returns whether the data of an event has all values of the filters.
    fn lets_pass(&self, data: &Map<String, Value>) -> bool {
        let equals = |(name, raw): (Cow<'_, str>, &RawValue)| {
            let wanted: Option<Value> = serde_json::from_str(raw.get()).ok();
            wanted.is_some() && data.get(&*name) == wanted.as_ref()
        };
        self.filters.is_empty() || self.filters.fields().into_iter().all(equals)
    }

    /// Returns the webhook of an event, if the subscription is for such events.
    pub(crate) fn webhook(&self, event: &Event, agent_slug: &str) -> Option<Webhook> {
        let wanted =
            self.is_active && self.event_type == event.event_type && self.lets_pass(&event.data);
        if !wanted {
            return None;
        }
        let post = Post { event: event.event_type, subscription_id: self.id, data: &event.data };
        let body = serde_json::to_vec(&post).ok()?;
        let sign =
            |Secret(key): &Secret| hex(&keyed_mac(key).chain_update(&body).finalize().into_bytes());
        Some(Webhook {
            agent_slug: agent_slug.to_owned(),
            subscription_id: self.id,
            event_type: event.event_type,
            url: self.webhook_url.clone(),
            signature: self.secret.as_ref().map(sign),
            body: body.into(),
        })
    }
}
