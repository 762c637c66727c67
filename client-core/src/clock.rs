//! Time and chance, so that tests can supply their own.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::lock::lock;

/// Where the engine takes the time, waits between attempts, and draws jitter.
///
/// [`SystemClock`] is the real thing. A test that wants its retries at once and repeatable
/// gives its own through [`ClientOptions::clock`](crate::ClientOptions::clock). The limits on connecting
/// and on an attempt always run in real time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Instant;
    /// Ends when `duration` has passed.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    /// A number in `0.0 .. 1.0`.
    fn random(&self) -> f64;
}

/// The clock, timer and randomness of this machine.
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

/// Time that passes only by sleeping, at once, and a die that always shows the same: for tests
/// that want to see what a client waits for without waiting.
///
/// ```
/// use agent_client_core::{ClientOptions, MockClock};
///
/// let clock = MockClock::new(0.5);
/// let options = ClientOptions::new().clock(clock.clone());
/// // … make calls with these options, then look:
/// assert!(clock.slept().is_empty());
/// ```
#[derive(Debug, Clone)]
pub struct MockClock {
    start: Instant,
    slept: Arc<Mutex<Vec<Duration>>>,
    random: f64,
}

impl MockClock {
    /// Time stands still; every drawn number is `random`.
    #[must_use]
    pub fn new(random: f64) -> Self {
        Self { start: Instant::now(), slept: Arc::default(), random }
    }

    /// Every wait so far, in its order.
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
