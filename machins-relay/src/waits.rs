//! Waiting before something is tried again.

use std::time::Duration;

use machins_client::CancellationToken;

/// The first and the longest wait before something is tried again.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Growing waits between tries.
pub(crate) struct Waits {
    next: Duration,
    longest: Duration,
}

impl Waits {
    pub(crate) fn new() -> Self {
        Self::between((FIRST_WAIT, LONGEST_WAIT))
    }

    pub(crate) fn between((next, longest): (Duration, Duration)) -> Self {
        Self { next, longest }
    }

    /// Waits before the next try. Returns false if it is stopped.
    pub(crate) async fn wait(&mut self, stop: &CancellationToken) -> bool {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(self.longest);
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }
}
