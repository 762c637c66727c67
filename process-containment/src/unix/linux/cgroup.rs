//! A cgroup (version 2) of the job's own, below that of this process.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, getpid};

use super::proc::{Process, identify};

const PREFIX: &str = "process-containment.";

/// A cgroup that exists until it is [removed](Self::remove).
#[derive(Debug)]
pub(super) struct Cgroup {
    directory: PathBuf,
}

impl Cgroup {
    /// Creates a cgroup that can be killed as one.
    pub(super) fn create() -> io::Result<Self> {
        let parent = own()?;
        let namespace = pid_namespace()?;
        remove_stale(&parent, &namespace);
        let keeper = identify(getpid()).ok_or(ErrorKind::NotFound)?;
        let directory = parent.join(name(&namespace, keeper));
        fs::create_dir(&directory)?;
        let cgroup = Self { directory };
        if fs::exists(cgroup.directory.join("cgroup.kill"))? {
            Ok(cgroup)
        } else {
            cgroup.remove();
            Err(io::Error::new(ErrorKind::Unsupported, "this kernel can't kill a cgroup"))
        }
    }

    /// The cgroup that a keeper created.
    pub(super) fn existing(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Moves a process into the cgroup. What it starts from now on is born there.
    pub(super) fn add(&self, pid: Pid) -> io::Result<()> {
        fs::write(self.directory.join("cgroup.procs"), pid.as_raw_nonzero().to_string())
    }

    /// Kills everything in the cgroup and in those below it.
    pub(super) fn kill(&self) {
        // Where this fails the walk through the tree does all the work.
        let _ = fs::write(self.directory.join("cgroup.kill"), "1");
    }

    /// Whether a living process is in it or below it.
    pub(super) fn is_populated(&self) -> bool {
        let events = fs::read_to_string(self.directory.join("cgroup.events"));
        events.is_ok_and(|events| events.lines().any(|line| line == "populated 1"))
    }

    /// Removes the cgroup, which must be empty by now, and those that the job created below it.
    pub(super) fn remove(&self) {
        remove_tree(&self.directory);
    }
}

fn remove_tree(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let _ = fs::remove_dir(directory);
}

/// The name of a keeper's cgroup. Keepers in other PID namespaces may have the same number, and later
/// ones too.
fn name(namespace: &str, keeper: Process) -> String {
    format!("{PREFIX}{namespace}.{}.{}", keeper.pid.as_raw_nonzero(), keeper.started)
}

/// The number of the PID namespace that this process is in.
fn pid_namespace() -> io::Result<String> {
    let link = fs::read_link("/proc/self/ns/pid")?;
    Ok(link.to_string_lossy().chars().filter(char::is_ascii_digit).collect())
}

/// Removes what keepers that were killed together with their callers left behind.
fn remove_stale(parent: &Path, namespace: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let file_name = entry.file_name();
        let keeper = file_name
            .to_str()
            .and_then(|file_name| file_name.strip_prefix(PREFIX)?.strip_prefix(namespace))
            .and_then(|rest| rest.split('.').nth(1)?.parse().ok())
            .and_then(Pid::from_raw);
        let is_its = |keeper| file_name.to_str() == Some(&name(namespace, keeper));
        if keeper.is_some_and(|pid| !identify(pid).is_some_and(is_its)) {
            remove_tree(&entry.path());
        }
    }
}

/// The directory of the cgroup that this process is in.
fn own() -> io::Result<PathBuf> {
    let cgroups = fs::read("/proc/self/cgroup")?;
    let mounts = fs::read("/proc/self/mountinfo")?;
    directory(&cgroups, &mounts)
        .ok_or_else(|| io::Error::new(ErrorKind::NotFound, "no cgroup2 file system is mounted"))
}

/// Finds the cgroup of `/proc/PID/cgroup` below a mount of `/proc/PID/mountinfo`.
fn directory(cgroups: &[u8], mounts: &[u8]) -> Option<PathBuf> {
    let own = lines(cgroups).find_map(|line| line.strip_prefix(b"0::"))?;
    // The cgroup of a process that has been moved may have been removed.
    let own = path(own.strip_suffix(b" (deleted)").unwrap_or(own));
    lines(mounts).find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let separator = fields.iter().position(|field| *field == b"-")?;
        if *fields.get(separator + 1)? != b"cgroup2" {
            return None;
        }
        let (root, point) = (unescape(fields.get(3)?), unescape(fields.get(4)?));
        // A container may see only a part of the hierarchy.
        let below = own.strip_prefix(path(&root)).ok()?;
        Some(path(&point).join(below))
    })
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

fn path(bytes: &[u8]) -> PathBuf {
    std::ffi::OsString::from_vec(bytes.to_vec()).into()
}

/// Spaces, tabs, newlines and backslashes are written as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        let digits = after.get(..3).and_then(|digits| str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match escaped {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const UNIFIED: &str = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw";

    #[rstest]
    #[case::whole_hierarchy("0::/user.slice/x", UNIFIED, Some("/sys/fs/cgroup/user.slice/x"))]
    #[case::cgroup_namespace("0::/", UNIFIED, Some("/sys/fs/cgroup/"))]
    #[case::hybrid(
        "4:memory:/a\n0::/b",
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
         41 31 0:38 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw",
        Some("/sys/fs/cgroup/unified/b")
    )]
    #[case::mounted_part(
        "0::/docker/abc/job",
        "29 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw",
        Some("/sys/fs/cgroup/job")
    )]
    #[case::outside_the_mounted_part(
        "0::/docker/other",
        "29 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw",
        None
    )]
    #[case::space_in_the_path(
        "0::/a b",
        r"29 23 0:26 / /my\040mounts\134x rw - cgroup2 cgroup2 rw",
        Some(r"/my mounts\x/a b")
    )]
    #[case::only_version_1("4:memory:/a", "32 31 0:29 / /c rw - cgroup cgroup rw,cpu", None)]
    #[case::not_mounted("0::/", "22 27 0:21 / /proc rw,relatime - proc proc rw", None)]
    fn the_own_cgroup_is_found(
        #[case] cgroups: &str,
        #[case] mounts: &str,
        #[case] expected: Option<&str>,
    ) {
        let found = directory(cgroups.as_bytes(), mounts.as_bytes());
        assert_eq!(found, expected.map(PathBuf::from));
    }
}
