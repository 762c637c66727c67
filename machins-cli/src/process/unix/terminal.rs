//! The terminal's foreground process group, which alone may read from it and receives its Ctrl-C, and
//! the terminal's modes.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, killpg};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// The controlling terminal of this process, which may be lent to a job.
pub(in crate::process) struct Terminal {
    /// `None` if there is none.
    device: Option<File>,
    /// The process group that the job's command leads.
    group: Pid,
    /// The modes to put back when the terminal is taken back. `None` while it is not lent.
    modes: RefCell<Option<Termios>>,
    /// The modes that a job has set before it was suspended.
    modes_of_job: RefCell<Option<Termios>>,
}

impl Terminal {
    /// Opens the terminal for a job whose command leads this process group.
    pub(in crate::process) fn open(group: u32) -> Self {
        Self {
            device: OpenOptions::new().read(true).write(true).open("/dev/tty").ok(),
            group: Pid::from_raw(group.cast_signed()),
            modes: None.into(),
            modes_of_job: None.into(),
        }
    }

    /// Whether this process has a terminal.
    pub(in crate::process) fn exists(&self) -> bool {
        self.device.is_some()
    }

    /// Whether other commands may need the terminal too (`… | less`). Then it is lent on request only.
    pub(in crate::process) fn is_shared() -> bool {
        is_pipe(io::stdin()) || is_pipe(io::stdout())
    }

    /// Makes the job's group the foreground group, if this process is in the foreground. True if it is.
    pub(in crate::process) fn lend(&self) -> bool {
        let Some(device) = &self.device else { return false };
        match tcgetpgrp(device) {
            Ok(foreground) if foreground == self.group => true,
            Ok(foreground) if foreground == getpgrp() => {
                *self.modes.borrow_mut() = tcgetattr(device).ok();
                if let Some(modes) = self.modes_of_job.borrow_mut().take() {
                    set_modes(device, &modes);
                }
                set_foreground(device, self.group).is_ok()
            }
            _ => false,
        }
    }

    /// Makes this process's group the foreground group again if the job's is, and puts the terminal's
    /// modes back.
    pub(in crate::process) fn take_back(&self) {
        let Some(device) = &self.device else { return };
        let Ok(foreground) = tcgetpgrp(device) else { return };
        // A job may have handed the terminal on to a group that has ended with it. Any other group is
        // that of somebody else who has the terminal now.
        let is_of_job = foreground == self.group || killpg(foreground, None) == Err(Errno::ESRCH);
        let modes = self.modes.borrow_mut().take();
        let Some(modes) = modes else { return };
        // An error means that the terminal has hung up.
        if is_of_job && set_foreground(device, getpgrp()).is_err() {
            return;
        }
        if is_of_job || foreground == getpgrp() {
            set_modes(device, &modes);
        }
    }

    /// Takes the terminal back, as [`take_back`](Self::take_back), from a job that will have it again
    /// with the modes that it has set.
    pub(in crate::process) fn reclaim(&self) {
        if self.modes.borrow().is_some() {
            *self.modes_of_job.borrow_mut() =
                self.device.as_ref().and_then(|device| tcgetattr(device).ok());
        }
        self.take_back();
    }
}

fn is_pipe(stream: impl AsFd) -> bool {
    stream
        .as_fd()
        .try_clone_to_owned()
        .and_then(|fd| File::from(fd).metadata())
        .is_ok_and(|meta| meta.file_type().is_fifo())
}

fn set_foreground(device: &File, group: Pid) -> nix::Result<()> {
    from_the_background(|| tcsetpgrp(device, group))
}

/// Sets the modes at once: output that nobody reads is not waited for.
fn set_modes(device: &File, modes: &Termios) {
    let _ = from_the_background(|| tcsetattr(device, SetArg::TCSANOW, modes));
}

/// Does what a process in the background may do only while SIGTTOU is blocked.
fn from_the_background(action: impl FnOnce() -> nix::Result<()>) -> nix::Result<()> {
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTTOU);
    let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let result = action();
    before.thread_set_mask()?;
    result
}
