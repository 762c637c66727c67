//! Whose terminal it is: only the foreground process group may read it and gets its Ctrl-C.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// Lends the terminal to `group`, when there is one and it is ours to lend.
pub(super) fn lend(group: Pid) -> bool {
    controlling().is_some_and(|terminal| match tcgetpgrp(&terminal) {
        Ok(foreground) if foreground == group => true,
        Ok(foreground) if foreground == getpgrp() => set_foreground(&terminal, group).is_ok(),
        _ => false,
    })
}

/// Takes the terminal back from `group`.
pub(super) fn take_back(group: Pid) {
    if let Some(terminal) = controlling()
        && tcgetpgrp(&terminal) == Ok(group)
    {
        // A terminal that has hung up needs no owner.
        let _ = set_foreground(&terminal, getpgrp());
    }
}

/// Stops this process as Ctrl-Z would have, so that its shell takes over; returns when the shell
/// lets it go on. Where no shell would (an orphaned group) the system ignores the signal.
pub(super) fn stop_with(group: Pid) {
    take_back(group);
    let _ = kill(Pid::from_raw(0), Signal::SIGTSTP);
    lend(group);
}

/// Whether there is a terminal at all.
pub(super) fn exists() -> bool {
    controlling().is_some()
}

/// Whether others may need the terminal as well (`… | less`): it is lent when it is asked for.
pub(super) fn is_shared() -> bool {
    is_pipe(io::stdin()) || is_pipe(io::stdout())
}

fn is_pipe(stream: impl AsFd) -> bool {
    stream
        .as_fd()
        .try_clone_to_owned()
        .and_then(|fd| File::from(fd).metadata())
        .is_ok_and(|meta| meta.file_type().is_fifo())
}

fn controlling() -> Option<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty").ok()
}

/// A process that is in the background itself may do this only with SIGTTOU blocked.
fn set_foreground(terminal: &File, group: Pid) -> nix::Result<()> {
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTTOU);
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let result = tcsetpgrp(terminal, group);
    before.thread_set_mask()?;
    result
}
