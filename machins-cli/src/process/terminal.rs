//! The terminal's foreground process group, which alone may read from it and receives its Ctrl-C.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// Makes `group` the foreground group, if there is a terminal and this process is in the foreground.
pub(super) fn lend(group: Pid) -> bool {
    controlling().is_some_and(|terminal| match tcgetpgrp(&terminal) {
        Ok(foreground) if foreground == group => true,
        Ok(foreground) if foreground == getpgrp() => set_foreground(&terminal, group).is_ok(),
        _ => false,
    })
}

/// Makes this process's group the foreground group again if `group` is.
pub(super) fn take_back(group: Pid) {
    if let Some(terminal) = controlling()
        && tcgetpgrp(&terminal) == Ok(group)
    {
        // An error means that the terminal has hung up.
        let _ = set_foreground(&terminal, getpgrp());
    }
}

/// Stops this process as Ctrl-Z would, so that its shell takes over, and returns when the shell
/// continues it. The system ignores the signal in an orphaned group, which has no shell.
pub(super) fn stop_with(group: Pid) {
    take_back(group);
    let _ = kill(Pid::from_raw(0), Signal::SIGTSTP);
    lend(group);
}

/// Whether this process has a terminal.
pub(super) fn exists() -> bool {
    controlling().is_some()
}

/// Whether other commands may need the terminal too (`… | less`). Then it is lent on request only.
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

/// Changes the foreground group. A process in the background may do this only with SIGTTOU blocked.
fn set_foreground(terminal: &File, group: Pid) -> nix::Result<()> {
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTTOU);
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let result = tcsetpgrp(terminal, group);
    before.thread_set_mask()?;
    result
}
