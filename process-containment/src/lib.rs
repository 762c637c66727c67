//! Runs a command so that it and everything it starts can be ended for sure.
//!
//! Killing a process group misses whatever has left it: `setsid`, `timeout`, a double fork, `set -m` in
//! a shell, `start_new_session` in Python, `detached` in Node. This crate holds the whole tree of
//! processes that descend from a command, ends it on request, and ends it when the caller is killed, is
//! stopped, or hangs.
//!
//! ```rust,standalone_crate
//! use std::time::Duration;
//!
//! use process_containment::{Cause, Command};
//!
//! fn main() -> Result<(), process_containment::Error> {
//!     // First of all: this program is executed again as the keeper of the command.
//!     process_containment::init();
//!
//! # #[cfg(unix)] {
//!     // Leaves its process group and session.
//!     let job = Command::new("setsid").args(["-f", "sleep", "600"]).spawn()?;
//!     job.terminate(Duration::from_secs(5));
//!     let outcome = job.wait();
//!     // Nothing that the command started is left.
//!     assert!(matches!(outcome.cause, Cause::Requested | Cause::Exited));
//! # }
//!     Ok(())
//! }
//! ```
//!
//! # How it works
//!
//! | process | what it does |
//! |---|---|
//! | caller | calls [`init`] first in `main`, then [`Command::spawn`] |
//! | keeper | the caller's program executed again; parent of the command, adopts its orphans (`PR_SET_CHILD_SUBREAPER`), watches the caller |
//! | command | leads a process group of its own; dies with its keeper (`PR_SET_PDEATHSIG`) |
//!
//! On Linux every process that descends from the command remains a descendant of the keeper, whatever
//! groups and sessions it makes. To end a job, the keeper stops all of them, sends KILL, and looks again
//! until the kernel says that it has no children left. Processes are identified by pidfd, or by being
//! the keeper's own children, so that no signal reaches a process that has only inherited a number. Besides,
//! the job has a cgroup (version 2) of its own wherever one can be created below the caller's, and the
//! kernel ends all of it at once. [`Job::containment`] reports what is in force, and
//! [`Command::containment`] demands a minimum.
//!
//! | what fails | what happens |
//! |---|---|
//! | the caller is killed or executes another program | the keeper kills the job |
//! | the caller is stopped or hangs | the keeper kills the job when the [heartbeat](Command::heartbeat) is missed |
//! | the keeper is killed or stopped | the command dies; the caller, which adopts the orphans, kills the rest |
//! | the keeper is stopped, and the caller killed before it notices | the keeper goes on, and kills the job |
//! | the caller is stopped, and the keeper killed | the command dies; the rest when the caller goes on |
//! | caller and keeper are killed in the same instant | the command dies; all of its tree only in a [PID namespace](Containment::PidNamespace) |
//!
//! # What the caller takes on
//!
//! - [`init`] must be called at the beginning of `main`, before other threads are started and before
//!   the arguments are read. Without it, [`Command::spawn`] refuses.
//! - The calling process becomes a child subreaper (Linux). If the keeper is killed, all children of the
//!   process that it did not have when the job was spawned are killed as orphans of the job, but for
//!   other jobs. A caller that runs other children meanwhile should start them before the job, or as
//!   jobs.
//! - Some thread must be waiting, in [`Job::wait`] or [`Job::next_event`], for the loss of the keeper to
//!   be noticed. Asynchronous programs wait in a thread of their own, or for the readiness of the
//!   [`Job`]'s descriptor and twice a second.
//!
//! # Terminals
//!
//! The command leads a process group in the caller's session and is in the background of its terminal
//! until the caller makes it the foreground group (`tcsetpgrp` with [`Job::pid`]). After
//! [`Event::Stopped`] a shell-like caller stops the whole job ([`Job::stop`]), takes the terminal back and
//! stops itself; when it goes on it hands the terminal over again and calls [`Job::resume`].
//!
//! # Limits
//!
//! - A process that is started by somebody else on behalf of the command (a daemon such as `cron`,
//!   `systemd` or a container engine) does not descend from it.
//! - A process of another user, such as that of a set-user-ID program, cannot be killed by an ordinary
//!   user. It is reported ([`Event::StillRunning`]) and waited for; only a cgroup, which the kernel
//!   ends, or a PID namespace holds such processes too.
//! - A command with the same user as the caller may send signals to the caller and to the keeper. That
//!   ends the job, as the table says. A command that runs as root can undo whatever it likes.
//! - A command that has changed its user (`su`, a set-user-ID program) does not die with its keeper by
//!   itself, as the kernel resets that; the caller kills it with the rest.
//! - Linux is tested, and Windows under wine. The rest has been compiled, for FreeBSD and macOS, and not run.
//! - Other Unix systems: the process group and the watch over the caller only.
//! - Windows: job objects, no signals, no heartbeat.

// The examples in the README are compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod command;
mod containment;
mod error;
mod event;
mod spawn;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use command::{Command, Stream};
pub use containment::{Containment, UnknownContainment};
pub use error::Error;
pub use event::{Cause, Event, Outcome, Recipients, Survivor, SurvivorReason};
#[cfg(unix)]
pub use unix::Job;
#[cfg(windows)]
pub use windows::Job;

/// Takes over if this process was started by the crate itself, and returns at once otherwise.
///
/// Call it first in `main`. [`Command::spawn`] executes the current program again, and expects it to
/// arrive here; the process then becomes the keeper or the command, and this function does not return.
pub fn init() {
    // Elsewhere nothing is executed again.
    #[cfg(unix)]
    unix::init();
}
