//! Locking a mutex that is never poisoned for long.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose value is whole at every moment, so that a panic of another holder does not
/// matter. Meant for the client crates.
#[doc(hidden)]
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
