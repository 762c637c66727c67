//! For how long the caller has been silent.

use std::time::{Duration, Instant};

/// The longest time between two of the keeper's wakes, and the most that one counts for.
pub(super) const WAKE: Duration = Duration::from_millis(500);

/// Measures the caller's silence in the keeper's own wakes.
///
/// Where the keeper itself has not run for longer, neither has the caller perhaps: the machine is
/// overloaded, or the container was paused. That time does not count.
#[derive(Debug)]
pub(super) struct Heartbeat {
    limit: Duration,
    silence: Duration,
    last_wake: Instant,
}

impl Heartbeat {
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, silence: Duration::ZERO, last_wake: now }
    }

    /// Counts the time since the last wake.
    pub(super) fn wake(&mut self, now: Instant) {
        self.silence += now.saturating_duration_since(self.last_wake).min(WAKE);
        self.last_wake = now;
    }

    /// The caller has been heard.
    pub(super) fn beat(&mut self) {
        self.silence = Duration::ZERO;
    }

    pub(super) fn is_missed(&self) -> bool {
        self.silence > self.limit
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::just_within_the_limit(&[500, 500, 500, 500], false)]
    #[case::beyond_the_limit(&[500, 500, 500, 500, 1], true)]
    #[case::many_short_wakes(&[100; 21], true)]
    #[case::paused_for_an_hour(&[500, 3_600_000, 500], false)]
    #[case::overloaded(&[10_000, 10_000, 10_000, 10_000], false)]
    #[case::overloaded_and_silent(&[10_000, 10_000, 10_000, 10_000, 10_000], true)]
    fn silence_is_counted_in_wakes(#[case] wakes: &[u64], #[case] missed: bool) {
        let mut now = Instant::now();
        let mut heartbeat = Heartbeat::new(Duration::from_secs(2), now);
        for wake in wakes {
            now += Duration::from_millis(*wake);
            heartbeat.wake(now);
        }
        assert_eq!(heartbeat.is_missed(), missed);
        heartbeat.beat();
        assert!(!heartbeat.is_missed());
    }
}
