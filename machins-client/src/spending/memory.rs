//! Purchases under way in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_client_core::{Error, ErrorKind, lock};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::intent::store::StoreFuture;
use crate::spending::journal::SpendingJournal;
use crate::spending::store::{SpendingLock, SpendingStore};

/// A [`SpendingStore`] in memory, for tests and for programs of a single process. Its records are lost
/// when the process ends.
///
/// Clones share their records.
#[derive(Debug, Clone, Default)]
pub struct MemorySpendingStore(Arc<Mutex<HashMap<String, Account>>>);

type Account = Arc<AsyncMutex<SpendingJournal>>;

impl MemorySpendingStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl SpendingStore for MemorySpendingStore {
    fn lock<'a>(
        &'a self,
        account: &'a str,
        patience: Duration,
    ) -> StoreFuture<'a, Box<dyn SpendingLock>> {
        Box::pin(async move {
            let account = Arc::clone(lock(&self.0).entry(account.to_owned()).or_default());
            let locked = tokio::time::timeout(patience, account.lock_owned()).await;
            let guard = locked.map_err(|_| is_busy(patience))?;
            Ok(Box::new(MemoryLock(guard)) as Box<dyn SpendingLock>)
        })
    }
}

/// The error for an account that another call has locked for too long.
pub(super) fn is_busy(patience: Duration) -> Error {
    let seconds = patience.as_secs_f32().ceil();
    let message = format!("another purchase has been decided on for {seconds} s; try again later");
    Error::new(ErrorKind::TimedOut, message)
}

#[derive(Debug)]
struct MemoryLock(OwnedMutexGuard<SpendingJournal>);

impl SpendingLock for MemoryLock {
    fn read(&mut self) -> StoreFuture<'_, SpendingJournal> {
        Box::pin(async { Ok(self.0.clone()) })
    }

    fn write<'a>(&'a mut self, journal: &'a SpendingJournal) -> StoreFuture<'a, ()> {
        Box::pin(async {
            self.0.clone_from(journal);
            Ok(())
        })
    }
}
