//! Locks a file, and gives up after a while.

use std::fs::File;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use fs4::{FileExt, TryLockError};

/// The longest wait for a lock. Those who append hold it for less than a millisecond.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// Waits until `lock` succeeds. Returns whether it did before the deadline.
pub(super) fn wait_for_lock(
    deadline: Instant,
    lock: impl Fn() -> Result<(), TryLockError>,
) -> io::Result<bool> {
    loop {
        match lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Locks a file that is to be read, so that no line is half written. Where files cannot be locked it
/// is read without.
pub(super) fn lock_for_reading(file: &File, deadline: Instant) -> io::Result<bool> {
    match wait_for_lock(deadline, || FileExt::try_lock_shared(file)) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(true),
        result => result,
    }
}
