//! Ctrl-C, and what Windows does not have: other signals, job control, limits on open files.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use crate::error::Failure;

/// The number of Ctrl-C on Unix.
const INTERRUPT: i32 = 2;
/// No signal is Ctrl-Z here.
pub(super) const SUSPEND: i32 = 0;
/// No signal lets a process go on here.
pub(super) const CONTINUE: i32 = 0;
/// No signal tells of a use of the terminal here.
pub(super) const WANTS_TERMINAL: [i32; 0] = [];

/// Ctrl-C, reported by its number on Unix.
pub(crate) struct Signals(tokio::signal::windows::CtrlC);

impl Signals {
    /// Starts to handle Ctrl-C.
    pub(crate) fn new() -> Result<Self, Failure> {
        let signals = tokio::signal::windows::ctrl_c().map(Self);
        signals.map_err(|error| Failure::local("could not handle Ctrl-C", error))
    }

    /// Starts to handle Ctrl-C. The console sends it to every process, so that nothing is to be passed
    /// on.
    pub(crate) fn of_a_job() -> Result<Self, Failure> {
        Self::new()
    }

    /// False: there is no job control.
    #[expect(clippy::unused_self, reason = "as on Unix, where there is something to say")]
    pub(super) fn include_suspensions(&self) -> bool {
        false
    }

    /// Waits for the next Ctrl-C, and returns its number.
    pub(crate) async fn next(&mut self) -> i32 {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Polls for the next Ctrl-C.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<i32> {
        match self.0.poll_recv(context) {
            Poll::Ready(Some(())) => Poll::Ready(INTERRUPT),
            _ => Poll::Pending,
        }
    }

    /// Waits for Ctrl-C, and returns its number.
    pub(crate) async fn asked_to_stop(&mut self) -> i32 {
        self.next().await
    }
}

/// Does nothing: there is no job control.
pub(super) fn suspend_group() {}

/// Does nothing: there is no job control.
pub(crate) fn hold_suspensions() {}

/// Does nothing: there is no job control.
pub(super) fn suspend() {}

/// The terminal, which all processes share.
pub(super) struct Terminal;

#[expect(clippy::unused_self, reason = "as on Unix, where there is something to do")]
impl Terminal {
    /// Opens nothing.
    pub(super) fn open(_group: u32) -> Self {
        Self
    }

    /// False: there is nothing to lend.
    pub(super) fn exists(&self) -> bool {
        false
    }

    /// True: all processes use it.
    pub(super) fn is_shared() -> bool {
        true
    }

    /// False: there is nothing to lend.
    pub(super) fn lend(&self) -> bool {
        false
    }

    /// Does nothing.
    pub(super) fn take_back(&self) {}

    /// Does nothing.
    pub(super) fn reclaim(&self) {}
}

/// Does nothing: there is no such limit.
pub(crate) fn reserve_descriptors() -> io::Result<()> {
    Ok(())
}

/// Does nothing.
pub(crate) fn hide_environment() {}
