//! The faults that a server holds, and which of them hits a request.

use std::time::Duration;

use http::{HeaderValue, Method};
use schemars::JsonSchema;
use serde::Serialize;

use super::definition::{Fault, Kind, MAX_FAULT_DELAY};
use crate::glob::{Glob, InvalidGlob};
use crate::random::{Random, Seed};

/// The maximum number of faults that one server holds at a time.
pub const MAX_FAULTS: usize = 1000;

/// The reason why a [`Fault`] was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The status of a `status` fault is not from 200 to 599.
    #[error("the status of a fault must be from 200 to 599, not {0}")]
    Status(u16),
    /// The time of a `delay` or `slow_body` fault, in milliseconds, exceeds [`MAX_FAULT_DELAY`].
    #[error("a fault must take at most 600000 milliseconds, not {0}")]
    TooLong(u64),
    /// The fault is limited to 0 times, so it would never happen.
    #[error("a fault must happen at least once: leave out `times` for a fault that does not end")]
    Never,
    /// The probability is not a number from 0 to 1.
    #[error("a probability must be from 0 to 1")]
    Probability,
    /// The method is not a valid HTTP method.
    #[error("`{0}` is no HTTP method")]
    Method(String),
    /// The path is not a valid glob.
    #[error(transparent)]
    Path(#[from] InvalidGlob),
    /// The `Retry-After` value is not a valid header value.
    #[error("Retry-After must be a number of seconds or an HTTP date")]
    RetryAfter,
    /// The server already holds [`MAX_FAULTS`] faults.
    #[error("there are already {MAX_FAULTS} faults")]
    TooMany,
}

/// A fault that a server holds, with the number of requests it has hit.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ActiveFault {
    /// The id of the fault, unique within its server.
    pub id: u64,
    /// The number of requests that the fault has hit.
    pub hits: u64,
    /// The fault as it was added.
    #[serde(flatten)]
    pub fault: Fault,
    #[serde(skip)]
    method: Option<Method>,
    #[serde(skip)]
    path: Option<Glob>,
}

/// The faults of one server, in the order in which they were added.
#[derive(Debug)]
pub(crate) struct Faults {
    active: Vec<ActiveFault>,
    next_id: u64,
    random: Random,
}

impl Faults {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { active: Vec::new(), next_id: 1, random: seed.derive(&["faults"]).random() }
    }

    pub(crate) fn add(&mut self, fault: Fault) -> Result<&ActiveFault, FaultError> {
        if self.active.len() >= MAX_FAULTS {
            return Err(FaultError::TooMany);
        }
        let id = self.next_id;
        let active = ActiveFault::new(id, fault)?;
        self.next_id += 1;
        self.active.push(active);
        self.active.last().ok_or(FaultError::TooMany)
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.active.retain(|active| active.id != id);
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    pub(crate) fn all(&self) -> &[ActiveFault] {
        &self.active
    }

    /// Returns the fault that hits this request, if any, and counts the hit.
    pub(crate) fn hit(&mut self, method: &Method, path: &str) -> Option<Fault> {
        let random = &mut self.random;
        let hit = self.active.iter_mut().find(|active| {
            active.matches(method, path) && random.happens(active.fault.probability)
        })?;
        hit.hits += 1;
        Some(hit.fault.clone())
    }
}

impl ActiveFault {
    fn new(id: u64, fault: Fault) -> Result<Self, FaultError> {
        if !(0.0..=1.0).contains(&fault.probability) {
            return Err(FaultError::Probability);
        }
        if fault.times == Some(0) {
            return Err(FaultError::Never);
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
            Kind::Delay { millis } | Kind::SlowBody { millis }
                if Duration::from_millis(*millis) > MAX_FAULT_DELAY =>
            {
                return Err(FaultError::TooLong(*millis));
            }
            _ => {}
        }
        let method = fault.matching.method.as_deref().map(|method| {
            let error = || FaultError::Method(method.to_owned());
            Method::try_from(method.to_ascii_uppercase().as_str()).map_err(|_| error())
        });
        let path = fault.matching.path.as_deref().map(Glob::new);
        Ok(Self { id, hits: 0, method: method.transpose()?, path: path.transpose()?, fault })
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        self.fault.times.is_none_or(|times| self.hits < times)
            && self.method.as_ref().is_none_or(|expected| expected == method)
            && self.path.as_ref().is_none_or(|glob| glob.matches(path))
    }
}
