//! The limits of a server.

use std::time::Duration;

/// The most connections that a server serves at a time by default; further ones wait to be
/// accepted.
pub const MAX_CONNECTIONS: usize = 4096;

/// The approximate size in bytes at which a world is full by default: 1 GiB.
pub const MAX_WORLD: usize = 1024 * 1024 * 1024;

/// How long a request's head, and then its body, may take to arrive by default.
const READ_TIME: Duration = Duration::from_secs(30);

/// What a record without long texts counts for in the size of a world, in bytes: somewhat more than
/// the JSON of a device or a notification.
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
