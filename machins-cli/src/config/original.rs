//! The copy of a config file that `mock exec` keeps while its command runs.
//!
//! The Python package writes to `~/.machins/config.json` whatever it is told, so the file may hold the
//! keys of a mock server then. The copy holds the user's own keys. It is put back when the last `mock
//! exec` has ended, or by the next command if that was killed; until then it is what other commands
//! read and change. All changes happen under the lock of the config file.
//!
//! The command may also have removed the folder, or have put a link in the place of the file. So a
//! `mock exec` remembers what was there, and nothing is ever written through a link that it did not find.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use agent_client_core::{folder_of, open_without_waiting, read_to_limit, sync_folder};

use super::atomic::{private, remove, remove_leftovers, replace, temporary};

/// The variable that tells a command where its mock server is.
const MOCK_URL: &str = "MACHINS_MOCK_URL";

/// The names of the files beside a config file.
#[derive(Debug)]
pub(super) struct Original {
    /// The config file, or the link to it.
    path: PathBuf,
    /// The copy.
    copy: PathBuf,
    /// Stands for the copy of a file that did not exist.
    absent: PathBuf,
    /// Locked by each `mock exec` that is running. Its first line is the path of the file that the config
    /// file was or led to, and the others are the URLs of their servers.
    runs: PathBuf,
}

/// What a `mock exec` remembers of a config file.
#[derive(Debug)]
pub(super) struct Remembered {
    /// The file that it was or led to.
    pub(super) target: PathBuf,
    /// `None` if there was no file.
    content: Option<Vec<u8>>,
    permissions: Option<Permissions>,
    /// Where the link leads, if it was one.
    link: Option<PathBuf>,
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
            path: path.to_owned(),
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
    pub(super) fn copy(&self) -> &Path {
        &self.copy
    }

    /// Returns whether this process was given the mock server of a `mock exec` that is running.
    fn is_for_the_mock(&self) -> bool {
        let Ok(url) = std::env::var(MOCK_URL) else { return false };
        let runs = self.read_runs();
        runs.lines().any(|run| url.strip_prefix(run).is_some_and(|rest| !starts_with_digit(rest)))
    }

    fn read_runs(&self) -> String {
        let runs = read(&self.runs).ok().flatten().unwrap_or_default();
        String::from_utf8(runs).unwrap_or_default()
    }

    /// Registers a `mock exec`, which is running for as long as the result is open.
    pub(super) fn run(&self, url: &str, target: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let mut file = private(options.append(true).create(true)).open(&self.runs)?;
        // Only who holds the lock of the config file asks for this one alone.
        file.lock_shared()?;
        if file.metadata()?.len() == 0 {
            writeln!(file, "{}", target.to_str().unwrap_or_default())?;
        }
        writeln!(file, "{url}")?;
        Ok(file)
    }

    /// Returns the path of the file that the config file was or led to.
    pub(super) fn target(&self) -> PathBuf {
        let runs = self.read_runs();
        match runs.lines().next() {
            None | Some("") => self.path.clone(),
            Some(target) => target.into(),
        }
    }

    /// Copies the file, unless the copy of another `mock exec` is there. Returns what was copied.
    pub(super) fn keep(&self, target: &Path) -> io::Result<Remembered> {
        if !self.exists() {
            remove_leftovers(folder_of(&self.copy), &temporary(&self.copy));
            match read(target)? {
                Some(content) => replace(folder_of(&self.copy), &self.copy, &content)?,
                None => replace(folder_of(&self.absent), &self.absent, b"")?,
            }
        }
        Ok(Remembered {
            target: target.to_owned(),
            content: read(&self.copy)?,
            permissions: fs::metadata(target).ok().map(|now| now.permissions()),
            link: fs::read_link(&self.path).ok(),
        })
    }

    /// Replaces the copy: the user has changed the config.
    pub(super) fn replace(&self, content: &[u8]) -> io::Result<()> {
        replace(folder_of(&self.copy), &self.copy, content)?;
        remove(&self.absent)
    }

    /// Puts the original back, unless a `mock exec` is running. The caller holds the lock of the target.
    pub(super) fn put_back(
        &self,
        target: &Path,
        remembered: Option<&Remembered>,
    ) -> io::Result<()> {
        let running = match open_without_waiting(&self.runs) {
            Ok(file) => match file.try_lock() {
                Ok(()) => Some(file),
                Err(TryLockError::WouldBlock) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(error),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let content = match read(&self.copy)? {
            None if !self.absent.exists() => remembered.and_then(|before| before.content.clone()),
            content => content,
        };
        if is_link(target) {
            remove(target)?;
        } else if target.is_dir() {
            fs::remove_dir(target)?;
        }
        match content {
            Some(content) => {
                if read(target)?.as_ref() != Some(&content) {
                    replace(folder_of(target), target, &content)?;
                }
                if let Some(permissions) = remembered.and_then(|before| before.permissions.clone())
                {
                    fs::set_permissions(target, permissions)?;
                }
            }
            None => remove(target)?,
        }
        #[cfg(unix)]
        if let Some(link) = remembered.and_then(|before| before.link.as_ref())
            && fs::read_link(&self.path).ok().as_ref() != Some(link)
        {
            remove(&self.path)?;
            std::os::unix::fs::symlink(link, &self.path)?;
        }
        remove(&self.copy)?;
        remove(&self.absent)?;
        drop(running);
        remove(&self.runs)?;
        sync_folder(folder_of(target))
    }
}

/// Returns the content of a file, or `None` if there is none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match open_without_waiting(path).and_then(read_to_limit) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|now| now.is_symlink())
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}
