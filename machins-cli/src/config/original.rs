//! The copy of a config file that `mock exec` keeps while its command runs.
//!
//! The Python package writes to `~/.machins/config.json` whatever it is told, so the file may hold the
//! keys of a mock server then. The copy holds the user's own keys. It is put back when the last `mock
//! exec` has ended, or by the next command if that was killed; until then it is what other commands
//! read and change. All changes happen under the lock of the config file.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use agent_client_core::{folder_of, sync_folder};

use super::atomic::{private, remove, remove_leftovers, replace, temporary};

/// The variable that tells a command where its mock server is.
const MOCK_URL: &str = "MACHINS_MOCK_URL";

/// The names of the files beside a config file.
#[derive(Debug)]
pub(super) struct Original {
    /// The copy.
    copy: PathBuf,
    /// Stands for the copy of a file that did not exist.
    absent: PathBuf,
    /// Locked by each `mock exec` that is running, and contains the URLs of their servers.
    runs: PathBuf,
}

impl Original {
    /// Returns the names for the config file at this path.
    pub(super) fn of(path: &Path) -> Self {
        let beside = |suffix: &str| {
            let mut name = OsString::from(path.file_name().unwrap_or_default());
            name.push(suffix);
            path.with_file_name(name)
        };
        Self {
            copy: beside(".before-mock-exec"),
            absent: beside(".absent-before-mock-exec"),
            runs: beside(".mock-exec-runs"),
        }
    }

    /// Returns whether there is a copy, or the mark of a file that did not exist.
    pub(super) fn exists(&self) -> bool {
        self.copy.exists() || self.absent.exists()
    }

    /// Returns whether the original is to be used instead of the file itself: it always is, but by
    /// the command that `mock exec` runs.
    pub(super) fn stands_in(&self) -> bool {
        self.exists() && !self.is_for_the_mock()
    }

    /// Returns the path of the copy, where there is nothing if the file did not exist.
    pub(super) fn path(&self) -> &Path {
        &self.copy
    }

    /// Returns whether this process was given the mock server of a `mock exec` that is running.
    fn is_for_the_mock(&self) -> bool {
        let Ok(url) = std::env::var(MOCK_URL) else { return false };
        let runs = fs::read_to_string(&self.runs).unwrap_or_default();
        runs.lines().any(|run| url.strip_prefix(run).is_some_and(|rest| !starts_with_digit(rest)))
    }

    /// Registers a `mock exec`, which is running for as long as the result is open.
    pub(super) fn run(&self, url: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let mut file = private(options.append(true).create(true)).open(&self.runs)?;
        // Only who holds the lock of the config file asks for this one alone.
        file.lock_shared()?;
        writeln!(file, "{url}")?;
        Ok(file)
    }

    /// Copies the file, unless the copy of another `mock exec` is there.
    pub(super) fn keep(&self, target: &Path) -> io::Result<()> {
        if self.exists() {
            return Ok(());
        }
        remove_leftovers(folder_of(&self.copy), &temporary(&self.copy));
        match fs::read(target) {
            Ok(content) => replace(folder_of(&self.copy), &self.copy, &content),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                replace(folder_of(&self.absent), &self.absent, b"")
            }
            Err(error) => Err(error),
        }
    }

    /// Replaces the copy: the user has changed the config.
    pub(super) fn replace(&self, content: &[u8]) -> io::Result<()> {
        replace(folder_of(&self.copy), &self.copy, content)?;
        remove(&self.absent)
    }

    /// Puts the original back, unless a `mock exec` is running.
    pub(super) fn put_back_if_abandoned(&self, target: &Path) -> io::Result<()> {
        if !self.exists() {
            return Ok(());
        }
        let running = match File::open(&self.runs) {
            Ok(file) => match file.try_lock() {
                Ok(()) => Some(file),
                Err(TryLockError::WouldBlock) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(error),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match File::open(&self.copy) {
            Ok(mut copy) => {
                let mut content = Vec::new();
                copy.read_to_end(&mut content)?;
                if fs::read(target).ok().as_ref() != Some(&content) {
                    let permissions = fs::metadata(target).ok().map(|now| now.permissions());
                    replace(folder_of(target), target, &content)?;
                    if let Some(permissions) = permissions {
                        fs::set_permissions(target, permissions)?;
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => remove(target)?,
            Err(error) => return Err(error),
        }
        remove(&self.copy)?;
        remove(&self.absent)?;
        drop(running);
        remove(&self.runs)?;
        sync_folder(folder_of(target))
    }
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}
