//! Records that fail, or that are not as they were written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use machins_client::{
    Error, ErrorKind, MemorySpendingStore, SpendingJournal, SpendingLock, SpendingStore,
    StoreFuture,
};
use serde_json::{Map, Value};

/// A record that can be locked only this often.
#[derive(Debug)]
pub(crate) struct FailingStore {
    store: MemorySpendingStore,
    left: AtomicUsize,
}

impl FailingStore {
    pub(crate) fn new(locks: usize) -> Self {
        Self { store: MemorySpendingStore::new(), left: AtomicUsize::new(locks) }
    }
}

impl SpendingStore for FailingStore {
    fn lock<'a>(
        &'a self,
        account: &'a str,
        patience: Duration,
    ) -> StoreFuture<'a, Box<dyn SpendingLock>> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
            return Box::pin(async { Err(Error::new(ErrorKind::Storage, "the disk has failed")) });
        }
        self.store.lock(account, patience)
    }
}

type Change = fn(&mut Map<String, Value>);

/// A record in which every purchase is changed before it is read, and after whose writing the process is
/// stopped for a time.
#[derive(Debug)]
pub(crate) struct DisturbedStore {
    store: MemorySpendingStore,
    change: Change,
    stops: Duration,
}

impl DisturbedStore {
    pub(crate) fn altering(change: Change) -> Self {
        Self { store: MemorySpendingStore::new(), change, stops: Duration::ZERO }
    }

    pub(crate) fn stopping(stops: Duration) -> Self {
        Self { stops, ..Self::altering(|_| {}) }
    }
}

impl SpendingStore for DisturbedStore {
    fn lock<'a>(
        &'a self,
        account: &'a str,
        patience: Duration,
    ) -> StoreFuture<'a, Box<dyn SpendingLock>> {
        Box::pin(async move {
            let lock = self.store.lock(account, patience).await?;
            let (change, stops) = (self.change, self.stops);
            Ok(Box::new(Disturbed { lock, change, stops }) as Box<dyn SpendingLock>)
        })
    }
}

#[derive(Debug)]
struct Disturbed {
    lock: Box<dyn SpendingLock>,
    change: Change,
    stops: Duration,
}

impl SpendingLock for Disturbed {
    fn read(&mut self) -> StoreFuture<'_, SpendingJournal> {
        Box::pin(async {
            let mut journal = serde_json::to_value(self.lock.read().await?).unwrap();
            for purchase in journal["reservations"].as_array_mut().unwrap() {
                (self.change)(purchase.as_object_mut().unwrap());
            }
            Ok(serde_json::from_value(journal).unwrap())
        })
    }

    fn write<'a>(&'a mut self, journal: &'a SpendingJournal) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.lock.write(journal).await?;
            // As SIGSTOP would: no other task of this process goes on.
            let start = Instant::now();
            while start.elapsed() < self.stops {
                std::thread::yield_now();
            }
            Ok(())
        })
    }
}
