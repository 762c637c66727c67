//! Whose terminal it is: only the foreground process group may read it and gets its Ctrl-C.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// Lends the terminal on stdin to `group`, when it is ours to lend. In a pipeline it is not:
/// the others in it (`… | less`) need it as well.
pub(super) fn lend(group: Pid) -> bool {
    is_interactive()
        && tcgetpgrp(io::stdin()).is_ok_and(|foreground| {
            foreground == group || (foreground == getpgrp() && set_foreground(group).is_ok())
        })
}

/// Takes the terminal back from `group`.
pub(super) fn take_back(group: Pid) {
    if tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == group) {
        // A terminal that has hung up needs no owner.
        let _ = set_foreground(getpgrp());
    }
}

/// Stops this process as Ctrl-Z would have, so that its shell takes over; returns when the shell
/// lets it go on. Where no shell would (an orphaned group) the system ignores the signal.
pub(super) fn stop_with(group: Pid) {
    take_back(group);
    let _ = kill(Pid::from_raw(0), Signal::SIGTSTP);
    lend(group);
}

/// Whether a person at a terminal is on both ends.
pub(super) fn is_interactive() -> bool {
    io::stdin().is_terminal() && !is_pipe(io::stdout())
}

fn is_pipe(stream: impl AsFd) -> bool {
    stream
        .as_fd()
        .try_clone_to_owned()
        .and_then(|fd| std::fs::File::from(fd).metadata())
        .is_ok_and(|meta| meta.file_type().is_fifo())
}

/// A process that is in the background itself may do this only with SIGTTOU blocked.
fn set_foreground(group: Pid) -> nix::Result<()> {
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTTOU);
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let result = tcsetpgrp(io::stdin(), group);
    before.thread_set_mask()?;
    result
}
