//! What became of the posts.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Serialize;

use super::client::PostError;
use crate::machins::Webhook;

/// The most attempts that a server remembers; older ones are forgotten.
pub const MAX_WEBHOOKS: usize = 10_000;

/// The most events that wait for one webhook subscription; further ones are dropped.
pub const MAX_QUEUED: usize = 10_000;

/// A webhook that was posted, or was to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct WebhookAttempt {
    /// The event's type.
    pub event: &'static str,
    /// Which subscription it was for.
    pub subscription_id: String,
    /// Where it was posted.
    pub url: String,
    /// The answer's HTTP status; none if there was no answer.
    pub status: Option<u16>,
    /// The how-manieth it was since the subscription's last success: 10 is the last. 0 if it was
    /// never sent.
    pub attempt: u32,
    /// The `X-Machins-Signature` header; none without a secret.
    pub signature: Option<String>,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl WebhookAttempt {
    pub(super) fn new(webhook: &Webhook, attempt: u32, result: &Result<u16, PostError>) -> Self {
        Self {
            event: webhook.event_type.as_str(),
            subscription_id: webhook.subscription_id.to_string(),
            url: webhook.url.clone(),
            status: result.as_ref().ok().copied(),
            attempt,
            signature: webhook.signature.clone(),
            error: result.as_ref().err().map(ToString::to_string),
        }
    }

    /// Returns the record of a webhook that was never sent, because its queue was full.
    pub(super) fn dropped(webhook: &Webhook) -> Self {
        let error =
            format!("not sent: {MAX_QUEUED} events were waiting for the subscription already");
        Self { status: None, attempt: 0, error: Some(error), ..Self::new(webhook, 0, &Ok(0)) }
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
