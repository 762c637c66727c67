//! What happens to real processes.
//!
//! As root, the tests run most cases as the user `nobody` and without cgroups as well; as an ordinary
//! user, only as that user.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it needs"
)]

mod endings;
mod escapes;
mod harness;
mod soak;
mod start;
mod watch;
