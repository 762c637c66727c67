//! Values that belong to the process that created them.
//!
//! A process that was made by `fork` without `exec` has copies of its parent's connections and of the
//! runtime below them, and shares the operating system's side of both. If it used them, or only
//! closed them, it would take replies from its parent or stop its parent's connections.

use std::mem;

use forkguard::Guard;
use scopeguard::ScopeGuard;

use crate::error::{Error, ErrorKind};

/// A value that is neither used nor dropped in another process than the one that created it.
pub(crate) struct SameProcess<T>(ScopeGuard<Owned<T>, fn(Owned<T>)>);

struct Owned<T> {
    fork: Guard,
    value: T,
    drop: fn(T),
}

impl<T> SameProcess<T> {
    pub(crate) fn new(value: T) -> Self {
        Self::with_drop(value, drop)
    }

    /// Sets how the value is dropped in the process that created it.
    pub(crate) fn with_drop(value: T, drop: fn(T)) -> Self {
        let owned = Owned { fork: forkguard::new(), value, drop };
        Self(scopeguard::guard(owned, |owned| match check(&owned.fork) {
            Ok(()) => (owned.drop)(owned.value),
            Err(_) => mem::forget(owned.value),
        }))
    }

    pub(crate) fn get(&self) -> Result<&T, Error> {
        check(&self.0.fork).map(|()| &self.0.value)
    }

    pub(crate) fn get_mut(&mut self) -> Result<&mut T, Error> {
        check(&self.0.fork).map(|()| &mut self.0.value)
    }
}

fn check(fork: &Guard) -> Result<(), Error> {
    // A guard detects a fork only once. Its copy leaves it as it is.
    if fork.clone().detected_fork() {
        let message = "the client belongs to another process, from which this one was made by fork";
        return Err(Error::new(ErrorKind::Forked, message));
    }
    Ok(())
}
