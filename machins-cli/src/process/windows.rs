//! Ctrl-C, and what Windows does not have: other signals, job control, limits on open files.

use std::io;

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
        Self::of_a_job().map_err(|error| Failure::local("could not handle Ctrl-C", error))
    }

    /// Starts to handle Ctrl-C. The console sends it to every process, so that nothing is to be passed
    /// on.
    pub(crate) fn of_a_job() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    /// Whether this signal is handled.
    pub(crate) fn includes(&self, signal: i32) -> bool {
        signal == INTERRUPT
    }

    /// Waits for the next Ctrl-C, and returns its number.
    pub(crate) async fn next(&mut self) -> i32 {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        INTERRUPT
    }

    /// Waits for Ctrl-C.
    pub(crate) async fn asked_to_stop(&mut self) {
        self.next().await;
    }
}

/// Does nothing.
pub(super) fn suspend_group() {}

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
    pub(super) fn suspend(&self) {}
}

/// Does nothing: there is no such limit.
pub(crate) fn reserve_descriptors() -> io::Result<()> {
    Ok(())
}

/// Does nothing.
pub(crate) fn hide_environment() {}
