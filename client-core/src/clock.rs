//! Time and randomness, which tests can replace.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::lock::lock;

/// The source of time and randomness for retries: it measures deadlines, waits between attempts
/// and draws jitter.
///
/// [`SystemClock`] is the default. A test that wants retries without waiting sets a [`MockClock`]
/// with [`ClientOptions::clock`](crate::ClientOptions::clock). The time limits of connecting and of
/// a single attempt always use real time.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time, which never goes backwards.
    fn now(&self) -> Instant;
    /// Returns a future that completes when `duration` has passed.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    /// Returns a random number in `0.0..1.0`.
    fn random(&self) -> f64;
}

/// The real clock: the system's time, tokio's timers and a random number generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn random(&self) -> f64 {
        fastrand::f64()
    }
}

/// A clock for tests, on which sleeping takes no real time.
///
/// Its time advances only by sleeping, and its random number is always the same. It records every
/// sleep.
///
/// ```
/// use agent_client_core::{ClientOptions, MockClock};
///
/// let clock = MockClock::new(0.5);
/// let options = ClientOptions::new().clock(clock.clone());
/// // After calls with these options, `slept` returns the waits between their attempts:
/// assert!(clock.slept().is_empty());
/// ```
#[derive(Debug, Clone)]
pub struct MockClock {
    start: Instant,
    slept: Arc<Mutex<Vec<Duration>>>,
    random: f64,
}

impl MockClock {
    /// Creates a clock whose [`random`](Clock::random) always returns `random`.
    #[must_use]
    pub fn new(random: f64) -> Self {
        Self { start: Instant::now(), slept: Arc::default(), random }
    }

    /// Returns all sleeps so far, oldest first. Clones of a clock share them.
    #[must_use]
    pub fn slept(&self) -> Vec<Duration> {
        lock(&self.slept).clone()
    }
}

impl Clock for MockClock {
    fn now(&self) -> Instant {
        self.start + self.slept().iter().sum::<Duration>()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        lock(&self.slept).push(duration);
        Box::pin(tokio::task::yield_now())
    }

    fn random(&self) -> f64 {
        self.random
    }
}
