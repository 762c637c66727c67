//! Runs a command and everything it starts, and ends all of it together.

mod job;
mod status;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub(crate) use job::{Handle, Job, interrupted};
#[cfg(feature = "mcp")]
pub(crate) use status::code_of;
pub(crate) use status::{exit_code, not_started, signalled};
#[cfg(unix)]
pub(crate) use unix::{Signals, hide_environment, hold_suspensions, reserve_descriptors};
#[cfg(windows)]
pub(crate) use windows::{Signals, hide_environment, hold_suspensions, reserve_descriptors};
