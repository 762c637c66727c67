//! The limits of a server.

use std::time::Duration;

/// The default for the maximum number of connections that a server serves at a time; further
/// connections wait to be accepted.
pub const MAX_CONNECTIONS: usize = 4096;

/// The default for the approximate size in bytes at which a world is full: 1 GiB.
pub const MAX_WORLD: usize = 1024 * 1024 * 1024;

/// The default for how long a request's head, and then its body, may take to arrive.
const READ_TIME: Duration = Duration::from_secs(30);

/// The size in bytes that a world counts for each record, apart from the texts that callers sent:
/// somewhat more than the JSON of a device or a notification.
pub(crate) const RECORD_SIZE: usize = 512;

/// The limits of one server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many connections are served at a time.
    pub(crate) connections: usize,
    /// How long the head of a request may take to arrive, idle time included, and how long its
    /// body.
    pub(crate) read_time: Duration,
    /// How many bytes a world may hold before nothing is added to it any more.
    pub(crate) world: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: MAX_CONNECTIONS, read_time: READ_TIME, world: MAX_WORLD }
    }
}
