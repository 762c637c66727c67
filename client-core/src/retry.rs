//! Decides, without I/O, when a call is sent again.
//!
//! An [`Outcome`] is what is known after an attempt, and [`Idempotency`] is what the call allows.
//! [`RetryState::next_step`] combines both into the next [`Step`]:
//!
//! | outcome | idempotent | recoverable | non-idempotent |
//! |---|---|---|---|
//! | [`NotSent`](Outcome::NotSent) (refused, name not found, TLS) | send again | send again | send again |
//! | [`RateLimited`](Outcome::RateLimited) (429) | send again after `Retry-After` | send again after `Retry-After` | send again after `Retry-After` |
//! | [`Transient`](Outcome::Transient) (cut off, timed out, 408, 500, 502, 503, 504) | send again | probe, then decide | outcome unknown |
//! | [`Inconclusive`](Outcome::Inconclusive) (unreadable success, other 5xx) | return the error | probe, then decide | outcome unknown |
//! | [`Answered`](Outcome::Answered) (anything else) | return the answer | return the answer | return the answer |
//!
//! The wait before the next step has decorrelated jitter: it is random between the first delay and
//! three times the previous wait, but not longer than the longest delay. A wait that would end
//! after the call's deadline is not begun.

use std::time::Duration;

/// The longest time for which a 429 pauses a client's other calls.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// How often and for how long a call is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The maximum number of times that a call is sent.
    pub max_attempts: u32,
    /// The shortest wait between two attempts.
    pub first_delay: Duration,
    /// The longest wait that jitter draws. `Retry-After` may ask for a longer one.
    pub longest_delay: Duration,
    /// The time limit of one attempt.
    pub attempt_timeout: Duration,
    /// The time limit of all attempts and waits together.
    pub timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            first_delay: Duration::from_millis(100),
            longest_delay: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(30),
            timeout: Duration::from_mins(1),
        }
    }
}

/// Whether a call may be sent more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// Sending the call twice has the same effect as sending it once.
    Idempotent,
    /// The call could take effect twice, but the server can be asked whether it took effect.
    Recoverable,
    /// The call could take effect twice, and nothing can tell whether it took effect.
    NonIdempotent,
}

/// What is known after one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No connection was made: the server has received nothing.
    NotSent,
    /// The server rejected the call with 429 and did not process it. Contains the wait that it
    /// asked for, if any.
    RateLimited(Option<Duration>),
    /// The call may have taken effect, and sending it again may succeed. Contains the wait that
    /// the server asked for, if any.
    Transient(Option<Duration>),
    /// The call may have taken effect, and sending it again would end the same way.
    Inconclusive,
    /// The server has answered, and sending the call again would not change the answer.
    Answered,
}

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send the call again after this wait.
    Send(Duration),
    /// Ask the server, after this wait, whether the call took effect.
    Probe(Duration),
    /// Return the result of the last attempt.
    Finish,
    /// Return an error that says that the call may have taken effect.
    OutcomeUnknown,
}

/// The state of one call across its attempts.
#[derive(Debug, Clone)]
pub struct RetryState {
    policy: Policy,
    idempotency: Idempotency,
    attempts: u32,
    last_delay: Duration,
    may_have_taken_effect: bool,
}

impl RetryState {
    /// Creates the state of a call that has not been sent yet.
    #[must_use]
    pub fn new(policy: Policy, idempotency: Idempotency) -> Self {
        let last_delay = policy.first_delay;
        Self { policy, idempotency, attempts: 0, last_delay, may_have_taken_effect: false }
    }

    /// Returns the number of attempts that have begun.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns whether an earlier attempt may have taken effect.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        self.may_have_taken_effect
    }

    /// Begins an attempt and returns its time limit, or `None` if the call's deadline has passed.
    pub fn begin_attempt(&mut self, elapsed: Duration) -> Option<Duration> {
        let remaining = self.remaining(elapsed)?;
        self.attempts += 1;
        Some(remaining.min(self.policy.attempt_timeout))
    }

    /// Returns how much of the call's time is left, or `None` if its deadline has passed.
    #[must_use]
    pub fn remaining(&self, elapsed: Duration) -> Option<Duration> {
        self.policy.timeout.checked_sub(elapsed).filter(|remaining| !remaining.is_zero())
    }

    /// Decides what to do after an attempt. `random` is in `0.0..1.0`. `may_retry` takes a retry
    /// from the budget, and is called only if the call would be sent again.
    pub fn next_step(
        &mut self,
        outcome: Outcome,
        elapsed: Duration,
        random: f64,
        may_retry: impl FnOnce() -> bool,
    ) -> Step {
        let shortest_wait = match outcome {
            Outcome::Answered => return Step::Finish,
            Outcome::NotSent => None,
            Outcome::RateLimited(wait) => wait,
            Outcome::Transient(wait) => {
                self.may_have_taken_effect = true;
                match self.idempotency {
                    Idempotency::Idempotent => wait,
                    Idempotency::Recoverable => return self.probe(elapsed, random, wait),
                    Idempotency::NonIdempotent => return Step::OutcomeUnknown,
                }
            }
            Outcome::Inconclusive => {
                return match self.idempotency {
                    Idempotency::Idempotent => Step::Finish,
                    Idempotency::Recoverable => self.probe(elapsed, random, None),
                    Idempotency::NonIdempotent => Step::OutcomeUnknown,
                };
            }
        };
        if self.attempts >= self.policy.max_attempts {
            return Step::Finish;
        }
        let wait = self.draw_delay(random).max(shortest_wait.unwrap_or_default());
        match self.remaining(elapsed) {
            Some(remaining) if wait < remaining && may_retry() => Step::Send(wait),
            _ => Step::Finish,
        }
    }

    /// Returns whether the call may be sent again after a probe has shown that it did not take
    /// effect.
    pub fn may_resend_after_absence(
        &mut self,
        elapsed: Duration,
        may_retry: impl FnOnce() -> bool,
    ) -> bool {
        self.may_have_taken_effect = false;
        self.attempts < self.policy.max_attempts && self.remaining(elapsed).is_some() && may_retry()
    }

    /// A probe is useful even after the last attempt: it may turn an unknown outcome into an
    /// answer.
    fn probe(&mut self, elapsed: Duration, random: f64, shortest_wait: Option<Duration>) -> Step {
        let wait = self.draw_delay(random).max(shortest_wait.unwrap_or_default());
        match self.remaining(elapsed) {
            Some(remaining) if wait < remaining => Step::Probe(wait),
            _ => Step::OutcomeUnknown,
        }
    }

    fn draw_delay(&mut self, random: f64) -> Duration {
        let (first, longest) = (self.policy.first_delay, self.policy.longest_delay);
        let span = self.last_delay.saturating_mul(3).min(longest).saturating_sub(first);
        let random = if random.is_nan() { 0.0 } else { random.clamp(0.0, 1.0) };
        self.last_delay = first.saturating_add(span.mul_f64(random)).min(longest);
        self.last_delay
    }
}

/// Returns for how long a 429 pauses a client's other calls: as long as `Retry-After` asks, but
/// not longer than five minutes.
#[must_use]
pub fn shared_pause(retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or_default().min(LONGEST_PAUSE)
}

/// The retry budget of a client: a token bucket that keeps it from flooding a service that is down.
///
/// A retry takes ten tokens and a success adds one. A new bucket holds a hundred, which is also
/// the maximum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    tokens: u32,
}

impl Budget {
    const FULL: u32 = 100;
    const RETRY: u32 = 10;

    /// Takes the tokens of one retry and returns `true`, or returns `false` if there are too few.
    pub fn withdraw(&mut self) -> bool {
        match self.tokens.checked_sub(Self::RETRY) {
            Some(rest) => {
                self.tokens = rest;
                true
            }
            None => false,
        }
    }

    /// Adds one token for a success.
    pub fn deposit(&mut self) {
        self.tokens = (self.tokens + 1).min(Self::FULL);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { tokens: Self::FULL }
    }
}

/// Returns the outcome of an attempt that was answered with this HTTP status.
#[must_use]
pub fn classify(status: u16, retry_after: Option<Duration>) -> Outcome {
    match status {
        429 => Outcome::RateLimited(retry_after),
        408 | 500 | 502 | 503 | 504 => Outcome::Transient(retry_after),
        501 | 505..=599 => Outcome::Inconclusive,
        _ => Outcome::Answered,
    }
}
