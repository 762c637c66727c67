//! A folder of JSON files with locks, for all processes of one machine.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use agent_client_core::{
    Error, ErrorKind, create_private_folder, private, sync_folder, wait_while_in_use,
};
use fs4::{FileExt, TryLockError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of the files.
const VERSION: u32 = 1;
/// The wait between two tries to lock a name.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A folder in which each name has a file, which is complete and on disk when it is written, and a
/// second file that is locked. Only the owner can read them.
#[derive(Debug)]
pub(crate) struct JsonFolder {
    path: PathBuf,
    /// What one file holds, for errors.
    noun: &'static str,
    /// A longer file was not written by this crate and is refused.
    longest: u64,
}

/// The content of a file.
#[derive(Serialize, Deserialize)]
struct Stored<T> {
    version: u32,
    #[serde(flatten)]
    content: T,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Runs file operations where they hold up no other task.
pub(crate) async fn in_background<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, Error> + Send + 'static,
) -> Result<R, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            let message = "the task that works on a file has ended";
            Err(Error::new(ErrorKind::Storage, message).with_source(error))
        }
    }
}

impl JsonFolder {
    pub(crate) fn new(path: PathBuf, noun: &'static str, longest: u64) -> Self {
        Self { path, noun, longest }
    }

    pub(crate) fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.path.join(name).with_extension(extension)
    }

    fn failure(&self, what: &str, why: impl std::fmt::Display) -> Error {
        let message = format!("the {}s in {} {what}: {why}", self.noun, self.path.display());
        Error::new(ErrorKind::Storage, message)
    }

    /// The error for a file that is not as it was written.
    pub(crate) fn corrupt(&self, name: &str, why: impl std::fmt::Display) -> Error {
        let message = format!(
            "the {} in {} is corrupt and was left as it is: {why}; repair the file or move it away",
            self.noun,
            self.file(name, "json").display()
        );
        Error::new(ErrorKind::Storage, message)
    }

    /// Waits for the lock of a name, or returns `None` if another process or call has kept it for
    /// all this time. Dropping the file releases the lock.
    pub(crate) async fn lock(
        self: &std::sync::Arc<Self>,
        name: &str,
        patience: Duration,
    ) -> Result<Option<File>, Error> {
        let start = Instant::now();
        loop {
            let (folder, lock_name) = (std::sync::Arc::clone(self), name.to_owned());
            let locked =
                in_background(move || folder.try_lock(&lock_name, FileExt::try_lock)).await?;
            if locked.is_some() || start.elapsed() >= patience {
                return Ok(locked);
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
    }

    /// Locks a name, or returns `None` if another process or call has locked it.
    pub(crate) fn try_lock(
        &self,
        name: &str,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Option<File>, Error> {
        let failed = |error: io::Error| self.failure("cannot be locked", error);
        create_private_folder(&self.path).map_err(failed)?;
        let path = self.file(name, "lock");
        loop {
            let mut options = OpenOptions::new();
            let file = private(options.write(true).create(true).truncate(false)).open(&path);
            let file = file.map_err(failed)?;
            match lock(&file) {
                // Whoever held the lock before may have removed the file.
                Ok(()) if is_at(&file, &path).map_err(failed)? => return Ok(Some(file)),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let file = match File::open(self.file(name, "json")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failure("cannot be read", error)),
        };
        let mut bytes = Vec::new();
        file.take(self.longest + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.failure("cannot be read", error))?;
        let corrupt = |error: serde_json::Error| self.corrupt(name, error);
        let Version { version } = serde_json::from_slice(&bytes).map_err(corrupt)?;
        if version != VERSION {
            let message = format!("its version is {version}, and this program knows {VERSION}");
            return Err(self.corrupt(name, message));
        }
        let stored: Stored<T> = serde_json::from_slice(&bytes).map_err(corrupt)?;
        Ok(Some(stored.content))
    }

    pub(crate) fn write(&self, name: &str, content: &impl Serialize) -> Result<(), Error> {
        let target = self.file(name, "json");
        let temporary = self.file(name, "tmp");
        let written = serde_json::to_vec(&Stored { version: VERSION, content })
            .map_err(io::Error::from)
            .and_then(|json| self.check_length(json))
            .and_then(|json| write_whole(&temporary, &json))
            .and_then(|()| rename(&temporary, &target))
            .and_then(|()| sync_folder(&self.path));
        written.map_err(|error| {
            // It is of no use any more; if it cannot be removed, the next write replaces it.
            let _ = fs::remove_file(&temporary);
            self.failure("cannot be written", error)
        })
    }

    /// Refuses what could not be read again.
    fn check_length(&self, json: Vec<u8>) -> io::Result<Vec<u8>> {
        if u64::try_from(json.len()).is_ok_and(|length| length <= self.longest) {
            return Ok(json);
        }
        let message = format!("it would be longer than {} bytes", self.longest);
        Err(io::Error::new(io::ErrorKind::FileTooLarge, message))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        let removed = match fs::remove_file(self.file(name, "json")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => sync_folder(&self.path),
        };
        removed.map_err(|error| self.failure("cannot be changed", error))?;
        if cfg!(unix) {
            // Elsewhere a file that is in use cannot be told from its successor.
            let _ = fs::remove_file(self.file(name, "lock"));
        }
        Ok(())
    }

    /// Returns the names of the files and the times when they were written.
    pub(crate) fn names(&self) -> Result<Vec<(String, SystemTime)>, Error> {
        let failed = |error: io::Error| self.failure("cannot be listed", error);
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let name = path.file_stem().and_then(OsStr::to_str);
            if let (Some(name), Some("json")) = (name, path.extension().and_then(OsStr::to_str)) {
                // One that was just removed counts as old.
                let written = path.metadata().and_then(|file| file.modified());
                names.push((name.to_owned(), written.unwrap_or(SystemTime::UNIX_EPOCH)));
            }
        }
        Ok(names)
    }
}

/// Writes a file that is complete and on disk when this returns.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private(OpenOptions::new().write(true).create_new(true)).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Gives a file the name of the one that it replaces.
fn rename(temporary: &Path, target: &Path) -> io::Result<()> {
    let start = Instant::now();
    loop {
        match fs::rename(temporary, target) {
            Err(error) if wait_while_in_use(&error, start) => {}
            result => return result,
        }
    }
}

/// Whether the file is still the one with this path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let own = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((own.dev(), own.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, JsonFolder) {
        let folder = tempfile::tempdir().unwrap();
        let files = JsonFolder::new(folder.path().to_owned(), "intent", 1024);
        (folder, files)
    }

    #[test]
    fn where_files_cannot_be_locked_nothing_works() {
        let (_folder, files) = folder();
        let unsupported = |_: &File| Err(TryLockError::Error(io::ErrorKind::Unsupported.into()));
        let error = files.try_lock("a", unsupported).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(error.to_string().contains("cannot be locked"), "{error}");
    }

    #[test]
    fn what_is_too_long_to_be_read_is_not_written() {
        let (_folder, files) = folder();
        let content = |length| std::collections::BTreeMap::from([("text", "a".repeat(length))]);
        files.write("a", &content(900)).unwrap();
        let error = files.write("a", &content(1024)).unwrap_err();
        assert!(error.to_string().contains("longer than 1024 bytes"), "{error}");
        let kept: Option<std::collections::BTreeMap<String, String>> = files.read("a").unwrap();
        assert_eq!(kept.unwrap()["text"].len(), 900);
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_file_that_was_replaced_is_no_lock() {
        let (_folder, files) = folder();
        let path = files.file("a", "lock");
        let old = files.try_lock("a", FileExt::try_lock).unwrap().unwrap();
        // Another one opens the file, and it is removed before that one has the lock.
        let second = files.try_lock("a", |file| {
            if path.exists() && is_at(&old, &path).unwrap() {
                files.remove("a").unwrap();
                return Ok(());
            }
            FileExt::try_lock(file)
        });
        assert!(second.unwrap().is_some_and(|file| is_at(&file, &path).unwrap()));
    }
}
