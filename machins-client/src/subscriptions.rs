//! Webhook subscriptions.

use std::fmt;
use std::time::{Duration, SystemTime};

use agent_client_core::{
    Call, Document, Extra, Method, Probe, ProbeResult, Secret, Timestamp, Transport,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::auth::API_KEY;
use crate::client::Api;
use crate::event::EventType;
use crate::id::SubscriptionId;

/// A subscription: events of one type go to one URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// What kind of event it is for.
    pub event_type: EventType,
    /// Where events go.
    pub webhook_url: String,
    /// Only events whose data has these values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Map<String, Value>>,
    /// Whether events are sent. Ten failures in a row end that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A subscription to be made.
#[derive(Clone, Serialize)]
#[must_use]
pub struct NewSubscription {
    event_type: EventType,
    webhook_url: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose")]
    secret: Option<Secret>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    filters: Map<String, Value>,
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn expose<S: serde::Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

impl NewSubscription {
    /// Sends events of this type to this URL.
    pub fn new(event_type: EventType, webhook_url: impl Into<String>) -> Self {
        Self { event_type, webhook_url: webhook_url.into(), secret: None, filters: Map::new() }
    }

    /// Signs what is sent, so that [`webhook::Verifier`](crate::webhook::Verifier) can tell it
    /// from forgeries.
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Keeps only events whose data has this value under this name.
    pub fn filter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.filters.insert(name.into(), value.into());
        self
    }

    /// Whether that subscription is what this one would have made.
    fn would_make(&self, subscription: &Subscription) -> bool {
        let filters = subscription.filters.clone().unwrap_or_default();
        subscription.event_type == self.event_type
            && subscription.webhook_url == self.webhook_url
            && filters == self.filters
    }
}

/// How far the clocks of client and service may be apart when a subscription is told from one
/// that was there before.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

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

/// The reply to ending a subscription. The reference documents none; what came is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unsubscribed {
    /// The reply; `null` when there was none to read.
    pub reply: Document,
}

/// The reference's *Webhooks & Subscriptions*.
///
/// ```
/// use machins_client::{Client, EventType, NewSubscription, Secret};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let join = |slug| -> Result<_, Box<dyn std::error::Error>> {
/// #     let agent = server.create_agent(machins_mock::NewAgent::new().slug(slug))?;
/// #     let key = machins_client::ApiKey::new(&agent.api_key)?;
/// #     Ok(Client::builder().api_key(key).base_url(server.machins_base_url()).build()?)
/// # };
/// # let ada = join("ada")?;
/// let proposals = NewSubscription::new(EventType::TradeProposed, "http://127.0.0.1:9000/hooks")
///     .secret(Secret::new("whsec-0123456789"));
/// let subscription = ada.subscribe(&proposals).await?;
/// assert_eq!(ada.list_subscriptions().await?.len(), 1);
/// ada.unsubscribe(&subscription.id).await?;
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// Makes a subscription. `POST /subscriptions`
    ///
    /// When the reply is lost, your subscriptions are searched for one to the same event, URL and
    /// filters that is no older than this call. Where that does not settle it the call is **not**
    /// made again: the first may still be on its way, and each event would come twice.
    ///
    /// # Errors
    /// [`BadRequest`](crate::ErrorKind::BadRequest) for an event or URL that can't be,
    /// [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) when it may have been made but can't be told
    /// from others.
    pub fn subscribe(&self, subscription: &NewSubscription) -> T::Reply<Subscription> {
        let mut call = Call::post("/subscriptions").auth(&API_KEY).body(subscription);
        if let Some(secret) = &subscription.secret {
            call = call.secret(secret);
        }
        let call = call.unknown_hint("look through your subscriptions before you subscribe again");
        let wanted = subscription.clone();
        let since = SystemTime::now() - CLOCK_SLACK;
        self.send(call.json().recover_with(move |_| {
            let wanted = wanted.clone();
            Probe::new(list_subscriptions(), move |found| {
                let alike = found?.into_iter().filter(|made| wanted.would_make(made));
                let mut fresh = alike.filter(|made| {
                    let created_at = made.created_at.as_ref().and_then(Timestamp::time);
                    created_at.is_some_and(|created_at| created_at >= since)
                });
                Ok(match (fresh.next(), fresh.next()) {
                    (Some(made), None) => ProbeResult::Done(made),
                    _ => ProbeResult::Unknown,
                })
            })
        }))
    }

    /// Your subscriptions. `GET /subscriptions`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn list_subscriptions(&self) -> T::Reply<Vec<Subscription>> {
        self.send(list_subscriptions())
    }

    /// Ends a subscription. `DELETE /subscriptions/{id}`
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), unless the reply to a first attempt was lost and
    /// the second finds it gone: that is success.
    pub fn unsubscribe(&self, id: &SubscriptionId) -> T::Reply<Unsubscribed> {
        let call = Call::new(Method::DELETE, "/subscriptions/{id}").segment("id", id.as_str());
        self.send(call.auth(&API_KEY).decode(|reply| {
            let is_json = reply.json::<Value>().is_ok();
            let is_gone = reply.status() == 404 && reply.is_repeated() && is_json;
            if !reply.is_success() && !is_gone {
                return Err(reply.error());
            }
            let reply = if reply.body().is_empty() { Document::default() } else { reply.json()? };
            Ok(Unsubscribed { reply })
        }))
    }
}

fn list_subscriptions() -> Call<Vec<Subscription>> {
    Call::get("/subscriptions").auth(&API_KEY).json()
}
