//! The faults that a server holds, and which of them hits a request.

use std::time::Duration;

use http::HeaderValue;
use schemars::JsonSchema;
use serde::Serialize;

use super::definition::{Fault, Kind, MAX_FAULT_DELAY, Target};
use crate::conditions::{Candidate, ConditionsError, Matcher, Purpose};
use crate::random::{Random, Seed};
use crate::raw_json::depth;

/// The maximum number of faults that one server holds at a time on requests, and on webhooks.
pub const MAX_FAULTS: usize = 1000;

/// The largest body of a `status` fault, in bytes of JSON.
const MAX_BODY: usize = 64 * 1024;

/// How deep the body of a `status` fault may be nested.
const MAX_DEPTH: usize = 64;

/// The reason why a [`Fault`] was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The status of a `status` fault is not from 200 to 599.
    #[error("`status`: must be from 200 to 599, not {0}")]
    Status(u16),
    /// The time of a `delay` or `slow_body` fault, in milliseconds, exceeds [`MAX_FAULT_DELAY`].
    #[error("`millis`: must be at most 600000, not {0}")]
    TooLong(u64),
    /// The fault is limited to 0 times, so it would never happen.
    #[error("`times`: must be at least 1; leave it out for a fault that does not end")]
    Never,
    /// The probability is not a number from 0 to 1.
    #[error("`probability`: must be from 0 to 1")]
    Probability,
    /// The kind of fault cannot hit what the fault is about, a request or a webhook.
    #[error("`kind`: {0} is for {1}s; set `on` to {1}")]
    Kind(&'static str, &'static str),
    /// The body of a `status` fault is larger than 64 KiB, or nested more than 64 deep.
    #[error("`body`: must be at most {MAX_BODY} bytes of JSON, nested at most {MAX_DEPTH} deep")]
    Body,
    /// The conditions are not valid.
    #[error(transparent)]
    Conditions(#[from] ConditionsError),
    /// The `Retry-After` value is not a valid header value.
    #[error("`retry_after`: must be a number of seconds or an HTTP date")]
    RetryAfter,
    /// The server already holds [`MAX_FAULTS`] faults.
    #[error("there are already {MAX_FAULTS} faults")]
    TooMany,
}

/// A fault that a server holds, with the number of requests or webhooks it has hit.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ActiveFault {
    /// The id of the fault, unique within its server.
    pub id: u64,
    /// The number of requests or webhooks that the fault has hit.
    pub hits: u64,
    /// The fault as it was added.
    #[serde(flatten)]
    pub fault: Fault,
    /// The number of matches that were let through so far.
    #[serde(skip)]
    passed: u64,
    #[serde(skip)]
    matcher: Matcher,
}

/// The faults of one world that hit requests, or those that hit webhooks, in the order in which
/// they were added.
#[derive(Debug)]
pub(crate) struct Faults {
    active: Vec<ActiveFault>,
    random: Random,
}

impl Faults {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { active: Vec::new(), random: seed.derive(&["faults"]).random() }
    }

    pub(crate) fn add(&mut self, fault: ActiveFault) -> Result<(), FaultError> {
        if self.active.len() >= MAX_FAULTS {
            return Err(FaultError::TooMany);
        }
        self.active.push(fault);
        Ok(())
    }

    /// Removes a fault; returns false if there is none with this id.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.active.len();
        self.active.retain(|active| active.id != id);
        self.active.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    pub(crate) fn all(&self) -> &[ActiveFault] {
        &self.active
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Returns the fault that hits a request or a webhook, if any, and counts the hit.
    pub(crate) fn hit(&mut self, candidate: &Candidate<'_>) -> Option<Fault> {
        let random = &mut self.random;
        let hit = self.active.iter_mut().find_map(|active| {
            let is_over = active.fault.times.is_some_and(|times| active.hits >= times);
            if is_over || !active.matcher.matches(candidate) {
                return None;
            }
            if active.passed < active.fault.after {
                active.passed += 1;
                return None;
            }
            random.happens(active.fault.probability).then_some(active)
        })?;
        hit.hits += 1;
        Some(hit.fault.clone())
    }
}

impl ActiveFault {
    pub(crate) fn new(id: u64, fault: Fault) -> Result<Self, FaultError> {
        if !(0.0..=1.0).contains(&fault.probability) {
            return Err(FaultError::Probability);
        }
        if fault.times == Some(0) {
            return Err(FaultError::Never);
        }
        match (fault.on, &fault.kind) {
            (
                Target::Request,
                Kind::Duplicate | Kind::Drop | Kind::Reorder { .. } | Kind::BadSignature,
            ) => return Err(FaultError::Kind(fault.kind(), "webhook")),
            (
                Target::Webhook,
                Kind::Status { .. }
                | Kind::DropBefore
                | Kind::DropAfter
                | Kind::Truncate
                | Kind::Garbage
                | Kind::SlowBody { .. },
            ) => return Err(FaultError::Kind(fault.kind(), "request")),
            _ => {}
        }
        match &fault.kind {
            Kind::Status { status, .. } if !(200..=599).contains(status) => {
                return Err(FaultError::Status(*status));
            }
            Kind::Status { retry_after: Some(value), .. }
                if HeaderValue::try_from(value.to_string()).is_err() =>
            {
                return Err(FaultError::RetryAfter);
            }
            Kind::Status { body: Some(body), .. }
                if body.as_str().len() > MAX_BODY || depth(body.as_str()) > MAX_DEPTH =>
            {
                return Err(FaultError::Body);
            }
            Kind::Delay { millis } | Kind::SlowBody { millis } | Kind::Reorder { millis }
                if Duration::from_millis(*millis) > MAX_FAULT_DELAY =>
            {
                return Err(FaultError::TooLong(*millis));
            }
            _ => {}
        }
        let purpose = match fault.on {
            Target::Request => Purpose::RequestFault,
            Target::Webhook => Purpose::WebhookFault,
        };
        let matcher = Matcher::new(fault.conditions.clone(), purpose)?;
        Ok(Self { id, hits: 0, fault, passed: 0, matcher })
    }
}
