//! When a call is sent again: decided by value, without I/O.
//!
//! What is known after an attempt is an [`Outcome`]; what a call allows is its [`Idempotency`].
//! [`RetryState::after`] turns both into the next [`Step`]:
//!
//! | outcome | any call | idempotent | recoverable | once |
//! |---|---|---|---|---|
//! | [`NotSent`](Outcome::NotSent) | send again | | | |
//! | [`Paused`](Outcome::Paused) (429) | send again after `Retry-After` | | | |
//! | [`Broken`](Outcome::Broken) (cut off, timed out, 408, 500, 502, 503, 504) | | send again | look, then decide | fate unknown |
//! | [`Unclear`](Outcome::Unclear) (unreadable success, other 5xx) | | give up | look, then decide | fate unknown |
//! | [`Answered`](Outcome::Answered) | that is the answer | | | |
//!
//! The wait before the next step is drawn by decorrelated jitter: between the first delay and
//! three times the wait before, at most the longest delay. A wait that would not end before the
//! call's deadline is not begun.

use std::time::Duration;

/// The longest pause that a 429 can impose on a client's other calls.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// How often and how long a call is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How many times a call is sent at most.
    pub max_attempts: u32,
    /// The shortest wait between attempts.
    pub first_delay: Duration,
    /// The longest wait that jitter draws; `Retry-After` may ask for more.
    pub longest_delay: Duration,
    /// The limit of one attempt.
    pub attempt_timeout: Duration,
    /// The limit of all attempts and waits together.
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

/// What repeating a call would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// The same as sending it once.
    Idempotent,
    /// Perhaps happen twice, but the server can be asked whether it happened.
    Recoverable,
    /// Perhaps happen twice.
    NonIdempotent,
}

/// What is known after one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No connection came about: the server has seen nothing.
    NotSent,
    /// 429: the server refused to look at it, perhaps saying how long to wait.
    Paused(Option<Duration>),
    /// It may have taken effect, and asking again may help.
    Broken(Option<Duration>),
    /// It may have taken effect, and asking again would say the same.
    Unclear,
    /// The server gave an answer that stands.
    Answered,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send the call again after this wait.
    Send(Duration),
    /// Ask the server, after this wait, whether the call took effect.
    Probe(Duration),
    /// What the attempt brought is the end of it.
    Finish,
    /// Whether the call took effect can't be known.
    OutcomeUnknown,
}

/// One call's way through its attempts.
#[derive(Debug, Clone)]
pub struct RetryState {
    policy: Policy,
    safety: Idempotency,
    attempts: u32,
    last_delay: Duration,
    doubtful: bool,
}

impl RetryState {
    /// A call that has not been sent yet.
    #[must_use]
    pub fn new(policy: Policy, safety: Idempotency) -> Self {
        let last_delay = policy.first_delay;
        Self { policy, safety, attempts: 0, last_delay, doubtful: false }
    }

    /// How many attempts have begun.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether an earlier attempt may have taken effect.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Begins an attempt: its time limit, or `None` when the call's deadline has passed.
    pub fn begin(&mut self, elapsed: Duration) -> Option<Duration> {
        let left = self.left(elapsed)?;
        self.attempts += 1;
        Some(left.min(self.policy.attempt_timeout))
    }

    /// How much of the call's time is left, or `None` when the deadline has passed.
    #[must_use]
    pub fn left(&self, elapsed: Duration) -> Option<Duration> {
        self.policy.timeout.checked_sub(elapsed).filter(|left| !left.is_zero())
    }

    /// What follows from an attempt. `random` is in `0.0 .. 1.0`; `may_repeat` is the retry
    /// budget's word, asked only when the call would be sent again.
    pub fn after(
        &mut self,
        outcome: Outcome,
        elapsed: Duration,
        random: f64,
        may_repeat: impl FnOnce() -> bool,
    ) -> Step {
        let floor = match outcome {
            Outcome::Answered => return Step::Finish,
            Outcome::NotSent => None,
            Outcome::Paused(wait) => wait,
            Outcome::Broken(wait) => {
                self.doubtful = true;
                match self.safety {
                    Idempotency::Idempotent => wait,
                    Idempotency::Recoverable => return self.look(elapsed, random, wait),
                    Idempotency::NonIdempotent => return Step::OutcomeUnknown,
                }
            }
            Outcome::Unclear => {
                return match self.safety {
                    Idempotency::Idempotent => Step::Finish,
                    Idempotency::Recoverable => self.look(elapsed, random, None),
                    Idempotency::NonIdempotent => Step::OutcomeUnknown,
                };
            }
        };
        if self.attempts >= self.policy.max_attempts {
            return Step::Finish;
        }
        let wait = self.draw_delay(random).max(floor.unwrap_or_default());
        match self.left(elapsed) {
            Some(left) if wait < left && may_repeat() => Step::Send(wait),
            _ => Step::Finish,
        }
    }

    /// Whether the call may be sent again after a look has shown that it did not take effect.
    pub fn after_absence(&mut self, elapsed: Duration, may_repeat: impl FnOnce() -> bool) -> bool {
        self.doubtful = false;
        self.attempts < self.policy.max_attempts && self.left(elapsed).is_some() && may_repeat()
    }

    /// A look is worth its while even after the last attempt: it turns doubt into an answer.
    fn look(&mut self, elapsed: Duration, random: f64, floor: Option<Duration>) -> Step {
        let wait = self.draw_delay(random).max(floor.unwrap_or_default());
        match self.left(elapsed) {
            Some(left) if wait < left => Step::Probe(wait),
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

/// How long a 429 holds a client's other calls: `Retry-After`, within bounds.
#[must_use]
pub fn shared_pause(retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or_default().min(LONGEST_PAUSE)
}

/// What stops a client from answering an outage with a storm: a bucket of tokens, from which
/// each repetition takes ten, and into which each success puts one. Full, it holds a hundred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    tokens: u32,
}

impl Budget {
    const FULL: u32 = 100;
    const REPETITION: u32 = 10;

    /// Takes a repetition's tokens, if there are enough.
    pub fn withdraw(&mut self) -> bool {
        match self.tokens.checked_sub(Self::REPETITION) {
            Some(rest) => {
                self.tokens = rest;
                true
            }
            None => false,
        }
    }

    /// Notes a success.
    pub fn deposit(&mut self) {
        self.tokens = (self.tokens + 1).min(Self::FULL);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { tokens: Self::FULL }
    }
}

/// The outcome of an attempt that brought a reply of this status.
#[must_use]
pub fn classify(status: u16, retry_after: Option<Duration>) -> Outcome {
    match status {
        429 => Outcome::Paused(retry_after),
        408 | 500 | 502 | 503 | 504 => Outcome::Broken(retry_after),
        501 | 505..=599 => Outcome::Unclear,
        _ => Outcome::Answered,
    }
}
