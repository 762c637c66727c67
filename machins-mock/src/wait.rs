//! Waiting for requests and webhooks in Rust.

use std::fmt::Display;

use crate::conditions::ConditionsError;

/// How many of those that came instead a message lists.
const LISTED: usize = 20;

/// The reason why a wait for requests or webhooks was in vain.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The conditions are not valid.
    #[error(transparent)]
    Conditions(#[from] ConditionsError),
    /// Too few matched within the time. The message lists what came instead.
    #[error("{matched} of {expected} expected {noun} matched within the time; instead came{came}")]
    Timeout {
        /// What was waited for: `requests` or `webhooks`.
        noun: &'static str,
        /// The number that matched.
        matched: usize,
        /// The number that was waited for.
        expected: usize,
        /// The newest of those that came instead, one on each line, or `nothing`.
        came: String,
    },
}

impl WaitError {
    pub(crate) fn timeout<T: Display>(
        noun: &'static str,
        matched: usize,
        expected: usize,
        others: &[T],
    ) -> Self {
        let newest = &others[others.len().saturating_sub(LISTED)..];
        let lines: Vec<_> = newest.iter().map(ToString::to_string).collect();
        let came = match &lines[..] {
            [] => " nothing".to_owned(),
            lines => format!(":\n  {}", lines.join("\n  ")),
        };
        Self::Timeout { noun, matched, expected, came }
    }
}
