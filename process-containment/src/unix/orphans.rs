//! What is left of a job when its keeper has been killed, as the caller ends it.

use std::collections::HashSet;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::Pid;

use super::members::Members;
use super::remaining::Remaining;

/// The keepers that this process has started and that have not ended. Locked while one is started, so
/// that none is ever taken for an orphan of another.
static KEEPERS: Mutex<Option<HashSet<Pid>>> = Mutex::new(None);

/// The keepers of this process, while nobody else changes or uses the list.
pub(super) struct Keepers(MutexGuard<'static, Option<HashSet<Pid>>>);

impl Keepers {
    pub(super) fn lock() -> Self {
        Self(KEEPERS.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn add(&mut self, keeper: Pid) {
        self.0.get_or_insert_default().insert(keeper);
    }

    pub(super) fn remove(&mut self, keeper: Pid) {
        self.0.get_or_insert_default().remove(&keeper);
    }

    #[cfg(target_os = "linux")]
    fn pids(&self) -> impl Iterator<Item = Pid> {
        self.0.iter().flatten().copied()
    }
}

/// The processes that a lost keeper leaves. They have become children of this process.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Orphans {
    /// The children that this process had before the job began.
    bystanders: super::linux::Spared,
    members: Members,
}

#[cfg(target_os = "linux")]
impl Orphans {
    /// To be called before the keeper is started.
    pub(super) fn prepare() -> std::io::Result<Self> {
        super::linux::adopt_orphans()?;
        let bystanders = super::linux::own_children();
        Ok(Self { bystanders, members: Members::orphans() })
    }

    /// Kills all, and says who is left. To be repeated until none is.
    pub(super) fn kill(
        &mut self,
        command: Option<Pid>,
        cgroup: Option<&Path>,
    ) -> (Remaining, Option<ExitStatus>) {
        use std::os::unix::process::ExitStatusExt;

        use rustix::process::{WaitOptions, getpid, waitpid};

        use super::keeper::kill_unseen;
        use super::linux::{children, identify};

        let keepers = Keepers::lock();
        let mut spared = self.bystanders.clone();
        spared.extend(keepers.pids().filter_map(identify));
        let spared_pids: HashSet<Pid> = spared.iter().map(|process| process.pid()).collect();
        let orphans = || -> Vec<Pid> {
            let mut children = children(getpid());
            children.retain(|pid| !spared_pids.contains(pid));
            children
        };
        let mut status = None;
        for orphan in orphans() {
            if let Ok(Some((_, ended))) = waitpid(Some(orphan), WaitOptions::NOHANG)
                && Some(orphan) == command
            {
                status = Some(ExitStatus::from_raw(ended.as_raw()));
            }
        }
        self.members.are_all_but(spared, cgroup);
        let mut remaining = self.members.kill();
        if Members::are_hidden() {
            if let Some(command) = command {
                kill_unseen(command);
            }
            // That none is seen does not say that none is left.
            remaining.others = true;
            return (remaining, status);
        }
        // One that starts another and ends, over and over, is not always found living. But then there is
        // the one that has ended: only when there is no child at all is nothing left.
        remaining.others = !orphans().is_empty();
        if remaining.is_empty() {
            self.members.clean_up();
        }
        (remaining, status)
    }
}

/// The process group that a lost keeper leaves.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Orphans;

#[cfg(not(target_os = "linux"))]
impl Orphans {
    pub(super) fn prepare() -> std::io::Result<Self> {
        Ok(Self)
    }

    pub(super) fn kill(
        &mut self,
        command: Option<Pid>,
        _cgroup: Option<&Path>,
    ) -> (Remaining, Option<ExitStatus>) {
        let mut members = Members::of_keeper();
        if let Some(group) = command {
            members.set_group(group);
        }
        (members.kill(), None)
    }
}
