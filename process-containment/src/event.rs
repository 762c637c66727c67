//! What happens to a job.

use std::process::ExitStatus;

use serde::{Deserialize, Serialize};

/// Something that happened to a job. See [`Job::next_event`](crate::Job::next_event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A signal stopped the command: Ctrl-Z (`SIGTSTP`), a use of the terminal from the background
    /// (`SIGTTIN`, `SIGTTOU`), or somebody's `SIGSTOP`. Not reported after [`Job::stop`](crate::Job::stop).
    Stopped {
        /// The number of the signal.
        signal: i32,
    },
    /// The command itself ended. What it left behind is being ended.
    Exited(ExitStatus),
    /// A process cannot be ended, now. The job goes on until it has.
    StillRunning(Survivor),
    /// The whole job has ended. Nothing that descends from the command is left.
    Ended(Outcome),
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The status of the command itself, or `None` if it is unknown because the keeper was killed.
    pub status: Option<ExitStatus>,
    /// Why the job ended.
    pub cause: Cause,
}

/// Why a job ended.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum Cause {
    /// The command ended by itself.
    Exited,
    /// The caller asked for it, with [`Job::terminate`](crate::Job::terminate), [`Job::kill`](crate::Job::kill)
    /// or by dropping the [`Job`](crate::Job).
    Requested,
    /// The caller was silent for longer than [`Command::heartbeat`](crate::Command::heartbeat) allows.
    HeartbeatMissed,
    /// The keeper was killed or stopped by somebody else.
    KeeperLost,
}

/// A process of a job that cannot be ended, now.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Survivor {
    /// The process, by the caller's numbering.
    pub pid: u32,
    /// Why it is still running.
    pub reason: SurvivorReason,
}

/// Why a process is still running.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum SurvivorReason {
    /// The system refused the signal (`EPERM`): the process belongs to another user.
    NotPermitted,
    /// The process was sent KILL seconds ago and has not ended: it waits in the kernel, for example for
    /// a file server.
    Unresponsive,
}

/// Whom [`Job::signal`](crate::Job::signal) sends a signal to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum Recipients {
    /// The process of the command alone.
    Command,
    /// The process group that the command leads, as the terminal would.
    Group,
    /// Every process of the job.
    Tree,
}
