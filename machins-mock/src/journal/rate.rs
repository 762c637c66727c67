//! How many requests came in each of the last seconds.

use std::time::Instant;

/// How many seconds are counted.
const SECONDS: usize = 60;

/// The number of requests in each of the last seconds of real time.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// The time from which seconds are counted; `None` before the first request.
    start: Option<Instant>,
    /// The second of the last request.
    second: u64,
    /// The counts, each at the place of its second modulo their number.
    counts: Vec<u32>,
}

impl Rate {
    pub(super) fn count(&mut self, now: Instant) {
        self.go_to(now);
        let at = place(self.second);
        self.counts[at] = self.counts[at].saturating_add(1);
    }

    /// Empties the seconds since the last request.
    fn go_to(&mut self, now: Instant) {
        let start = *self.start.get_or_insert(now);
        self.counts.resize(SECONDS, 0);
        let second = now.saturating_duration_since(start).as_secs();
        let passed = second.saturating_sub(self.second).min(SECONDS as u64);
        for back in 0..passed {
            self.counts[place(second - back)] = 0;
        }
        self.second = self.second.max(second);
    }

    /// Returns the counts of the last seconds, the oldest first.
    pub(super) fn per_second(&self, now: Instant) -> Vec<u32> {
        let Some(start) = self.start else {
            return vec![0; SECONDS];
        };
        let second = now.saturating_duration_since(start).as_secs().max(self.second);
        let seconds = (0..SECONDS as u64).rev().map(|back| second.checked_sub(back));
        let count = |second: u64| {
            let is_counted = second <= self.second && self.second - second < SECONDS as u64;
            if is_counted { self.counts[place(second)] } else { 0 }
        };
        seconds.map(|second| second.map_or(0, count)).collect()
    }
}

fn place(second: u64) -> usize {
    usize::try_from(second % SECONDS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_second_has_its_count() {
        let mut rate = Rate::default();
        let start = Instant::now();
        assert_eq!(rate.per_second(start), vec![0; SECONDS]);
        for millis in [0, 10, 1500, 3000] {
            rate.count(start + Duration::from_millis(millis));
        }
        let counts = rate.per_second(start + Duration::from_millis(3900));
        assert_eq!(counts[SECONDS - 4..], [2, 1, 0, 1]);
        let counts = rate.per_second(start + Duration::from_secs(62));
        assert_eq!(counts.iter().sum::<u32>(), 1);
        rate.count(start + Duration::from_secs(5 * 60));
        assert_eq!(rate.per_second(start + Duration::from_secs(5 * 60)).iter().sum::<u32>(), 1);
    }
}
