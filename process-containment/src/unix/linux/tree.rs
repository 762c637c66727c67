//! All processes that descend from this one.

use std::collections::{HashSet, VecDeque};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, pidfd_send_signal, test_kill_process,
};

use super::proc::{self, Children, Process, Stat, identify};

/// After so many passes a freeze ends, whether or not it has caught everything.
const MAX_PASSES: u32 = 10;

/// Finds the descendants of this process and sends them signals.
#[derive(Debug)]
pub(super) struct Tree {
    /// Whether nobody but the caller of this waits for this process's children. Their numbers can't
    /// be reused then before it has.
    only_reaper: bool,
    /// Children that are not part of the job.
    spared: HashSet<Process>,
}

/// What one pass through the tree found.
#[derive(Debug, Default)]
pub(super) struct Pass {
    pub(super) living: Vec<Process>,
    /// Those that the system did not allow to be signalled.
    pub(super) refused: Vec<Pid>,
}

impl Tree {
    pub(super) fn of_keeper() -> Self {
        Self { only_reaper: true, spared: HashSet::new() }
    }

    pub(super) fn except(spared: HashSet<Process>) -> Self {
        Self { only_reaper: false, spared }
    }

    /// Stops every process. One that is stopped starts no others, so that after a pass that finds
    /// nothing new all are known.
    pub(super) fn freeze(&self) -> Pass {
        let mut known = HashSet::new();
        let mut pass = Pass::default();
        for _ in 0..MAX_PASSES {
            pass = self.signal(Signal::STOP);
            let found = known.len();
            known.extend(pass.living.iter().copied());
            if known.len() == found {
                break;
            }
        }
        pass
    }

    /// Sends a signal to every process, parents before their children.
    pub(super) fn signal(&self, signal: Signal) -> Pass {
        if self.only_reaper && matches!(signal, Signal::STOP | Signal::KILL) {
            strike(signal);
        }
        let signals = [signal];
        self.walk(|_| &signals)
    }

    /// Sends every process a signal and has all of them go on, only then: none acts on the signal before
    /// all have it. Returns all of them.
    pub(super) fn signal_at_once(&self, signal: Signal) -> Pass {
        let stop = [Signal::STOP, signal];
        let mut all = self.walk(|_| &stop);
        let mut known: HashSet<Pid> = all.living.iter().map(|process| process.pid).collect();
        for _ in 1..MAX_PASSES {
            let pass = self.walk_beyond(&known, |_| &stop);
            if pass.living.is_empty() {
                break;
            }
            known.extend(pass.living.iter().map(|process| process.pid));
            all.living.extend(pass.living);
            all.refused.extend(pass.refused);
        }
        self.let_go_on(&all.living);
        all
    }

    /// Lets these processes go on, also those that were stopped before.
    fn let_go_on(&self, processes: &[Process]) {
        let own_children: HashSet<Pid> = if self.only_reaper {
            Children::now().of(getpid()).into_iter().collect()
        } else {
            HashSet::new()
        };
        for process in processes {
            let keeps_number = own_children.contains(&process.pid);
            let Some(handle) = Handle::open(process.pid, keeps_number) else { continue };
            if keeps_number || identify(process.pid) == Some(*process) {
                let _ = handle.send(Signal::CONT);
            }
        }
    }

    /// Sends every process the signals that `wanted` gives for it.
    pub(super) fn walk<'a>(&self, wanted: impl FnMut(Process) -> &'a [Signal]) -> Pass {
        self.walk_beyond(&HashSet::new(), wanted)
    }

    /// Sends signals as [`walk`](Self::walk) does, but not to the processes with these numbers, which
    /// are not in the result.
    fn walk_beyond<'a>(
        &self,
        known: &HashSet<Pid>,
        mut wanted: impl FnMut(Process) -> &'a [Signal],
    ) -> Pass {
        let children = Children::now();
        let root = getpid();
        let mut pass = Pass::default();
        let mut seen = HashSet::new();
        let mut parents = VecDeque::from([root]);
        while let Some(parent) = parents.pop_front() {
            for pid in children.of(parent) {
                if !seen.insert(pid) {
                    continue;
                }
                if known.contains(&pid) {
                    parents.push_back(pid);
                    continue;
                }
                let keeps_number = parent == root && self.only_reaper;
                let Some(handle) = Handle::open(pid, keeps_number) else { continue };
                let stat = match proc::stat(pid) {
                    Ok(stat) => stat,
                    // Hidden (`hidepid`), or gone. A child of this process keeps its number.
                    Err(_) if parent == root => Stat::hidden(parent),
                    Err(_) => continue,
                };
                // The parent may have ended meanwhile, and the number may be another process's.
                if stat.parent != Some(parent) && stat.parent != Some(root) {
                    continue;
                }
                let process = Process { pid, started: stat.started };
                if parent == root && self.spared.contains(&process) {
                    continue;
                }
                parents.push_back(pid);
                if stat.ended {
                    continue;
                }
                let sent = match wanted(process) {
                    [] => handle.test(),
                    signals => signals.iter().try_for_each(|signal| handle.send(*signal)),
                };
                if sent != Err(Errno::SRCH) {
                    pass.living.push(process);
                }
                if sent == Err(Errno::PERM) {
                    pass.refused.push(pid);
                }
            }
        }
        pass
    }
}

/// Sends a signal that takes effect at once to a keeper's children, until there are no new ones.
///
/// A process that starts another and ends, over and over, is always a child of this one. It is caught
/// best without another look at it.
fn strike(signal: Signal) {
    let mut struck = HashSet::new();
    for _ in 0..MAX_PASSES {
        let found = struck.len();
        for pid in Children::now().of(getpid()) {
            if struck.insert(pid) {
                let _ = kill_process(pid, signal);
            }
        }
        if struck.len() == found {
            break;
        }
    }
}

/// A process that a signal is sent to: not to another that has got its number.
enum Handle {
    Exact(Pid, OwnedFd),
    /// The number is enough; or it has to be, with a kernel before 5.3, a filter on system calls, or
    /// too few descriptors.
    ByNumber(Pid),
}

impl Handle {
    fn open(pid: Pid, keeps_number: bool) -> Option<Self> {
        if keeps_number {
            return Some(Self::ByNumber(pid));
        }
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => Some(Self::Exact(pid, fd)),
            Err(Errno::SRCH) => None,
            Err(_) => Some(Self::ByNumber(pid)),
        }
    }

    fn send(&self, signal: Signal) -> Result<(), Errno> {
        match self {
            Self::Exact(pid, fd) => match pidfd_send_signal(fd, signal) {
                Err(Errno::NOSYS) => kill_process(*pid, signal),
                result => result,
            },
            Self::ByNumber(pid) => kill_process(*pid, signal),
        }
    }

    fn test(&self) -> Result<(), Errno> {
        match self {
            Self::Exact(pid, _) | Self::ByNumber(pid) => test_kill_process(*pid),
        }
    }
}
