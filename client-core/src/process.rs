//! Values that belong to the process that created them.
//!
//! A process that was made by `fork` without `exec` has copies of its parent's connections and of the
//! runtime below them, and shares the operating system's side of both. If it used them, or only
//! closed them, it would take replies from its parent or stop its parent's connections.

use std::mem;
use std::process;

use scopeguard::ScopeGuard;

use crate::error::{Error, ErrorKind};

/// A value that is neither used nor dropped in another process than the one that created it.
pub(crate) struct SameProcess<T>(ScopeGuard<Owned<T>, fn(Owned<T>)>);

struct Owned<T> {
    process: u32,
    value: T,
    drop: fn(T),
}

impl<T> SameProcess<T> {
    pub(crate) fn new(value: T) -> Self {
        Self::with_drop(value, drop)
    }

    /// Sets how the value is dropped in the process that created it.
    pub(crate) fn with_drop(value: T, drop: fn(T)) -> Self {
        Self::owned_by(process::id(), value, drop)
    }

    /// Creates a value that uses this one, and so belongs to the same process.
    pub(crate) fn derive<U>(&self, value: U) -> SameProcess<U> {
        SameProcess::owned_by(self.0.process, value, drop)
    }

    fn owned_by(process: u32, value: T, drop: fn(T)) -> Self {
        Self(scopeguard::guard(Owned { process, value, drop }, |owned| {
            if is_current(owned.process) {
                (owned.drop)(owned.value);
            } else {
                mem::forget(owned.value);
            }
        }))
    }

    pub(crate) fn get(&self) -> Result<&T, Error> {
        check(self.0.process).map(|()| &self.0.value)
    }

    pub(crate) fn get_mut(&mut self) -> Result<&mut T, Error> {
        check(self.0.process).map(|()| &mut self.0.value)
    }

    /// Returns the value, whichever process this is.
    pub(crate) fn into_inner(self) -> T {
        ScopeGuard::into_inner(self.0).value
    }
}

/// Not cached, because a copied cache would be wrong. The system call takes 0.1 microseconds.
fn is_current(process: u32) -> bool {
    process == process::id()
}

fn check(process: u32) -> Result<(), Error> {
    if is_current(process) {
        return Ok(());
    }
    let message = format!(
        "the client belongs to process {process}, and this is process {}, made from it by fork",
        process::id()
    );
    Err(Error::new(ErrorKind::Forked, message))
}
