//! A world in a file, which one server at a time uses.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use crate::world::Snapshot;

/// How often a lock file that others remove is made again.
const ATTEMPTS: usize = 10;

/// The state file of a running server, locked until it is [released](Self::release).
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    lock: Mutex<Option<Lock>>,
}

/// A locked file beside the state file. The state file itself cannot be locked, because every save
/// replaces it.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    _file: File,
}

impl StateFile {
    /// Checks that the file can be read and replaced, locks it, and reads the world in it if there
    /// is one.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Option<Snapshot>)> {
        let explain = |error: io::Error, what: &str| {
            io::Error::new(error.kind(), format!("{what} {}: {error}", path.display()))
        };
        if path.is_dir() {
            let message = format!("{} is a folder", path.display());
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        // As a save will do, so that a folder that cannot be written to is noticed now.
        NamedTempFile::new_in(folder(path)).map_err(|error| explain(error, "cannot write"))?;
        let lock = Lock::take(path)?;
        let snapshot = load(path).map_err(|error| explain(error, "cannot read"))?;
        let lock = Mutex::new(Some(lock));
        Ok((Self { path: path.to_owned(), lock }, snapshot))
    }

    /// Writes a world to the file, atomically and readable by its owner only.
    pub(crate) fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(folder(&self.path))?;
        serde_json::to_writer(io::BufWriter::new(&mut file), snapshot)?;
        file.flush()?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }

    /// Lets another server use the file.
    pub(crate) fn release(&self) {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Lock {
    fn take(path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(".lock");
        let lock_path = path.with_file_name(name);
        for _ in 0..ATTEMPTS {
            let file =
                OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path)?;
            match file.try_lock() {
                Ok(()) if is_still(&file, &lock_path) => {
                    return Ok(Self { path: lock_path, _file: file });
                }
                // The server that had it has removed it in the meantime.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let message =
                        format!("{} is already in use by another mock server", path.display());
                    return Err(io::Error::new(ErrorKind::ResourceBusy, message));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, "the state file is being given up by others"))
    }
}

/// Removes the lock file while it is locked, so that no other server has it by then.
impl Drop for Lock {
    fn drop(&mut self) {
        // Where an open file cannot be removed, it stays and is used again.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Returns whether a path still leads to an open file.
#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), path.metadata()) {
        (Ok(file), Ok(path)) => (file.dev(), file.ino()) == (path.dev(), path.ino()),
        _ => false,
    }
}

/// Elsewhere an open file is not removed.
#[cfg(not(unix))]
fn is_still(_: &File, _: &Path) -> bool {
    true
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Reads a world from a file, if the file exists.
fn load(path: &Path) -> io::Result<Option<Snapshot>> {
    match std::fs::read(path) {
        Ok(bytes) => match serde_json::from_slice::<Snapshot>(&bytes) {
            Ok(snapshot) => Ok(Some(snapshot.count_stored(bytes.len()))),
            Err(error) => {
                let message = format!("it holds no state of a mock server: {error}");
                Err(io::Error::new(ErrorKind::InvalidData, message))
            }
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
