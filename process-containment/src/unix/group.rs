//! The processes of a job where the system has no better name for them: a process group.

use std::path::PathBuf;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

use super::remaining::Remaining;
use crate::event::Recipients;

/// The process group of a job.
#[derive(Debug, Default)]
pub(super) struct Members {
    group: Option<Pid>,
}

impl Members {
    pub(super) fn of_keeper() -> Self {
        Self::default()
    }

    /// Tells which group it is: the launcher's own, which becomes the command's.
    pub(super) fn set_group(&mut self, group: Pid) {
        self.group = Some(group);
    }

    pub(super) fn cgroup(&self) -> Option<PathBuf> {
        None
    }

    pub(super) fn terminate(&mut self) -> Vec<Pid> {
        let refused = self.send(Signal::TERM);
        self.send(Signal::CONT);
        refused
    }

    /// A group does not tell who is new in it.
    pub(super) fn kill_newcomers(&mut self) -> Vec<Pid> {
        Vec::new()
    }

    pub(super) fn kill(&mut self) -> Remaining {
        let refused = self.send(Signal::KILL);
        let living = self.group.filter(|_| !self.is_empty()).into_iter().collect();
        Remaining { living, refused, others: false }
    }

    /// A group can be signalled without being seen.
    pub(super) fn are_hidden() -> bool {
        false
    }

    pub(super) fn stop(&mut self) {
        self.send(Signal::STOP);
    }

    pub(super) fn resume(&mut self) {
        self.send(Signal::CONT);
    }

    pub(super) fn signal(&mut self, command: Option<Pid>, recipients: Recipients, signal: Signal) {
        match (recipients, command) {
            (Recipients::Command, Some(command)) => drop(kill_process(command, signal)),
            (Recipients::Command, None) => {}
            _ => drop(self.send(signal)),
        }
    }

    /// Whether the group has no members any more.
    pub(super) fn is_empty(&self) -> bool {
        self.group.is_none_or(|group| test_kill_process_group(group) == Err(Errno::SRCH))
    }

    pub(super) fn clean_up(&mut self) {
        self.group = None;
    }

    fn send(&self, signal: Signal) -> Vec<Pid> {
        let Some(group) = self.group else { return Vec::new() };
        match kill_process_group(group, signal) {
            Err(Errno::PERM) => vec![group],
            _ => Vec::new(),
        }
    }
}
