//! What `/proc` tells of processes.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::process::Pid;

/// A process that will never be taken for a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::unix) struct Process {
    pub(super) pid: Pid,
    /// In clock ticks since the system started.
    pub(super) started: u64,
}

impl Process {
    pub(in crate::unix) fn pid(self) -> Pid {
        self.pid
    }
}

/// The line `/proc/PID/stat`, as much as is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) parent: Option<Pid>,
    pub(super) started: u64,
    /// Has ended and only waits for its parent to ask how.
    pub(super) ended: bool,
    pub(super) threads: u32,
}

impl Stat {
    /// A child of `parent` of which `/proc` shows nothing.
    pub(super) fn hidden(parent: Pid) -> Self {
        Self { parent: Some(parent), started: 0, ended: false, threads: u32::MAX }
    }
}

pub(super) fn stat(pid: Pid) -> io::Result<Stat> {
    let line = fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero()))?;
    parse_stat(&line).ok_or_else(|| ErrorKind::InvalidData.into())
}

/// The name, in parentheses, may hold anything, spaces and parentheses included.
fn parse_stat(line: &[u8]) -> Option<Stat> {
    let after_name = line.iter().rposition(|byte| *byte == b')')? + 1;
    let fields: Vec<&str> = str::from_utf8(&line[after_name..]).ok()?.split_whitespace().collect();
    let state = *fields.first()?;
    // A thread that outlives the first one of its process keeps the process alive.
    let threads: u32 = fields.get(17)?.parse().ok()?;
    Some(Stat {
        parent: Pid::from_raw(fields.get(1)?.parse().ok()?),
        started: fields.get(19)?.parse().ok()?,
        ended: matches!(state, "Z" | "X" | "x") && threads <= 1,
        threads,
    })
}

/// Whether `/proc` is mounted and shows this process by the number that it knows itself.
pub(crate) fn check() -> io::Result<()> {
    let target = fs::read_link("/proc/self")?;
    if target == Path::new(&std::process::id().to_string()) {
        Ok(())
    } else {
        Err(io::Error::other("it belongs to another PID namespace"))
    }
}

/// Knows the children of every process, as of now.
pub(super) enum Children {
    /// Asks the kernel for one process at a time.
    Listed,
    /// A kernel without those lists: by parent, from one look at every process.
    Scanned(HashMap<Pid, Vec<Pid>>),
}

impl Children {
    pub(super) fn now() -> Self {
        let own = std::process::id();
        if fs::exists(format!("/proc/self/task/{own}/children")).unwrap_or(false) {
            Self::Listed
        } else {
            Self::scan()
        }
    }

    fn scan() -> Self {
        let mut by_parent: HashMap<Pid, Vec<Pid>> = HashMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(pid) = pid.and_then(Pid::from_raw) else { continue };
            if let Ok(Stat { parent: Some(parent), .. }) = stat(pid) {
                by_parent.entry(parent).or_default().push(pid);
            }
        }
        Self::Scanned(by_parent)
    }

    /// The children of a process with so many threads. Empty when it is gone.
    pub(super) fn of(&self, parent: Pid, threads: u32) -> Vec<Pid> {
        match self {
            Self::Listed => listed(parent, threads),
            Self::Scanned(by_parent) => by_parent.get(&parent).cloned().unwrap_or_default(),
        }
    }
}

fn listed(parent: Pid, threads: u32) -> Vec<Pid> {
    let tasks = PathBuf::from(format!("/proc/{}/task", parent.as_raw_nonzero()));
    let mut children = Vec::new();
    let mut add = |task: &Path| {
        let list = fs::read_to_string(task.join("children")).unwrap_or_default();
        let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
        children.extend(pids.filter_map(Pid::from_raw));
    };
    if threads == 1 {
        // Its only thread has the number of the process.
        add(&tasks.join(parent.as_raw_nonzero().to_string()));
    } else {
        fs::read_dir(tasks).into_iter().flatten().flatten().for_each(|task| add(&task.path()));
    }
    children
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_read() {
        let line = b"7 (a) b (c) T 5 6 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 3 0 1234 1 1\n";
        let expected = Stat { parent: Pid::from_raw(5), started: 1234, ended: false, threads: 3 };
        assert_eq!(parse_stat(line), Some(expected));
    }

    #[test]
    fn a_zombie_with_a_living_thread_has_not_ended() {
        let line =
            |threads: u32| format!("7 (x) Z 5 6 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 {threads} 0 9 1");
        let ended = |threads| parse_stat(line(threads).as_bytes()).unwrap().ended;
        assert!(ended(1));
        assert!(!ended(2));
    }

    #[test]
    fn both_ways_to_find_children_agree() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let own = rustix::process::getpid();
        let pid = Pid::from_child(&child);
        for children in [Children::Listed, Children::scan()] {
            assert!(children.of(own, 2).contains(&pid));
            assert!(children.of(pid, 1).is_empty());
        }
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
