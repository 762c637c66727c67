//! The keeper, the launcher, and the caller's handle on them.

mod channel;
mod connection;
mod ending;
#[cfg(not(target_os = "linux"))]
mod group;
mod heartbeat;
mod job;
mod keeper;
mod launch;
mod launcher;
#[cfg(target_os = "linux")]
mod linux;
mod message;
mod orphans;
mod program;
mod start;

#[cfg(not(target_os = "linux"))]
use group::Members;
#[cfg(target_os = "linux")]
use linux::Members;

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use rustix::process::Pid;

pub use job::Job;
pub(crate) use program::init;

/// A standard stream of a command: a file or one end of a pipe.
pub type Stream = std::os::fd::OwnedFd;

/// What is left of a job after signals were sent to it.
#[derive(Debug, Default)]
struct Remaining {
    living: Vec<Pid>,
    /// Those of them that the system did not allow to be signalled.
    refused: Vec<Pid>,
    /// There may be more: some have ended and have not been cleared away.
    others: bool,
}

impl Remaining {
    fn is_empty(&self) -> bool {
        self.living.is_empty() && !self.others
    }

    /// Where only these are of interest.
    fn refused(refused: Vec<Pid>) -> Self {
        Self { living: refused.clone(), refused, others: false }
    }
}

/// The number of an error, to be sent to another process.
fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(rustix::io::Errno::INVAL.raw_os_error())
}

/// Blocks all signals that can be blocked, but for those that a keeper handles. Returns which were blocked before.
///
/// Blocked, not ignored: the command is given the mask that the caller had, and what the caller ignores
/// stays ignored.
fn block_signals() -> io::Result<SigSet> {
    let mut signals = SigSet::all();
    signals.remove(Signal::SIGCHLD);
    signals.remove(Signal::SIGCONT);
    Ok(signals.thread_swap_mask(SigmaskHow::SIG_SETMASK)?)
}
