//! The form in which events are passed on: CloudEvents 1.0, as JSON.

use std::collections::BTreeMap;

use machins_client::webhook::Webhook;
use machins_client::{AgentId, Document, Notification, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::subject::token;

/// The version of the CloudEvents specification.
const SPEC_VERSION: &str = "1.0";
/// What the types of events begin with that are sent to all who subscribe.
const BROADCAST: &str = "new_";
/// The fields by which such an event names what is new.
const NAMES: [&str; 2] = ["listing_id", "agent_id"];
/// What precedes the service's event type in the attribute `type`.
const TYPE_PREFIX: &str = "co.machins.";

/// An event in the form in which it is passed on: [CloudEvents](https://cloudevents.io) 1.0, which
/// serializes to their JSON format.
///
/// ```
/// use machins_relay::CloudEvent;
///
/// let event: CloudEvent = serde_json::from_str(
///     r#"{"specversion": "1.0", "id": "n1", "source": "https://machins.co/agents/a1",
///         "type": "co.machins.trade_proposed", "subject": "t1",
///         "datacontenttype": "application/json", "data": {"trade_id": "t1", "price": "50.00"}}"#,
/// )?;
/// assert_eq!(event.event_type(), "trade_proposed");
/// assert_eq!(event.data["price"], "50.00");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CloudEvent {
    /// The version of the specification: `1.0`.
    pub specversion: String,
    /// The id of the notification, unique among those of one source. An event that is in no inbox has
    /// its type, `-` and the id of what is new.
    pub id: String,
    /// The agent that the event was sent to, as a URL: the service's address, `/agents/` and the
    /// agent's id.
    pub source: String,
    /// The type of the event: `co.machins.` and the service's name for it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the trade that the event is about. `None` if it is about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The time of the event (RFC 3339, UTC). `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The media type of the data: `application/json`.
    pub datacontenttype: String,
    /// The payload as the service sent it, with all digits of its numbers.
    #[serde(default)]
    pub data: Document,
}

impl CloudEvent {
    /// Creates the event of a notification in the inbox of an agent. `service` is the base URL of
    /// the marketplace.
    #[must_use]
    pub fn new(service: &str, agent: &AgentId, notification: &Notification) -> Self {
        let time = notification.created_at.as_ref().and_then(Timestamp::time);
        let time = time.and_then(|time| jiff::Timestamp::try_from(time).ok());
        Self {
            specversion: SPEC_VERSION.to_owned(),
            id: notification.id.to_string(),
            source: source(service, agent),
            kind: format!("{TYPE_PREFIX}{}", notification.event_type),
            subject: trade(&notification.payload),
            time: time.map(|time| time.to_string()),
            datacontenttype: "application/json".to_owned(),
            data: notification.payload.clone(),
        }
    }

    /// Creates the event of a webhook that the service sends to all who subscribe, and puts into no
    /// inbox: of a new listing, request or agent. `None` if it is another one.
    ///
    /// Its id follows from what it is about, so that it is the same wherever it is received.
    pub(crate) fn broadcast(service: &str, agent: &AgentId, webhook: &Webhook) -> Option<Self> {
        let event_type = webhook.event_type.as_str();
        if !event_type.starts_with(BROADCAST) || trade(&webhook.data).is_some() {
            return None;
        }
        let named = NAMES.iter().find_map(|name| text(&webhook.data, name));
        let named = named.unwrap_or_else(|| {
            base16ct::lower::encode_string(&Sha256::digest(webhook.data.as_json()))
        });
        Some(Self {
            specversion: SPEC_VERSION.to_owned(),
            id: format!("{event_type}-{named}"),
            source: source(service, agent),
            kind: format!("{TYPE_PREFIX}{event_type}"),
            subject: None,
            time: None,
            datacontenttype: "application/json".to_owned(),
            data: webhook.data.clone(),
        })
    }

    /// Returns the type of the event as the service calls it, for example `trade_proposed`.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&self.kind)
    }

    /// Returns the attributes, which say all but the data and its media type.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("specversion", Some(&self.specversion)),
            ("id", Some(&self.id)),
            ("source", Some(&self.source)),
            ("type", Some(&self.kind)),
            ("subject", self.subject.as_ref()),
            ("time", self.time.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.as_str())))
    }

    /// Returns what decides the partition: the trade, or the event's own id if it is about none.
    pub(crate) fn partition_key(&self) -> &str {
        self.subject.as_deref().unwrap_or(&self.id)
    }
}

/// Returns the URL of an agent.
fn source(service: &str, agent: &AgentId) -> String {
    format!("{}/agents/{}", service.trim_end_matches('/'), token(agent.as_str()))
}

/// Returns the trade that a payload names.
fn trade(payload: &Document) -> Option<String> {
    text(payload, "trade_id")
}

/// Returns a field that is text, and not empty. A number in another that only text can hold does no
/// harm.
fn text(payload: &Document, name: &str) -> Option<String> {
    let fields: BTreeMap<String, Document> = payload.to().ok()?;
    let text = fields.get(name)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn event(notification: &str) -> String {
        let agent = AgentId::new("a1").unwrap();
        let notification = serde_json::from_str(notification).unwrap();
        let event = CloudEvent::new("https://machins.co", &agent, &notification);
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<CloudEvent>(&json).unwrap(), event);
        json
    }

    #[test]
    fn an_event_about_a_trade_is_written_like_this() {
        let notification = r#"{"id": "n1", "event_type": "trade_proposed", "is_read": false,
            "payload": {"trade_id": "t1", "price": 50.0000000000000000000000001, "a": [1e400]},
            "created_at": "2026-03-02T12:00:00.5+02:00"}"#;
        assert_eq!(
            event(notification),
            concat!(
                r#"{"specversion":"1.0","id":"n1","source":"https://machins.co/agents/a1","#,
                r#""type":"co.machins.trade_proposed","subject":"t1","#,
                r#""time":"2026-03-02T10:00:00.5Z","datacontenttype":"application/json","#,
                r#""data":{"trade_id":"t1","price":50.0000000000000000000000001,"a":[1e400]}}"#,
            ),
        );
    }

    #[rstest]
    #[case::no_trade(json!({"listing_id": "l1"}), json!(null))]
    #[case::an_empty_id(json!({"trade_id": ""}), json!("yesterday"))]
    #[case::another_shape(json!(["t1"]), json!(null))]
    #[case::nothing(json!(null), json!(null))]
    fn what_the_service_does_not_say_is_left_out(#[case] payload: Value, #[case] time: Value) {
        let notification = json!({
            "id": "n1", "event_type": "match_found", "payload": payload, "created_at": time,
        });
        let event: Value = serde_json::from_str(&event(&notification.to_string())).unwrap();
        assert_eq!((&event["subject"], &event["time"]), (&Value::Null, &Value::Null));
        assert_eq!(event["data"], payload);
    }
}
