//! Where intents are recorded.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use agent_client_core::Error;

use crate::intent::record::Intent;

/// What the methods of an [`IntentStore`] return: a future, so that a store may be on the network.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A function that checks whether a lock is still held. It neither blocks nor waits.
pub type LockCheck = Arc<dyn Fn() -> Result<(), Error> + Send + Sync>;

/// A place where [`Api::propose_trade_once`](crate::Api::propose_trade_once) records what each key was
/// used for.
///
/// A [`FileIntentStore`](crate::FileIntentStore) serves the processes of one machine. For several
/// machines, implement this trait over something that they share, such as a database, and set it with
/// [`ClientBuilder::intent_store`](crate::ClientBuilder::intent_store). A store must keep three
/// promises, or there may be two trades for one key:
///
/// - While a lock is held, no other process gets one for the same key.
/// - The lock of a process that ends, or a future that is dropped, is released at some time. A lock
///   that runs out fails [`check`](IntentLock::check) before another process can get it, and fails
///   [`write`](IntentLock::write) once one has.
/// - A write that returned `Ok` survives a crash and a loss of power.
///
/// Errors that a store creates have the kind [`ErrorKind::Storage`](crate::ErrorKind::Storage). If the
/// store fails, nothing is sent.
pub trait IntentStore: fmt::Debug + Send + Sync + 'static {
    /// Locks a key. Waits at most `patience` for another process that holds it, and then returns
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut).
    fn lock<'a>(&'a self, key: &'a str, patience: Duration)
    -> StoreFuture<'a, Box<dyn IntentLock>>;

    /// Returns all intents, in any order.
    fn list(&self) -> StoreFuture<'_, Vec<Intent>>;
}

/// A locked key of an [`IntentStore`]. The lock is released when the value is dropped.
pub trait IntentLock: fmt::Debug + Send {
    /// Returns the intent of the key, or `None` if there is none. A record that cannot be read is an
    /// error, never `None`.
    fn read(&mut self) -> StoreFuture<'_, Option<Intent>>;

    /// Records the intent durably, in place of the one before.
    fn write<'a>(&'a mut self, intent: &'a Intent) -> StoreFuture<'a, ()>;

    /// Removes the intent, so that the key is as if it had never been used.
    fn remove(&mut self) -> StoreFuture<'_, ()>;

    /// Returns a function that checks whether the lock is still held. It is asked at the moment in
    /// which a proposal leaves, which may be long after the last write if the process was stopped in
    /// between, and while its reply is waited for. The default is for locks that are held until they
    /// are dropped.
    fn check(&self) -> LockCheck {
        Arc::new(|| Ok(()))
    }
}
