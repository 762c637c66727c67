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
//!
//! # Rate limits
//!
//! If the server names a wait in `Retry-After`, the call waits at least that long, and sending it
//! again costs the [`Budget`] nothing: the server has asked for it. A 429 also pauses the client's
//! other calls to the same family of endpoints, which is the first segment of the path: `/trades`
//! and `/trades/{id}` share their pauses, `/inbox` has its own. (A prefix like `/api/v1` is not
//! counted.) When such a wait ends, a call that has waited alone is sent at once. Several are sent
//! [spread out](spread), so that they do not meet the limit together again.

use std::time::Duration;

/// The longest time for which a 429 pauses a client's other calls.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The longest time over which callers are spread when a pause has ended.
const LONGEST_SPREAD: Duration = Duration::from_secs(10);

/// How often and for how long a call is tried.
// Exhaustive: programs write it with `..Default::default()`, which `non_exhaustive` forbids.
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
            timeout: Duration::from_secs(60),
        }
    }
}

/// Whether a call may be sent more than once.
// Exhaustive: the rules of retries depend on the three cases, and a fourth would change them all.
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
// Exhaustive: programs create it, and none has to match it.
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
// Exhaustive: a step that is not carried out would be a call that is never finished.
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
    /// Whether the server named the wait after the latest attempt.
    wait_was_named: bool,
}

impl RetryState {
    /// Creates the state of a call that has not been sent yet.
    #[must_use]
    pub fn new(policy: Policy, idempotency: Idempotency) -> Self {
        let last_delay = policy.first_delay;
        Self {
            policy,
            idempotency,
            attempts: 0,
            last_delay,
            may_have_taken_effect: false,
            wait_was_named: false,
        }
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
    /// from the budget. It is called only if the call would be sent again and the server has not
    /// named the wait.
    pub fn next_step(
        &mut self,
        outcome: Outcome,
        elapsed: Duration,
        random: f64,
        may_retry: impl FnOnce() -> bool,
    ) -> Step {
        let named = match outcome {
            Outcome::RateLimited(wait) | Outcome::Transient(wait) => wait,
            _ => None,
        };
        let named = named.filter(|wait| !wait.is_zero());
        self.wait_was_named = named.is_some();
        match (outcome, self.idempotency) {
            (Outcome::Answered, _) | (Outcome::Inconclusive, Idempotency::Idempotent) => {
                return Step::Finish;
            }
            (Outcome::NotSent | Outcome::RateLimited(_), _) => {}
            (Outcome::Transient(_), Idempotency::Idempotent) => self.may_have_taken_effect = true,
            (Outcome::Transient(_) | Outcome::Inconclusive, Idempotency::NonIdempotent) => {
                return Step::OutcomeUnknown;
            }
            (Outcome::Transient(_) | Outcome::Inconclusive, Idempotency::Recoverable) => {
                self.may_have_taken_effect |= matches!(outcome, Outcome::Transient(_));
                // A probe is useful even after the last attempt: it may turn an unknown outcome
                // into an answer.
                return self.wait(elapsed, random, named).map_or(Step::OutcomeUnknown, Step::Probe);
            }
        }
        if self.attempts >= self.policy.max_attempts {
            return Step::Finish;
        }
        match self.wait(elapsed, random, named) {
            Some(wait) if named.is_some() || may_retry() => Step::Send(wait),
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
        self.attempts < self.policy.max_attempts
            && self.remaining(elapsed).is_some()
            && (self.wait_was_named || may_retry())
    }

    /// Returns how long to wait, or `None` if the wait would pass the deadline.
    fn wait(
        &mut self,
        elapsed: Duration,
        random: f64,
        named: Option<Duration>,
    ) -> Option<Duration> {
        let wait = self.draw_delay(random).max(named.unwrap_or_default());
        self.remaining(elapsed).filter(|remaining| wait < *remaining).map(|_| wait)
    }

    fn draw_delay(&mut self, random: f64) -> Duration {
        let (first, longest) = (self.policy.first_delay, self.policy.longest_delay);
        let span = self.last_delay.saturating_mul(3).min(longest).saturating_sub(first);
        self.last_delay = first.saturating_add(span.mul_f64(fraction(random))).min(longest);
        self.last_delay
    }
}

fn fraction(random: f64) -> f64 {
    if random.is_nan() { 0.0 } else { random.clamp(0.0, 1.0) }
}

/// Returns for how long a 429 pauses a client's other calls: as long as `Retry-After` asks, but
/// not longer than five minutes.
#[must_use]
pub fn shared_pause(retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or_default().min(LONGEST_PAUSE)
}

/// Returns how much longer than a pause of this length a caller waits that does not wait alone, so
/// that callers do not all send their calls at its end.
///
/// The result is random between zero and the length of the pause, at most ten seconds. It takes at
/// most half of `room`, which is what is left of the caller's own time limit when the pause ends:
/// the other half is for sending the call. `random` is in `0.0..1.0`.
///
/// ```
/// use std::time::Duration;
/// use agent_client_core::retry::spread;
///
/// let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
/// assert_eq!(spread(second, minute, 0.25), Duration::from_millis(250));
/// assert_eq!(spread(minute, minute, 0.5), Duration::from_secs(5));
/// assert_eq!(spread(minute, second, 0.5), Duration::from_millis(250));
/// ```
#[must_use]
pub fn spread(pause: Duration, room: Duration, random: f64) -> Duration {
    pause.min(LONGEST_SPREAD).min(room / 2).mul_f64(fraction(random))
}

/// The retry budget of a client: a token bucket that keeps it from flooding a service that is down.
///
/// All clones of a client share one budget. It holds ten retries at first, which is also the
/// maximum. Each time a call is sent again, a retry is taken from it, and every ten successful calls
/// put one back. While it is empty, a call that fails is not sent again. Two things cost nothing:
///
/// - a call that is sent again after a wait that the server has named in `Retry-After`, and
/// - a call that is dropped, or runs out of time, before it is sent again.
///
/// Set another one with [`ClientOptions::retry_budget`](crate::ClientOptions::retry_budget).
///
/// ```
/// use agent_client_core::ClientOptions;
/// use agent_client_core::retry::Budget;
///
/// let patient = ClientOptions::new().retry_budget(Budget::new(100));
/// let reckless = ClientOptions::new().retry_budget(Budget::unlimited());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// In tenths of a retry, which is what a success is worth. `None` if there is no limit.
    tokens: Option<u64>,
    full: u64,
}

impl Budget {
    /// The number of tokens that a retry takes, of which a success puts back one.
    const RETRY: u64 = 10;

    /// Creates a full budget that holds this many retries. Zero allows no retry except after a wait
    /// that the server has named.
    #[must_use]
    pub fn new(retries: u32) -> Self {
        let full = u64::from(retries) * Self::RETRY;
        Self { tokens: Some(full), full }
    }

    /// Creates a budget that never runs out.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { tokens: None, full: 0 }
    }

    /// Takes the tokens of one retry and returns `true`, or returns `false` if there are too few.
    pub fn withdraw(&mut self) -> bool {
        let Some(tokens) = &mut self.tokens else { return true };
        match tokens.checked_sub(Self::RETRY) {
            Some(rest) => {
                *tokens = rest;
                true
            }
            None => false,
        }
    }

    /// Puts back the tokens of a retry that was withdrawn but not made.
    pub fn refund(&mut self) {
        self.add(Self::RETRY);
    }

    /// Adds one token for a success.
    pub fn deposit(&mut self) {
        self.add(1);
    }

    fn add(&mut self, tokens: u64) {
        self.tokens = self.tokens.map(|held| (held + tokens).min(self.full));
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(10)
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
