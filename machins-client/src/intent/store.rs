//! Where intents are recorded.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use agent_client_core::Error;

use crate::intent::record::Intent;

/// What the methods of an [`IntentStore`] return: a future, so that a store may be on the network.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A place where [`Api::propose_trade_once`](crate::Api::propose_trade_once) records what each key was
/// used for.
///
/// A [`FileIntentStore`](crate::FileIntentStore) serves the processes of one machine. For several
/// machines, implement this trait over something that they share, such as a database, and set it with
/// [`ClientBuilder::intent_store`](crate::ClientBuilder::intent_store). A store must keep three
/// promises, or there may be two trades for one key:
///
/// - While a lock is held, no other process gets one for the same key.
/// - The lock of a process that ends, or a future that is dropped, is released at some time. If the
///   store does this with a lease, the lease must be longer than the client's
///   [`timeout`](crate::ClientOptions::timeout), within which each call ends.
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
}
