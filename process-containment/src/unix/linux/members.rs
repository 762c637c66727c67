//! The processes of a job: a tree, and a cgroup where there is one.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::cgroup::Cgroup;
use super::proc::{Children, Process, identify, is_readable};
use super::tree::Tree;
use crate::event::Recipients;
use crate::unix::remaining::Remaining;

/// The processes of a job, as their keeper or, when that is lost, their keeper's caller sees them.
#[derive(Debug)]
pub(in crate::unix) struct Members {
    tree: Tree,
    cgroup: Option<Cgroup>,
    /// Those that have been asked to end.
    asked: HashSet<Process>,
    /// Those that were living when KILL was last prepared, and for how many times it has not been sent.
    frozen: HashSet<Process>,
    freezes: u32,
}

/// How often to look for more before KILL is sent to those that have been found.
const MAX_FREEZES: u32 = 3;

/// Children of a process that are not part of a job.
pub(in crate::unix) type Spared = HashSet<Process>;

/// All children that this process has now.
pub(in crate::unix) fn own_children() -> Spared {
    let own = rustix::process::getpid();
    Children::now().of(own).into_iter().filter_map(identify).collect()
}

/// The children of another process.
pub(in crate::unix) fn children(parent: Pid) -> Vec<Pid> {
    Children::now().of(parent)
}

impl Members {
    /// The descendants of this process, which has no other children than those of the job.
    pub(in crate::unix) fn of_keeper() -> Self {
        Self::of(Tree::of_keeper(), None)
    }

    /// The descendants of a process that may have others as well.
    pub(in crate::unix) fn orphans() -> Self {
        Self::of(Tree::except(HashSet::new()), None)
    }

    /// Tells which children of this process are no members, and which cgroup a lost keeper has left.
    pub(in crate::unix) fn are_all_but(&mut self, spared: Spared, cgroup: Option<&Path>) {
        self.tree = Tree::except(spared);
        self.cgroup = cgroup.map(|directory| Cgroup::existing(directory.to_owned()));
    }

    fn of(tree: Tree, cgroup: Option<Cgroup>) -> Self {
        Self { tree, cgroup, asked: HashSet::new(), frozen: HashSet::new(), freezes: 0 }
    }

    /// Moves the launcher into a new cgroup, and with it all that it will start.
    pub(in crate::unix) fn enter_cgroup(&mut self, launcher: Pid) -> io::Result<()> {
        let cgroup = Cgroup::create()?;
        if let Err(error) = cgroup.add(launcher) {
            cgroup.remove();
            return Err(error);
        }
        self.cgroup = Some(cgroup);
        Ok(())
    }

    pub(in crate::unix) fn cgroup(&self) -> Option<PathBuf> {
        self.cgroup.as_ref().map(|cgroup| cgroup.directory().to_owned())
    }

    /// Sends TERM to all at once. Returns those that can't be signalled.
    pub(in crate::unix) fn terminate(&mut self) -> Vec<Pid> {
        let pass = self.tree.signal_at_once(Signal::TERM);
        self.asked.extend(pass.living);
        pass.refused
    }

    /// Kills those that have appeared since TERM was sent.
    pub(in crate::unix) fn kill_newcomers(&mut self) -> Vec<Pid> {
        let asked = &self.asked;
        self.tree
            .walk(|process| if asked.contains(&process) { &[] } else { &[Signal::KILL] })
            .refused
    }

    /// Sends KILL to all. To be repeated until none is left.
    ///
    /// They are stopped first: one that is only stopped takes up its place among the processes that its
    /// user may have, and its parent is not told. As long as that finds more, KILL waits, but not for
    /// long; and between two looks the caller clears away those that have ended.
    pub(in crate::unix) fn kill(&mut self) -> Remaining {
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
        let mut pass = self.tree.signal(Signal::STOP);
        if !pass.living.iter().all(|process| self.frozen.contains(process)) {
            self.frozen = pass.living.into_iter().collect();
            pass = self.tree.signal(Signal::STOP);
        }
        self.freezes += 1;
        let all_frozen = pass.living.iter().all(|process| self.frozen.contains(process));
        self.frozen = pass.living.iter().copied().collect();
        if all_frozen || self.freezes >= MAX_FREEZES {
            self.freezes = 0;
            pass = self.tree.signal(Signal::KILL);
        }
        let living = pass.living.into_iter().map(|process| process.pid).collect();
        Remaining { living, refused: pass.refused, others: false }
    }

    /// Whether this process can no longer see who they are.
    pub(in crate::unix) fn are_hidden() -> bool {
        !is_readable()
    }

    /// Whether nothing is left, given that the tree is empty: somebody may have moved a process of
    /// another tree into the cgroup.
    pub(in crate::unix) fn is_empty(&self) -> bool {
        !self.cgroup.as_ref().is_some_and(Cgroup::is_populated)
    }

    /// Stops all, also those that somebody has let go on.
    pub(in crate::unix) fn stop(&mut self) {
        self.tree.freeze();
    }

    /// Lets all go on.
    pub(in crate::unix) fn resume(&mut self) {
        self.tree.signal(Signal::CONT);
    }

    /// Sends a signal to some. `command` is `None` when it has ended.
    pub(in crate::unix) fn signal(
        &mut self,
        command: Option<Pid>,
        recipients: Recipients,
        signal: Signal,
    ) {
        let _ = match (recipients, command) {
            (Recipients::Command, Some(command)) => kill_process(command, signal),
            (Recipients::Group, Some(command)) => kill_process_group(command, signal),
            (Recipients::Tree, _) => {
                self.tree.signal(signal);
                Ok(())
            }
            (_, None) => Ok(()),
        };
    }

    /// Clears away what the job used, when all of it has ended.
    pub(in crate::unix) fn clean_up(&mut self) {
        if let Some(cgroup) = self.cgroup.take() {
            cgroup.remove();
        }
    }
}
