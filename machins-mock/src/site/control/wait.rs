//! Waiting for requests and webhooks.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::Conditions;
use crate::http::{Output, Problem, Responses, json};

/// The longest wait, in milliseconds.
const MAX_WAIT: u64 = 600_000;

/// The HTTP status of a wait that was in vain.
const TIMEOUT: u16 = 408;

/// How many of those that came instead are listed.
const LISTED: usize = 50;

/// What to wait for.
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "Wait")]
pub(super) struct WaitBody {
    /// The conditions that must be met.
    #[serde(rename = "match")]
    pub(super) conditions: Conditions,
    /// How many must match; those that came before the call count.
    #[schemars(range(min = 1, max = 10_000))]
    count: usize,
    /// Only those after this `seq` or `n` count.
    pub(super) since: u64,
    /// How long to wait, in milliseconds.
    #[schemars(range(min = 0, max = 600_000))]
    timeout_ms: u64,
}

impl Default for WaitBody {
    fn default() -> Self {
        Self { conditions: Conditions::default(), count: 1, since: 0, timeout_ms: 5000 }
    }
}

impl WaitBody {
    pub(super) fn count(&self) -> Result<usize, Problem> {
        match self.count {
            1..=10_000 => Ok(self.count),
            _ => Err(Problem::field("count", "must be from 1 to 10000")),
        }
    }

    pub(super) fn timeout(&self) -> Result<Duration, Problem> {
        match self.timeout_ms {
            0..=MAX_WAIT => Ok(Duration::from_millis(self.timeout_ms)),
            _ => Err(Problem::field("timeout_ms", format_args!("must be from 0 to {MAX_WAIT}"))),
        }
    }
}

/// The refusal of a wait: its request was wrong, or it was in vain.
pub(super) enum Unmet<T> {
    Problem(Problem),
    Timeout(Timeout<T>),
}

/// A wait that was in vain.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Timeout_{T}")]
pub(super) struct Timeout<T> {
    /// Always `"error"`.
    status: &'static str,
    /// Always `"TIMEOUT"`.
    code: &'static str,
    /// A message, for people.
    detail: String,
    /// Those that matched, which were too few.
    matched: Vec<T>,
    /// Those that came instead, the newest 50, oldest first.
    others: Vec<T>,
}

impl<T> Timeout<T> {
    pub(super) fn new(noun: &str, count: usize, matched: Vec<T>, mut others: Vec<T>) -> Self {
        let came = others.len();
        others.drain(..came.saturating_sub(LISTED));
        let detail = format!(
            "{} of {count} expected {noun} matched within the time; {came} others came instead",
            matched.len(),
        );
        Self { status: "error", code: "TIMEOUT", detail, matched, others }
    }
}

impl<T, E: Into<Problem>> From<E> for Unmet<T> {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

impl<T: Serialize> IntoResponse for Unmet<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Timeout(timeout) => json(TIMEOUT, &timeout),
        }
    }
}

impl<T: Serialize + JsonSchema> Output for Unmet<T> {
    fn describe(responses: &mut Responses<'_>) {
        responses.add::<Timeout<T>>(TIMEOUT);
        Problem::describe(responses);
    }
}
