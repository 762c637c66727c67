//! The requests that a test expects.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use crate::conditions::{Candidate, Conditions, ConditionsError, Matcher, Purpose};
use crate::journal::RequestRecord;

/// How many of the received requests an error lists.
const LISTED: usize = 50;

/// A number of requests that a test expects.
#[derive(Debug)]
pub(crate) struct Expectation {
    /// The conditions in words.
    words: String,
    matcher: Result<Matcher, ConditionsError>,
    times: (Bound<u64>, Bound<u64>),
    received_count: u64,
    /// The number of the last request before the expectation.
    since: u64,
}

/// An error: expectations were not met. Its message lists what was expected and which requests were
/// received instead, since the first of these expectations was added.
#[derive(Debug, Clone, thiserror::Error)]
pub struct UnmetExpectations {
    expected: Vec<String>,
    received: Vec<String>,
    more: usize,
}

impl Expectation {
    /// Creates an expectation of requests after the one with the number `since`.
    pub(crate) fn new(conditions: Conditions, times: &impl RangeBounds<u64>, since: u64) -> Self {
        Self {
            words: conditions.to_string(),
            matcher: Matcher::new(conditions, Purpose::Expectation),
            times: (times.start_bound().cloned(), times.end_bound().cloned()),
            received_count: 0,
            since,
        }
    }

    pub(crate) fn count(&mut self, candidate: &Candidate<'_>) {
        if self.matcher.as_ref().is_ok_and(|matcher| matcher.matches(candidate)) {
            self.received_count += 1;
        }
    }

    fn is_met(&self) -> bool {
        self.matcher.is_ok() && self.times.contains(&self.received_count)
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Err(error) = &self.matcher {
            return write!(f, "{}: {error}", self.words);
        }
        let first = match self.times.0 {
            Bound::Included(first) => first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let last = match self.times.1 {
            Bound::Included(last) => Some(last),
            Bound::Excluded(after) => Some(after.saturating_sub(1)),
            Bound::Unbounded => None,
        };
        write!(f, "{}: ", self.words)?;
        match last {
            Some(last) if last == first => write!(f, "{first} times")?,
            Some(last) => write!(f, "{first} to {last} times")?,
            None => write!(f, "{first} times or more")?,
        }
        write!(f, ", received {}", self.received_count)
    }
}

/// Returns the expectations that are not met, or `None` if all are.
pub(crate) fn unmet(
    expectations: &[Expectation],
    received: impl Iterator<Item = RequestRecord>,
) -> Option<UnmetExpectations> {
    let unmet = || expectations.iter().filter(|expectation| !expectation.is_met());
    let since = unmet().map(|expectation| expectation.since).min()?;
    let expected = unmet().map(ToString::to_string).collect();
    let mut received: Vec<_> =
        received.filter(|request| request.seq > since).map(|request| request.to_string()).collect();
    let more = received.len().saturating_sub(LISTED);
    received.drain(..more);
    Some(UnmetExpectations { expected, received, more })
}

impl fmt::Display for UnmetExpectations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mock server did not receive the expected requests\nexpected:")?;
        for line in &self.expected {
            write!(f, "\n  {line}")?;
        }
        write!(f, "\nreceived:")?;
        match self.more {
            0 => {}
            more => write!(f, "\n  ({more} earlier ones)")?,
        }
        if self.received.is_empty() {
            write!(f, "\n  nothing")?;
        }
        for line in &self.received {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}
