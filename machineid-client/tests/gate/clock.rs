//! A clock whose time the test advances.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use machineid_client::Clock;
use tokio::sync::watch;

/// A clock that stands still until the test advances it.
#[derive(Clone)]
pub struct ManualClock {
    start: Instant,
    passed: watch::Sender<Duration>,
    sleepers: Arc<AtomicUsize>,
}

impl ManualClock {
    pub fn new() -> Self {
        Self { start: Instant::now(), passed: watch::Sender::default(), sleepers: Arc::default() }
    }

    /// How many sleeps have begun and neither ended nor been dropped.
    pub fn sleepers(&self) -> usize {
        self.sleepers.load(Ordering::SeqCst)
    }

    pub fn advance(&self, by: Duration) {
        self.passed.send_modify(|passed| *passed += by);
    }
}

struct Sleeper(Arc<AtomicUsize>);

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.start + *self.passed.borrow()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut passed = self.passed.subscribe();
        let end = *self.passed.borrow() + duration;
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let sleeper = Sleeper(Arc::clone(&self.sleepers));
        Box::pin(async move {
            let _sleeper = sleeper;
            passed.wait_for(|passed| *passed >= end).await.unwrap();
        })
    }

    fn random(&self) -> f64 {
        0.5
    }
}

/// Waits until a condition holds, and fails if it never does.
pub async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waited).await;
    assert!(waited.is_ok(), "the condition never holds");
}
