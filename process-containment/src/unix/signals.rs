//! The signal mask of the keeper and the launcher.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Blocks all signals that can be blocked, but for those that a keeper handles. Returns which were
/// blocked before.
///
/// Blocked, not ignored: the command is given the mask that the caller had, and what the caller ignores
/// stays ignored.
pub(super) fn block_signals() -> io::Result<SigSet> {
    let mut signals = SigSet::all();
    signals.remove(Signal::SIGCHLD);
    signals.remove(Signal::SIGCONT);
    Ok(signals.thread_swap_mask(SigmaskHow::SIG_SETMASK)?)
}
