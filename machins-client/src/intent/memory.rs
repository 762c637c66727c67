//! Intents in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use agent_client_core::{Error, ErrorKind, lock};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::intent::record::{Intent, IntentState, milliseconds};
use crate::intent::store::{IntentLock, IntentStore, StoreFuture};

/// An [`IntentStore`] in memory, for tests. Its intents are lost when the process ends.
///
/// Clones share their intents.
///
/// ```
/// use machins_client::{Client, MemoryIntentStore};
///
/// let builder = Client::builder().intent_store(MemoryIntentStore::new());
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryIntentStore(Arc<Memory>);

#[derive(Debug, Default)]
struct Memory {
    intents: Mutex<HashMap<String, Intent>>,
    locks: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
}

impl MemoryIntentStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes what was created, and sent for the last time, before this moment.
    pub(crate) fn forget_before(&self, moment: SystemTime) {
        let moment_ms = milliseconds(moment);
        lock(&self.0.intents).retain(|_, intent| match intent.state {
            IntentState::Sent { until_ms } => until_ms >= moment_ms,
            IntentState::Done => intent.created_at() >= moment,
        });
    }
}

impl IntentStore for MemoryIntentStore {
    fn lock<'a>(
        &'a self,
        key: &'a str,
        patience: Duration,
    ) -> StoreFuture<'a, Box<dyn IntentLock>> {
        Box::pin(async move {
            let mutex = {
                let mut locks = lock(&self.0.locks);
                locks.retain(|_, mutex| Arc::strong_count(mutex) > 1);
                Arc::clone(locks.entry(key.to_owned()).or_default())
            };
            let locked = tokio::time::timeout(patience, mutex.lock_owned()).await;
            let guard = locked.map_err(|_| is_busy(key, patience))?;
            let (memory, key) = (Arc::clone(&self.0), key.to_owned());
            Ok(Box::new(MemoryLock { memory, key, _guard: guard }) as Box<dyn IntentLock>)
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<Intent>> {
        Box::pin(async { Ok(lock(&self.0.intents).values().cloned().collect()) })
    }
}

/// The error for a key that another call has locked for too long.
pub(super) fn is_busy(key: &str, patience: Duration) -> Error {
    let seconds = patience.as_secs_f32().ceil();
    let message = format!("another call has been working on the key {key:?} for {seconds} s");
    Error::new(ErrorKind::TimedOut, message)
}

#[derive(Debug)]
struct MemoryLock {
    memory: Arc<Memory>,
    key: String,
    _guard: OwnedMutexGuard<()>,
}

impl IntentLock for MemoryLock {
    fn read(&mut self) -> StoreFuture<'_, Option<Intent>> {
        Box::pin(async { Ok(lock(&self.memory.intents).get(&self.key).cloned()) })
    }

    fn write<'a>(&'a mut self, intent: &'a Intent) -> StoreFuture<'a, ()> {
        Box::pin(async {
            lock(&self.memory.intents).insert(self.key.clone(), intent.clone());
            Ok(())
        })
    }

    fn remove(&mut self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            lock(&self.memory.intents).remove(&self.key);
            Ok(())
        })
    }
}
