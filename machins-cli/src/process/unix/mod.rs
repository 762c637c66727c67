//! Signals, terminals and process attributes of Unix.

mod signals;
mod terminal;

use std::io;
use std::os::fd::AsFd;

use nix::libc::{SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU};

pub(crate) use signals::{Signals, hold_suspensions};
pub(super) use signals::{suspend, suspend_group};
pub(super) use terminal::Terminal;

/// Ctrl-Z.
pub(super) const SUSPEND: i32 = SIGTSTP;
/// Lets a stopped process go on.
pub(super) const CONTINUE: i32 = SIGCONT;
/// What a process in the background is sent when it reads from the terminal or changes it.
pub(super) const WANTS_TERMINAL: [i32; 2] = [SIGTTIN, SIGTTOU];

/// More files than this program has open at any time.
const DESCRIPTORS: usize = 32;

/// Fails if this process may not open as many files as it needs.
pub(crate) fn reserve_descriptors() -> io::Result<()> {
    let stdin = io::stdin();
    let opened: io::Result<Vec<_>> =
        (0..DESCRIPTORS).map(|_| stdin.as_fd().try_clone_to_owned()).collect();
    opened.map(drop)
}

/// Keeps other processes of the same user from reading this one's environment and memory.
pub(crate) fn hide_environment() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}
