//! The caller's connection to a keeper, from its start to its end or loss.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitid, waitpid,
};

use super::channel::Channel;
use super::message::FromKeeper;
use super::orphans::{Keepers, Orphans};
use super::remaining::Remaining;
use super::role::Role;

/// How often to look whether somebody has stopped the keeper: nothing tells.
const LOOK: Duration = Duration::from_millis(500);
/// How often to look while the keeper is stopped, and the most that the time between two looks counts for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// For how long a keeper must have been seen stopped to be lost. Whoever lets caller and keeper go on
/// after a pause of both can't do so in the same instant.
const STOPPED: Duration = Duration::from_millis(400);

/// A keeper and what it says.
#[derive(Debug)]
pub(super) struct Connection {
    channel: Channel,
    keeper: Pid,
    /// Somebody has asked how the keeper ended, so that its number may be another process's.
    reaped: bool,
    /// When it was last seen to be stopped, and for how long by now. `None` while it runs.
    stopped: Option<(Instant, Duration)>,
    orphans: Orphans,
    pub(super) command: Option<Pid>,
    pub(super) cgroup: Option<PathBuf>,
}

/// What came from the keeper.
pub(super) enum Heard {
    Message(FromKeeper),
    /// Nothing in that time.
    Nothing,
    /// The keeper has ended or been stopped, without a word.
    Lost,
}

impl Connection {
    /// Starts a keeper, or the helper that will start it. Also returns the connection to send on.
    pub(super) fn start(role: Role) -> io::Result<(Self, UnixStream)> {
        let orphans = Orphans::prepare()?;
        let (ours, theirs) = UnixStream::pair()?;
        let sender = ours.try_clone()?;
        let mut command = role.command(OwnedFd::from(theirs))?;
        let mut keepers = Keepers::lock();
        let keeper = Pid::from_child(&command.spawn()?);
        keepers.add(keeper);
        drop(keepers);
        let channel = Channel::new(ours);
        let connection = Self {
            channel,
            keeper,
            reaped: false,
            stopped: None,
            orphans,
            command: None,
            cgroup: None,
        };
        Ok((connection, sender))
    }

    pub(super) fn keeper(&self) -> Pid {
        self.keeper
    }

    /// The helper has started the keeper, and ends.
    pub(super) fn replace_helper(&mut self, keeper: Pid) {
        Keepers::lock().add(keeper);
        self.wait_for_end();
        self.keeper = keeper;
        self.reaped = false;
        self.stopped = None;
    }

    /// Waits for the next message, for `timeout` or half a second at most.
    pub(super) fn hear(&mut self, timeout: Duration) -> Heard {
        match self.channel.next() {
            Ok(Some(message)) => return Heard::Message(message),
            Ok(None) => {}
            Err(_) => return Heard::Lost,
        }
        let look = if self.stopped.is_some() { LOOK_AGAIN } else { LOOK };
        self.is_readable(timeout.min(look));
        // Looked at before reading: what a keeper said before it ended is there then.
        let gone = self.has_ended_or_stopped();
        let open = !self.is_readable(Duration::ZERO)
            || self.channel.fill(&mut Vec::new()).is_ok_and(|open| open);
        match self.channel.next() {
            Ok(Some(message)) => Heard::Message(message),
            Ok(None) if open && !gone => Heard::Nothing,
            _ => Heard::Lost,
        }
    }

    /// Waits until there is something to read, or the end of the connection.
    fn is_readable(&self, timeout: Duration) -> bool {
        let timeout = Timespec::try_from(timeout).ok();
        match poll(&mut [PollFd::new(&self.channel, PollFlags::IN)], timeout.as_ref()) {
            Ok(ready) => ready > 0,
            Err(Errno::INTR) => false,
            Err(_) => {
                // The kernel is out of memory. That passes, or it does not matter any more.
                thread::sleep(Duration::from_millis(10));
                false
            }
        }
    }

    fn has_ended_or_stopped(&mut self) -> bool {
        if !self.reaped {
            match waitpid(Some(self.keeper), WaitOptions::NOHANG) {
                Ok(Some(_)) | Err(Errno::CHILD) => self.reaped = true,
                Ok(None) | Err(_) => {}
            }
        }
        self.reaped || self.has_been_stopped()
    }

    /// Whether somebody has stopped the keeper, and does not let it go on.
    fn has_been_stopped(&mut self) -> bool {
        // Left to be waited for, so that the next look finds it too if it is still so.
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if !matches!(waitid(WaitId::Pid(self.keeper), options), Ok(Some(_))) {
            self.stopped = None;
            return false;
        }
        let now = Instant::now();
        let (last, before) = self.stopped.unwrap_or((now, Duration::ZERO));
        // If this process was paused too, that time does not count.
        let stopped = before + now.saturating_duration_since(last).min(LOOK_AGAIN);
        self.stopped = Some((now, stopped));
        stopped >= STOPPED
    }

    /// Makes sure that the keeper has ended and that its children have become this process's.
    pub(super) fn end_keeper(&mut self) {
        if !self.reaped {
            let _ = kill_process(self.keeper, Signal::KILL);
        }
        self.wait_for_end();
    }

    /// Waits for a keeper that has said its last word.
    pub(super) fn wait_for_end(&mut self) {
        while !self.reaped {
            match waitpid(Some(self.keeper), WaitOptions::UNTRACED) {
                Ok(Some((_, status))) if status.stopped() => {
                    let _ = kill_process(self.keeper, Signal::KILL);
                }
                Err(Errno::INTR) => {}
                _ => self.reaped = true,
            }
        }
        Keepers::lock().remove(self.keeper);
    }

    /// Kills what a lost keeper left. To be repeated until nothing is.
    pub(super) fn kill_orphans(&mut self) -> (Remaining, Option<ExitStatus>) {
        self.orphans.kill(self.command, self.cgroup.as_deref())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}
