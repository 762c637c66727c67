//! Where purchases under way are recorded.

use std::fmt;
use std::time::Duration;

use crate::intent::store::StoreFuture;
use crate::spending::journal::SpendingJournal;

/// A place where a [`SpendingClient`](crate::SpendingClient) records what is under way, so that many
/// processes at once, or one that crashes, do not spend more together than the policy allows.
///
/// A [`FileSpendingStore`](crate::FileSpendingStore) serves the processes of one machine. For several
/// machines, implement this trait over something that they share, such as a database. A store must
/// keep three promises, or the limits may be exceeded:
///
/// - While a lock is held, no other process gets one for the same account.
/// - The lock of a process that ends, or a future that is dropped, is released at some time. A lock
///   that runs out fails [`write`](SpendingLock::write) once another process has got it.
/// - A write that returned `Ok` survives a crash and a loss of power.
///
/// Errors that a store creates have the kind [`ErrorKind::Storage`](crate::ErrorKind::Storage). If the
/// store fails, nothing is bought.
pub trait SpendingStore: fmt::Debug + Send + Sync + 'static {
    /// Locks an account, which stands for one agent of one service. Waits at most `patience` for
    /// another process that holds it, and then returns
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut).
    fn lock<'a>(
        &'a self,
        account: &'a str,
        patience: Duration,
    ) -> StoreFuture<'a, Box<dyn SpendingLock>>;
}

/// A locked account of a [`SpendingStore`]. The lock is released when the value is dropped.
pub trait SpendingLock: fmt::Debug + Send {
    /// Returns the journal of the account, which is empty if there is none. One that cannot be read
    /// is an error, never empty.
    fn read(&mut self) -> StoreFuture<'_, SpendingJournal>;

    /// Records the journal durably, in place of the one before.
    fn write<'a>(&'a mut self, journal: &'a SpendingJournal) -> StoreFuture<'a, ()>;
}
