//! Appends a line to a log file that other processes append to, rename or damage.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use agent_client_core::{folder_of, open_without_waiting, private, sync_folder};
use fs4::FileExt;
use same_file::Handle;

use super::entry::{Circumstances, Record, format_line};
use super::error::LogError;
use super::lines::Tail;
use super::lock::{LONGEST_WAIT, wait_for_lock};
use super::rotated;

/// How lines are appended to a log.
pub(super) struct Settings<'a> {
    pub(super) path: &'a Path,
    pub(super) asked_by: &'a str,
    /// The length after which the file is renamed and a new one begun.
    pub(super) max_bytes: Option<u64>,
    /// Whether a line counts only once it is on the disk.
    pub(super) is_synced: bool,
}

/// Appends a line, and returns its hash.
pub(super) fn append(settings: &Settings<'_>, record: &Record) -> Result<String, LogError> {
    let deadline = Instant::now() + LONGEST_WAIT;
    let path = &target(settings.path)?;
    let is_link = path != settings.path;
    let mut discarded = 0;
    loop {
        let mut locked = Locked::open(path, deadline)?;
        let tail = locked.tail()?;
        discarded += locked.length - tail.whole;
        let previous_hash = match tail.hash.clone() {
            Some(hash) => hash,
            None => hash_before(path, is_link, deadline)?,
        };
        let time = jiff::Timestamp::now();
        let circumstances = Circumstances {
            time: &format!("{time:.6}"),
            asked_by: settings.asked_by,
            discarded_bytes: Some(discarded).filter(|count| *count > 0),
            previous_hash: &previous_hash,
        };
        let (line, hash) = format_line(record, &circumstances)
            .map_err(|error| LogError::io(path, "written")(error.into()))?;
        let is_full = settings.max_bytes.is_some_and(|max| tail.whole + line.len() as u64 >= max);
        if is_full && tail.whole > 0 {
            locked.finish(&tail, "")?;
            rename(path, time)?;
            continue;
        }
        locked.finish(&tail, &(line + "\n"))?;
        if settings.is_synced {
            locked.sync(tail.whole == 0)?;
        }
        return Ok(hash);
    }
}

/// Checks that the file is a log, if it exists. Nobody is waited for, so its last line may be
/// unfinished.
pub(super) fn check(path: &Path) -> Result<(), LogError> {
    let failed = LogError::io(path, "read");
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        metadata => metadata.map_err(&failed)?,
    };
    if !metadata.is_file() {
        return Err(failed(not_regular()));
    }
    let mut file = open_without_waiting(path).map_err(&failed)?;
    let tail = Tail::read(&mut file, metadata.len()).map_err(failed)?;
    let tail = tail.map_err(|why| LogError::not_a_log(path, why))?;
    let target = &target(path)?;
    if tail.hash.is_none() && target != path {
        hash_before(target, true, Instant::now() + LONGEST_WAIT)?;
    }
    Ok(())
}

/// Returns the hash before the first line of a file.
fn hash_before(path: &Path, is_link: bool, deadline: Instant) -> Result<String, LogError> {
    let rotated = rotated::find(path, deadline)?;
    if is_link && rotated.is_empty() {
        return Err(LogError::not_a_log(path, "it is empty, and a symbolic link leads to it"));
    }
    Ok(rotated::last_hash(&rotated).to_owned())
}

/// A log file that this process alone may write to.
struct Locked<'a> {
    path: &'a Path,
    handle: Handle,
    length: u64,
}

impl<'a> Locked<'a> {
    /// Opens and locks the file. A file that is renamed meanwhile is not the log any more.
    fn open(path: &'a Path, deadline: Instant) -> Result<Self, LogError> {
        let failed = LogError::io(path, "opened");
        loop {
            let Some(file) = open(path)? else {
                if Instant::now() < deadline {
                    continue;
                }
                return Err(failed(ErrorKind::AlreadyExists.into()));
            };
            let handle = Handle::from_file(file).map_err(&failed)?;
            let is_locked = wait_for_lock(deadline, || FileExt::try_lock(handle.as_file()));
            if !is_locked.map_err(LogError::io(path, "locked"))? {
                return Err(LogError::Locked { path: path.to_owned() });
            }
            match Handle::from_path(path) {
                Ok(current) if current == handle => {
                    let length = handle.as_file().metadata().map_err(&failed)?.len();
                    return Ok(Self { path, handle, length });
                }
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
    }

    fn tail(&mut self) -> Result<Tail, LogError> {
        let (path, length) = (self.path, self.length);
        Tail::read(self.handle.as_file_mut(), length)
            .map_err(LogError::io(path, "read"))?
            .map_err(|why| LogError::not_a_log(path, why))
    }

    /// Removes what is after the last whole line, and appends this text. Nothing is appended if not
    /// all of it can be.
    fn finish(&mut self, tail: &Tail, text: &str) -> Result<(), LogError> {
        let failed = LogError::io(self.path, "written");
        let file = self.handle.as_file_mut();
        if self.length > tail.whole {
            file.set_len(tail.whole).map_err(&failed)?;
        }
        let line_break = if tail.lacks_line_break { "\n" } else { "" };
        let text = format!("{line_break}{text}");
        if let Err(error) = file.write_all(text.as_bytes()) {
            // If this fails too, the next line takes the place of the unfinished one.
            let _ = file.set_len(tail.whole);
            return Err(failed(error));
        }
        self.length = tail.whole + text.len() as u64;
        Ok(())
    }

    /// Waits until the lines are on the disk, while others may append. That of a new file also needs
    /// the name of the file.
    fn sync(self, is_new: bool) -> Result<(), LogError> {
        let failed = LogError::io(self.path, "written");
        FileExt::unlock(self.handle.as_file()).map_err(&failed)?;
        self.handle.as_file().sync_data().map_err(&failed)?;
        if is_new { sync_folder(folder_of(self.path)).map_err(failed) } else { Ok(()) }
    }
}

/// Returns the file that a symbolic link leads to: a rename would move the link itself.
fn target(path: &Path) -> Result<PathBuf, LogError> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    if is_link {
        fs::canonicalize(path).map_err(LogError::io(path, "opened"))
    } else {
        Ok(path.into())
    }
}

/// Opens the file, or creates it. `None` if it was created or removed meanwhile.
fn open(path: &Path) -> Result<Option<File>, LogError> {
    let failed = LogError::io(path, "opened");
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            return Err(failed(not_regular()));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            private(options.create_new(true));
        }
        Err(error) => return Err(failed(error)),
    }
    match options.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        // The folder is missing, or the file has just been renamed.
        Err(error) if error.kind() == ErrorKind::NotFound && folder_exists(path) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn not_regular() -> io::Error {
    io::Error::other("it is not a regular file")
}

fn folder_exists(path: &Path) -> bool {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.is_dir(),
        _ => true,
    }
}

/// Renames a full file. The caller holds its lock, so no other process is renaming it.
fn rename(path: &Path, time: jiff::Timestamp) -> Result<(), LogError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{time:.9}").replace(['-', ':'], ""));
    let rotated = path.with_file_name(name);
    let failed = LogError::io(path, "renamed");
    if fs::symlink_metadata(&rotated).is_ok() {
        return Err(failed(ErrorKind::AlreadyExists.into()));
    }
    fs::rename(path, rotated).map_err(failed)
}
