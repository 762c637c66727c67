//! Subscriptions: the URLs that events are posted to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::context::{Context, EventType};
use super::error::{Error, Result};
use super::input;
use super::object::Object;
use super::platform::Machins;
use super::records::{Secret, Subscription};
use crate::clock::Time;

/// How many deliveries may fail in a row before the subscription ends.
const MAX_FAILURES: u32 = 10;

/// The maximum number of subscriptions of one agent.
const MAX_SUBSCRIPTIONS: usize = 1_000;

const MAX_SECRET: usize = 1_024;

/// A subscription to create.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct NewSubscription {
    event_type: EventType,
    webhook_url: String,
    /// The secret that signs every post; without it, posts are not signed.
    secret: Option<String>,
    /// Limits the subscription to events whose data has all of these values.
    filters: Option<Object>,
}

/// A subscription, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Subscription")]
pub(crate) struct SubscriptionReply {
    id: Uuid,
    agent_id: Uuid,
    event_type: EventType,
    webhook_url: String,
    filters: Object,
    has_secret: bool,
    /// False once ten deliveries in a row have failed.
    is_active: bool,
    /// The number of deliveries that have failed since the last success.
    failure_count: u32,
    created_at: Time,
}

/// A subscription that was deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Unsubscribed {
    id: Uuid,
    /// Always `"deleted"`.
    status: &'static str,
}

impl From<&Subscription> for SubscriptionReply {
    fn from(subscription: &Subscription) -> Self {
        Self {
            id: subscription.id,
            agent_id: subscription.agent_id,
            event_type: subscription.event_type,
            webhook_url: subscription.webhook_url.clone(),
            filters: subscription.filters.clone(),
            has_secret: subscription.secret.is_some(),
            is_active: subscription.is_active,
            failure_count: subscription.failure_count,
            created_at: subscription.created_at,
        }
    }
}

impl Machins {
    pub(crate) fn subscribe(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        new: NewSubscription,
    ) -> Result<SubscriptionReply> {
        input::url("webhook_url", Some(&new.webhook_url))?;
        input::text("secret", new.secret.as_deref(), MAX_SECRET)?;
        input::object("filters", new.filters.as_ref())?;
        let own =
            self.subscriptions.values().filter(|subscription| subscription.agent_id == caller);
        if own.count() >= MAX_SUBSCRIPTIONS {
            let message = format!("an agent has at most {MAX_SUBSCRIPTIONS} subscriptions");
            return Err(Error::validation(message));
        }
        let subscription = Subscription {
            id: cx.random.uuid(),
            agent_id: caller,
            event_type: new.event_type,
            webhook_url: new.webhook_url,
            filters: new.filters.unwrap_or_default(),
            secret: new.secret.filter(|secret| !secret.is_empty()).map(Secret),
            is_active: true,
            failure_count: 0,
            created_at: cx.now,
        };
        let reply = SubscriptionReply::from(&subscription);
        self.subscriptions.insert(subscription.id, subscription);
        Ok(reply)
    }

    /// Returns all subscriptions of the caller, oldest first.
    pub(crate) fn own_subscriptions(&self, caller: Uuid) -> Vec<SubscriptionReply> {
        let own =
            self.subscriptions.values().filter(|subscription| subscription.agent_id == caller);
        own.map(SubscriptionReply::from).collect()
    }

    pub(crate) fn unsubscribe(&mut self, caller: Uuid, id: &str) -> Result<Unsubscribed> {
        let subscription = id.parse().ok().and_then(|id: Uuid| self.subscriptions.get(&id));
        let subscription = subscription.ok_or_else(|| Error::not_found("subscription"))?;
        if subscription.agent_id != caller {
            return Err(Error::forbidden("the subscription belongs to another agent"));
        }
        let id = subscription.id;
        self.subscriptions.shift_remove(&id);
        Ok(Unsubscribed { id, status: "deleted" })
    }

    /// Returns the number of deliveries that have failed since the last success; `None` if the
    /// subscription has ended.
    pub(crate) fn failures(&self, id: Uuid) -> Option<u32> {
        let subscription =
            self.subscriptions.get(&id).filter(|subscription| subscription.is_active)?;
        Some(subscription.failure_count)
    }

    /// Counts the result of a delivery: ten failures in a row end the subscription.
    pub(crate) fn delivered(&mut self, id: Uuid, success: bool) {
        if let Some(subscription) = self.subscriptions.get_mut(&id) {
            subscription.failure_count =
                if success { 0 } else { subscription.failure_count.saturating_add(1) };
            subscription.is_active =
                subscription.is_active && subscription.failure_count < MAX_FAILURES;
        }
    }
}
