//! Time and chance, so that tests can supply their own.

use std::pin::Pin;
use std::time::{Duration, Instant};

/// Where the engine takes the time, waits between attempts, and draws jitter.
///
/// [`SystemPacing`] is the real thing. A test that wants its retries at once and repeatable
/// gives its own through [`Options::pacing`](crate::Options::pacing). The limits on connecting
/// and on an attempt always run in real time.
pub trait Pacing: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Instant;
    /// Ends when `duration` has passed.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    /// A number in `0.0 .. 1.0`.
    fn random(&self) -> f64;
}

/// The clock, timer and randomness of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemPacing;

impl Pacing for SystemPacing {
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
