//! Errors as numbers.

use std::io;

/// The number of an error, to be sent to another process.
pub(super) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(rustix::io::Errno::INVAL.raw_os_error())
}
