//! The keeper, the launcher, and the caller's handle on them.

mod channel;
mod connection;
mod ending;
mod errno;
#[cfg(not(target_os = "linux"))]
mod group;
mod heartbeat;
mod job;
mod keeper;
mod launch;
mod launcher;
#[cfg(target_os = "linux")]
mod linux;
mod members;
mod message;
mod orphans;
mod program;
mod remaining;
mod role;
mod signals;
mod start;

pub use job::Job;
pub(crate) use program::init;
