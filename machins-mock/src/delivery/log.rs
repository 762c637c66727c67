//! The results of webhooks.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Serialize;

use crate::machins::Webhook;

/// The maximum number of webhook attempts that a server remembers; it forgets older ones.
pub const MAX_WEBHOOKS: usize = 10_000;

/// The maximum number of events that wait for one webhook subscription; further events are dropped
/// and logged as dropped.
pub const MAX_QUEUED: usize = 10_000;

/// An attempt to post a webhook, or a webhook that was dropped because too many were waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct WebhookAttempt {
    /// The type of the event, such as `trade_proposed`.
    pub event: &'static str,
    /// The id of the subscription that the webhook is for.
    pub subscription_id: String,
    /// The URL that the webhook is posted to.
    pub url: String,
    /// The HTTP status of the answer; `None` (null in JSON) if there was no answer.
    pub status: Option<u16>,
    /// The attempt number since the last successful delivery, starting at 1; 0 if the webhook was
    /// dropped. After attempt 10 fails, the subscription ends.
    pub attempt: u32,
    /// The value of the `X-Machins-Signature` header; `None` (null in JSON) if the subscription has
    /// no secret.
    pub signature: Option<String>,
    /// The reason why there was no answer; `None` (null in JSON) if there was one.
    pub error: Option<String>,
}

impl WebhookAttempt {
    pub(super) fn new(webhook: &Webhook, attempt: u32, result: Result<u16, String>) -> Self {
        Self {
            event: webhook.event_type.as_str(),
            subscription_id: webhook.subscription_id.to_string(),
            url: webhook.url.clone(),
            status: result.as_ref().ok().copied(),
            attempt,
            signature: webhook.signature.clone(),
            error: result.err(),
        }
    }

    /// Returns the record of a webhook that was never sent, because its queue was full.
    pub(super) fn dropped(webhook: &Webhook) -> Self {
        let reason =
            format!("not sent: {MAX_QUEUED} events were already waiting for the subscription");
        Self::new(webhook, 0, Err(reason))
    }
}

#[derive(Debug, Default)]
pub(super) struct Log(VecDeque<WebhookAttempt>);

impl Log {
    pub(super) fn add(&mut self, attempt: WebhookAttempt) {
        if self.0.len() >= MAX_WEBHOOKS {
            self.0.pop_front();
        }
        self.0.push_back(attempt);
    }

    pub(super) fn attempts(&self) -> Vec<WebhookAttempt> {
        self.0.iter().cloned().collect()
    }
}
