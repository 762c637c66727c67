//! Time and randomness, which tests can replace.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::lock::lock;

/// The source of time and randomness for retries: it measures deadlines, waits between attempts
/// and draws jitter.
///
/// [`SystemClock`] is the default. A test that wants retries without waiting sets a [`MockClock`]
/// with [`ClientOptions::clock`](crate::ClientOptions::clock). The time limits of connecting and of
/// a single attempt always use real time, even while the time of the tokio runtime is paused.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time, which never goes backwards.
    fn now(&self) -> Instant;
    /// Returns a future that completes when `duration` has passed.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    /// Returns a random number in `0.0..1.0`.
    fn random(&self) -> f64;
}

/// The real clock: tokio's time and timers, and a random number generator.
///
/// While the time of the tokio runtime is paused (`#[tokio::test(start_paused = true)]`), the waits
/// between attempts take no real time. During a request the paused time stands still, so that no time
/// limit passes early.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
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
#[derive(Clone)]
pub struct MockClock {
    start: Instant,
    slept: Arc<Mutex<Vec<Duration>>>,
    random: f64,
    on_sleep: Option<Arc<dyn Fn(Duration) + Send + Sync>>,
}

impl MockClock {
    /// Creates a clock whose [`random`](Clock::random) always returns `random`.
    #[must_use]
    pub fn new(random: f64) -> Self {
        Self { start: Instant::now(), slept: Arc::default(), random, on_sleep: None }
    }

    /// Sets a function that is called with the length of each sleep, to advance another clock by as
    /// much: that of a mock server, whose rate limit then ends when the client's wait does.
    #[must_use]
    pub fn on_sleep(mut self, on_sleep: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.on_sleep = Some(Arc::new(on_sleep));
        self
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
        if let Some(on_sleep) = &self.on_sleep {
            on_sleep(duration);
        }
        Box::pin(tokio::task::yield_now())
    }

    fn random(&self) -> f64 {
        self.random
    }
}

impl fmt::Debug for MockClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockClock")
            .field("slept", &self.slept())
            .field("random", &self.random)
            .finish_non_exhaustive()
    }
}
