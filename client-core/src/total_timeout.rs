//! A time limit of everything that a program waits for.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A time limit that all calls of one or several clients share: it begins with the first of them.
/// Meant for the command line.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct TotalTimeout {
    limit: Duration,
    start: Arc<OnceLock<Instant>>,
}

impl TotalTimeout {
    /// Creates a time limit that has not begun.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit, start: Arc::default() }
    }

    /// Returns what is left of it for a call that begins now.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        let start = *self.start.get_or_init(|| now);
        self.limit.saturating_sub(now.saturating_duration_since(start))
    }
}
