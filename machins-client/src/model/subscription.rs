//! Webhook subscriptions.

use std::collections::BTreeMap;
use std::fmt;

use agent_client_core::{Document, Extra, Secret, Timestamp, with_extra};
use serde::{Deserialize, Serialize, Serializer};

use crate::model::event::EventType;
use crate::model::id::SubscriptionId;

/// A webhook subscription: the service posts each event of one type to a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Subscription {
    /// The subscription's id, for [`Api::unsubscribe`](crate::Api::unsubscribe).
    pub id: SubscriptionId,
    /// The type of the events that are sent. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// The URL that events are posted to. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// The values that an event's data must have to be sent. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Extra>,
    /// Whether events are sent. The service stops after ten failed deliveries in a row. `None`
    /// when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// The time when the subscription was created. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Subscription);

/// A webhook subscription to create with [`Api::subscribe`](crate::Api::subscribe).
///
/// ```
/// use machins_client::{EventType, NewSubscription, Secret};
///
/// let url = "https://agent.example/webhooks";
/// let proposals = NewSubscription::new(EventType::TradeProposed, url)
///     .secret(Secret::new("whsec-0123456789"));
/// ```
#[derive(Clone, Serialize)]
#[must_use]
pub struct NewSubscription {
    event_type: EventType,
    webhook_url: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose")]
    secret: Option<Secret>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    filters: Extra,
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn expose<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

impl NewSubscription {
    /// Creates a subscription that sends events of this type to this URL.
    pub fn new(event_type: EventType, webhook_url: impl Into<String>) -> Self {
        Self {
            event_type,
            webhook_url: webhook_url.into(),
            secret: None,
            filters: Extra::default(),
        }
    }

    /// Sets the secret that the service signs its requests with, so that
    /// `webhook::Verifier` can reject forgeries.
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Sends only events whose data has this value in the field of this name.
    pub fn filter(mut self, name: impl Into<String>, value: impl Into<Document>) -> Self {
        self.filters.insert(name.into(), value.into());
        self
    }

    pub(crate) fn signing_secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    pub(crate) fn event_type(&self) -> &EventType {
        &self.event_type
    }

    /// Whether `subscription` is what the service makes of this request.
    pub(crate) fn matches(&self, subscription: &Subscription) -> bool {
        let filters = subscription.filters.clone().unwrap_or_default();
        subscription.is_active != Some(false)
            && subscription.event_type.as_ref() == Some(&self.event_type)
            && subscription.webhook_url.as_ref() == Some(&self.webhook_url)
            && filters == self.filters
    }
}

impl fmt::Debug for NewSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSubscription")
            .field("event_type", &self.event_type)
            .field("webhook_url", &self.webhook_url)
            .field("secret", &self.secret)
            .field("filters", &self.filters)
            .finish()
    }
}

/// The reply to ending a webhook subscription. The reference documents no fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[non_exhaustive]
pub struct Unsubscribed {
    /// The reply, as the service sent it; `null` when its body was empty.
    pub reply: Document,
}
