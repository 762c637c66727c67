//! The results of webhooks and verifications.

use std::collections::VecDeque;
use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Method, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::clock::Time;
use crate::conditions::{Candidate, Matcher};
use crate::journal::shown_body;
use crate::machins::Webhook;
use crate::raw_json::RawJson;
use crate::search::contains;

/// The maximum number of webhook attempts that a server remembers; it forgets older ones.
pub const MAX_WEBHOOKS: usize = 10_000;

/// The maximum number of events that wait for one webhook subscription; further events are dropped
/// and logged as dropped.
pub const MAX_QUEUED: usize = 10_000;

/// The maximum size of all bodies that are remembered, in bytes.
const MAX_SIZE: usize = 64 * 1024 * 1024;

/// The event of a verification.
const VERIFICATION: &str = "verification";

/// An attempt to post a webhook or a verification, or a webhook that was not sent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct WebhookAttempt {
    /// The number of the attempt, which is never repeated in a world.
    pub n: u64,
    /// The type of the event, such as `trade_proposed`; `verification` for the verification of a
    /// delivery.
    pub event: &'static str,
    /// The id of the subscription that the webhook is for; `None` (null in JSON) for a
    /// verification.
    pub subscription_id: Option<String>,
    /// The slug of the agent that receives the webhook or whose delivery is verified.
    pub agent: Option<String>,
    /// The URL that is posted to.
    pub url: String,
    /// The body that is posted, with keys and passwords masked.
    pub body: Option<RawJson>,
    /// The virtual time at which the post began, or at which it was dropped.
    #[serde(serialize_with = "time")]
    #[schemars(with = "Time")]
    pub sent_at: SystemTime,
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
    /// The kind of the fault that hit the webhook; `None` (null in JSON) if none did.
    pub fault: Option<&'static str>,
    /// The number of the attempt that this one repeats by request; `None` (null in JSON) if it
    /// repeats none.
    pub resend_of: Option<u64>,
}

/// One line for people: the event, the URL, the status, and which fault hit the webhook.
impl fmt::Display for WebhookAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} → ", self.event, self.url)?;
        match (self.status, &self.error) {
            (Some(status), _) => write!(f, "{status}")?,
            (None, error) => f.write_str(error.as_deref().unwrap_or("no answer"))?,
        }
        match self.fault {
            Some(fault) => write!(f, " (fault: {fault})"),
            None => Ok(()),
        }
    }
}

fn time<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    Time::try_from(*time).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

/// A post to another server.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) event: &'static str,
    pub(super) subscription_id: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) url: String,
    pub(super) body: Bytes,
    pub(super) signature: Option<String>,
}

/// A post with its result.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) post: Post,
    pub(super) sent_at: Time,
    pub(super) number: u32,
    pub(super) result: Result<u16, String>,
    pub(super) fault: Option<&'static str>,
    pub(super) resend_of: Option<u64>,
}

/// Which attempts are returned.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct WebhooksQuery {
    /// Returns only attempts after the one with this `n`.
    since: Option<u64>,
    /// Returns only attempts before the one with this `n`.
    before: Option<u64>,
    /// The type of the event.
    event: Option<String>,
    /// Returns only attempts without an answer below 400, or only the others.
    failed: Option<bool>,
    /// The id of the subscription.
    subscription: Option<String>,
    /// Text to find in the URL, the agent or the body, ignoring the case of ASCII letters.
    search: Option<String>,
    /// The maximum number of attempts: with `since` the oldest, otherwise the newest.
    #[schemars(range(min = 1))]
    limit: Option<usize>,
}

/// The attempts of one world, oldest first.
#[derive(Debug, Default)]
pub(super) struct Log {
    attempts: VecDeque<(u64, Attempt)>,
    last: u64,
    size: usize,
}

impl Post {
    pub(super) fn webhook(webhook: &Webhook) -> Self {
        Self {
            event: webhook.event_type.as_str(),
            subscription_id: Some(webhook.subscription_id.to_string()),
            agent: Some(webhook.agent_slug.clone()),
            url: webhook.url.clone(),
            body: webhook.body.clone(),
            signature: webhook.signature.clone(),
        }
    }

    pub(super) fn verification(url: String, body: Bytes, agent: String) -> Self {
        let agent = Some(agent);
        Self { event: VERIFICATION, subscription_id: None, agent, url, body, signature: None }
    }

    /// Calls a function with what conditions are compared with.
    pub(super) fn compare<T>(
        &self,
        status: Option<u16>,
        compare: impl FnOnce(&Candidate<'_>) -> T,
    ) -> T {
        let uri = self.url.parse::<Uri>().unwrap_or_default();
        compare(&Candidate {
            method: &Method::POST,
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            body: &self.body,
            agent: self.agent.as_deref(),
            status,
            event: Some(self.event),
            has_header: &|_, _| false,
        })
    }
}

impl Attempt {
    /// Returns whether the post failed: there was no answer, or one from 400.
    fn is_failed(&self) -> bool {
        self.result.as_ref().map_or(true, |status| *status >= 400)
    }

    fn meets(&self, query: &WebhooksQuery) -> bool {
        let WebhooksQuery { event, failed, subscription, search, .. } = query;
        let texts = [self.post.url.as_bytes(), &self.post.body];
        let agent = self.post.agent.as_deref().map(str::as_bytes);
        event.as_deref().is_none_or(|event| event == self.post.event)
            && failed.is_none_or(|failed| failed == self.is_failed())
            && subscription.as_ref().is_none_or(|_| *subscription == self.post.subscription_id)
            && search.as_deref().is_none_or(|searched| {
                texts.into_iter().chain(agent).any(|text| contains(text, searched))
            })
    }

    fn record(&self, n: u64) -> WebhookAttempt {
        let Post { event, subscription_id, agent, url, body, signature } = self.post.clone();
        WebhookAttempt {
            n,
            event,
            subscription_id,
            agent,
            url,
            body: shown_body(&body),
            sent_at: self.sent_at.into(),
            status: self.result.as_ref().ok().copied(),
            attempt: self.number,
            signature,
            error: self.result.as_ref().err().cloned(),
            fault: self.fault,
            resend_of: self.resend_of,
        }
    }
}

impl Log {
    /// Adds an attempt, and returns it as it is shown.
    pub(super) fn add(&mut self, attempt: Attempt) -> u64 {
        self.last += 1;
        self.size += attempt.post.body.len();
        self.attempts.push_back((self.last, attempt));
        while self.attempts.len() > MAX_WEBHOOKS
            || (self.size > MAX_SIZE && self.attempts.len() > 1)
        {
            if let Some((_, attempt)) = self.attempts.pop_front() {
                self.size -= attempt.post.body.len();
            }
        }
        self.last
    }

    pub(super) fn clear(&mut self) {
        self.attempts.clear();
        self.size = 0;
    }

    pub(super) fn get(&self, n: u64) -> Option<&Attempt> {
        let index = self.attempts.binary_search_by_key(&n, |(number, _)| *number).ok()?;
        self.attempts.get(index).map(|(_, attempt)| attempt)
    }

    pub(super) fn shown(&self, n: u64) -> Option<WebhookAttempt> {
        self.get(n).map(|attempt| attempt.record(n))
    }

    pub(super) fn all(&self) -> Vec<WebhookAttempt> {
        self.attempts.iter().map(|(n, attempt)| attempt.record(*n)).collect()
    }

    pub(super) fn find(&self, query: &WebhooksQuery) -> Vec<WebhookAttempt> {
        let WebhooksQuery { since, before, limit, .. } = *query;
        let after = self.attempts.iter().filter(|(n, attempt)| {
            since.is_none_or(|since| *n > since)
                && before.is_none_or(|before| *n < before)
                && attempt.meets(query)
        });
        let mut found: Vec<_> = after.collect();
        if let Some(limit) = limit.filter(|limit| *limit < found.len()) {
            if since.is_some() {
                found.truncate(limit);
            } else {
                found.drain(..found.len() - limit);
            }
        }
        found.into_iter().map(|(n, attempt)| attempt.record(*n)).collect()
    }

    /// Returns the attempts after this one that match, and the others.
    pub(super) fn sort(
        &self,
        matcher: &Matcher,
        since: u64,
    ) -> (Vec<WebhookAttempt>, Vec<WebhookAttempt>) {
        let after = self.attempts.iter().filter(|(n, _)| *n > since);
        let meets = |attempt: &Attempt| {
            let status = attempt.result.as_ref().ok().copied();
            attempt.post.compare(status, |candidate| matcher.matches(candidate))
        };
        let (found, others): (Vec<_>, Vec<_>) = after.partition(|(_, attempt)| meets(attempt));
        let record = |attempts: Vec<&(u64, Attempt)>| {
            attempts.into_iter().map(|(n, attempt)| attempt.record(*n)).collect()
        };
        (record(found), record(others))
    }

    /// Returns the number of attempts, and how many of them failed.
    pub(super) fn count(&self) -> (usize, usize) {
        let failed = self.attempts.iter().filter(|(_, attempt)| attempt.is_failed());
        (self.attempts.len(), failed.count())
    }

    /// Returns the number of the last attempt.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Returns the numbers of the attempts after this one that match, in order.
    pub(super) fn matching(&self, matcher: &Matcher, since: u64) -> Vec<u64> {
        let first = self.attempts.partition_point(|(n, _)| *n <= since);
        let matching = self.attempts.range(first..).filter(|(_, attempt)| {
            let status = attempt.result.as_ref().ok().copied();
            attempt.post.compare(status, |candidate| matcher.matches(candidate))
        });
        matching.map(|(n, _)| *n).collect()
    }
}
