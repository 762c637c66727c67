//! Locks, and waiting for changes.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Locks a mutex, whether or not a thread panicked while it held the lock.
///
/// What the locks of this crate protect is changed only by steps that leave it whole, so that a
/// panic in one request must not fail all later ones.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells those who wait for a change that there was one; costs next to nothing while nobody waits.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    waiting: AtomicUsize,
    /// The number of changes so far.
    count: AtomicU64,
    changed: Notify,
}

/// Counts one who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Changes {
    /// Tells everyone who waits. Called after the change, whose lock makes it visible to those who
    /// begin to wait later.
    pub(crate) fn announce(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.changed.notify_waiters();
        }
    }

    /// Returns the number of changes so far.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until a check that is repeated after every change returns something.
    pub(crate) async fn until<T>(&self, mut check: impl FnMut() -> Option<T>) -> T {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.waiting);
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = check() {
                return found;
            }
            changed.await;
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
