//! What `/proc` tells of processes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
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
}

impl Stat {
    /// A child of `parent` of which `/proc` shows nothing.
    pub(super) fn hidden(parent: Pid) -> Self {
        Self { parent: Some(parent), started: 0, ended: false }
    }
}

pub(super) fn stat(pid: Pid) -> io::Result<Stat> {
    let line = read(Path::new(&format!("/proc/{}/stat", pid.as_raw_nonzero())))?;
    parse_stat(&line).ok_or_else(|| ErrorKind::InvalidData.into())
}

/// The process with this number, if there is one.
pub(in crate::unix) fn identify(pid: Pid) -> Option<Process> {
    stat(pid).ok().map(|stat| Process { pid, started: stat.started })
}

/// Whether this process can still look at others. Whoever may signal it may also set how many files it may
/// open (`prlimit`), to none.
pub(in crate::unix) fn is_readable() -> bool {
    File::open("/proc/self/stat").is_ok()
}

/// Reads a file of `/proc`, with fewer calls of the system than [`fs::read`], which asks for a length
/// that such files do not have.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = vec![0; 1024];
    let mut length = 0;
    loop {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if bytes.len() - length < 1024 {
            bytes.resize(bytes.len() * 2, 0);
        }
    }
    bytes.truncate(length);
    Ok(bytes)
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

    /// The children of a process. Empty when it is gone.
    pub(super) fn of(&self, parent: Pid) -> Vec<Pid> {
        match self {
            Self::Listed => listed(parent),
            Self::Scanned(by_parent) => by_parent.get(&parent).cloned().unwrap_or_default(),
        }
    }
}

fn listed(parent: Pid) -> Vec<Pid> {
    let tasks = PathBuf::from(format!("/proc/{}/task", parent.as_raw_nonzero()));
    let mut children = Vec::new();
    let mut add = |task: &Path| {
        let list = read(&task.join("children")).unwrap_or_default();
        let pids = str::from_utf8(&list).unwrap_or_default().split_ascii_whitespace();
        children.extend(pids.filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw));
    };
    match fs::metadata(&tasks) {
        // A directory has a link for each directory in it, and two more: this process has one thread,
        // which has the number of the process.
        Ok(tasks_of_one) if tasks_of_one.nlink() == 3 => {
            add(&tasks.join(parent.as_raw_nonzero().to_string()));
        }
        Ok(_) => {
            fs::read_dir(tasks).into_iter().flatten().flatten().for_each(|task| add(&task.path()));
        }
        Err(_) => {}
    }
    children
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_read() {
        let line = b"7 (a) b (c) T 5 6 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 3 0 1234 1 1\n";
        let expected = Stat { parent: Pid::from_raw(5), started: 1234, ended: false };
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
            assert!(children.of(own).contains(&pid));
            assert!(children.of(pid).is_empty());
        }
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
