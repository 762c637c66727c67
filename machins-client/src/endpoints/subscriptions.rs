//! Webhook subscriptions: creating, listing and ending them.

use std::time::{Duration, SystemTime};

use agent_client_core::{
    Call, Error, Method, Probe, ProbeResult, Reply, Timestamp, Transport, operation,
};
use serde_json::Value;

use crate::auth::API_KEY;
use crate::client::Api;
use crate::endpoints::read_undocumented;
use crate::model::id::SubscriptionId;
use crate::model::subscription::{NewSubscription, Subscription, Unsubscribed};

/// What the service may cut off from the time at which a subscription was created.
const RESOLUTION: Duration = Duration::from_secs(1);

/// Webhook subscriptions ([reference](https://machins.co/docs): Webhooks & Subscriptions).
/// `webhook::Verifier` checks what arrives at the URL.
///
/// ```
/// use machins_client::{EventType, NewSubscription, Secret};
///
/// # test_support::machins(async |test_support::Marketplace { seller: client, .. }| {
/// let proposals = NewSubscription::new(EventType::TradeProposed, "http://127.0.0.1:9000/hooks")
///     .secret(Secret::new("whsec-0123456789"));
/// let subscription = client.subscribe(&proposals).await?;
/// assert_eq!(client.list_subscriptions().await?.len(), 1);
/// client.unsubscribe(&subscription.id).await?;
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Creates a webhook subscription. Calls `POST /subscriptions`
    /// ([reference](https://machins.co/docs): Webhooks & Subscriptions).
    ///
    /// If the reply is lost, the client searches your subscriptions for one with the same event
    /// type, URL and filters that is no older than the call, and returns it. If there is not
    /// exactly one, it does **not** send the call again: the first may still arrive, and each event
    /// would be sent twice.
    ///
    /// # Errors
    /// Returns [`ErrorKind::BadRequest`](crate::ErrorKind::BadRequest) if the event type or URL is
    /// invalid, and [`ErrorKind::OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) if the
    /// subscription may exist but cannot be found.
    pub fn subscribe(&self, subscription: &NewSubscription) -> T::Reply<Subscription> {
        let mut call = Call::post("/subscriptions")
            .operation(operation!("machins.subscribe"))
            .auth(&API_KEY)
            .body(subscription);
        if let Some(secret) = subscription.signing_secret() {
            call = call.secret(secret);
        }
        let call = call.unknown_hint("look through your subscriptions before you subscribe again");
        let wanted = subscription.clone();
        let since = SystemTime::now() - RESOLUTION;
        let event = subscription.event_type().clone();
        let is_of =
            move |made: &Subscription| made.event_type.as_ref().is_none_or(|of| *of == event);
        self.send(call.json().check(is_of).recover_with(move |_| {
            let wanted = wanted.clone();
            Probe::new(list_subscriptions(), move |subscriptions| {
                let mut created = subscriptions?.into_iter().filter(|subscription| {
                    wanted.matches(subscription) && is_created_since(subscription, since)
                });
                Ok(match (created.next(), created.next()) {
                    (Some(subscription), None) => ProbeResult::Done(subscription),
                    _ => ProbeResult::Unknown,
                })
            })
        }))
    }

    /// Returns all of your webhook subscriptions. Calls `GET /subscriptions`
    /// ([reference](https://machins.co/docs): Webhooks & Subscriptions).
    ///
    /// # Errors
    /// Returns [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized) if the API key is
    /// invalid.
    pub fn list_subscriptions(&self) -> T::Reply<Vec<Subscription>> {
        self.send(list_subscriptions())
    }

    /// Deletes a webhook subscription. Calls `DELETE /subscriptions/{id}`
    /// ([reference](https://machins.co/docs): Webhooks & Subscriptions).
    ///
    /// # Errors
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such
    /// subscription. If the reply to an earlier attempt of the same call was lost, that is a
    /// success.
    pub fn unsubscribe(&self, id: &SubscriptionId) -> T::Reply<Unsubscribed> {
        let call = Call::new(Method::DELETE, "/subscriptions/{id}")
            .operation(operation!("machins.unsubscribe"))
            .segment("id", id.as_str());
        self.send(call.auth(&API_KEY).decode(read_unsubscribed))
    }
}

fn list_subscriptions() -> Call<Vec<Subscription>> {
    Call::get("/subscriptions")
        .operation(operation!("machins.list_subscriptions"))
        .auth(&API_KEY)
        .json()
}

fn is_created_since(subscription: &Subscription, since: SystemTime) -> bool {
    let created_at = subscription.created_at.as_ref().and_then(Timestamp::time);
    created_at.is_some_and(|created_at| created_at >= since)
}

/// Reads the reply. A 404 is a success if an earlier attempt may have deleted the subscription, and
/// if the service itself sent it, which its JSON shows.
fn read_unsubscribed(reply: &Reply) -> Result<Unsubscribed, Error> {
    let is_json = reply.json::<Value>().is_ok();
    let is_gone = reply.status() == 404 && reply.is_repeated() && is_json;
    let reply = if is_gone { reply.json()? } else { read_undocumented(reply)? };
    Ok(Unsubscribed { reply })
}
