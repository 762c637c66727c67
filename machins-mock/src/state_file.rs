//! The worlds of a server in a file, which one server at a time uses.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use fs4::{FileExt, TryLockError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tempfile::NamedTempFile;

use crate::clock::Clock;
use crate::machineid::MachineId;
use crate::machins::Machins;
use crate::random::Random;
use crate::sync::lock;
use crate::world::{Snapshot, World};
use crate::worlds::Worlds;

/// How often a lock file that others remove is made again.
const ATTEMPTS: usize = 10;

/// The state file of a running server, locked until it is [released](Self::release).
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    /// Locked from before the worlds are read until they are written, so that no save undoes a later
    /// one.
    usage: Mutex<Usage>,
}

/// How a server uses its state file.
#[derive(Debug)]
struct Usage {
    /// `None` once the file was released.
    lock: Option<Lock>,
    /// The number of changes to the worlds that the file holds.
    saved: u64,
    /// When the file was last written, and its size, as this server left it; `None` if there is no
    /// file.
    left: Option<(SystemTime, u64)>,
}

/// A locked file beside the state file. The state file itself cannot be locked, because every save
/// replaces it.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    _file: File,
}

impl StateFile {
    /// Checks that the file can be read and replaced, locks it, and reads the worlds in it if there
    /// are any.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Option<Stored>)> {
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
        let stored = load(path).map_err(|error| explain(error, "cannot read"))?;
        let usage = Usage { lock: Some(lock), saved: 0, left: None };
        Ok((Self { path: path.to_owned(), usage: Mutex::new(usage) }, stored))
    }

    /// Writes all worlds to the file, atomically and readable by its owner only. Once the file was
    /// released, it is written only if the worlds have changed since, and if no other server has
    /// used it in the meantime.
    pub(crate) fn save(&self, worlds: &Worlds) -> io::Result<()> {
        let mut usage = lock(&self.usage);
        if usage.lock.is_some() {
            return self.write(worlds, &mut usage);
        }
        if usage.saved == changes(worlds) {
            return Ok(());
        }
        let _lock = Lock::take(&self.path)?;
        if usage.left != self.version() {
            let path = self.path.display();
            let message = format!("another mock server has written to {path} in the meantime");
            return Err(io::Error::new(ErrorKind::ResourceBusy, message));
        }
        self.write(worlds, &mut usage)
    }

    /// Writes all worlds to the file if they have changed since they were last written, and if the
    /// file was not released.
    pub(crate) fn save_changes(&self, worlds: &Worlds) -> io::Result<()> {
        let mut usage = lock(&self.usage);
        if usage.lock.is_none() || usage.saved == changes(worlds) {
            return Ok(());
        }
        self.write(worlds, &mut usage)
    }

    /// Lets another server use the file, once a save under way is done.
    pub(crate) fn release(&self) {
        let mut usage = lock(&self.usage);
        usage.left = self.version();
        usage.lock = None;
    }

    fn version(&self) -> Option<(SystemTime, u64)> {
        let file = self.path.metadata().ok()?;
        Some((file.modified().ok()?, file.len()))
    }

    fn write(&self, worlds: &Worlds, usage: &mut Usage) -> io::Result<()> {
        let changes = changes(worlds);
        // One world is locked at a time, and none while the file is written.
        let own = worlds.own().world().clone();
        let World { clock, random, machineid, machins } = &own;
        let named: Vec<_> = worlds
            .named()
            .into_iter()
            .map(|app| {
                let world = app.world().clone();
                (app, world)
            })
            .collect();
        let worlds =
            named.iter().map(|(app, world)| WorldToStore { name: &app.name, world }).collect();
        let mut file = NamedTempFile::new_in(folder(&self.path))?;
        let stored = ServerToStore { clock, random, machineid, machins, worlds };
        serde_json::to_writer(io::BufWriter::new(&mut file), &stored)?;
        file.flush()?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        usage.saved = changes;
        usage.left = self.version();
        Ok(())
    }
}

/// Returns how often the worlds of a server may have changed so far.
fn changes(worlds: &Worlds) -> u64 {
    worlds.own().server.changed.count()
}

impl Lock {
    fn take(path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(".lock");
        let lock_path = path.with_file_name(name);
        for _ in 0..ATTEMPTS {
            let file =
                OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path)?;
            match FileExt::try_lock(&file) {
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

/// All worlds of a server, read from a state file.
pub(crate) struct Stored {
    pub(crate) own: Snapshot,
    /// The worlds beside it, with their names, in order of creation.
    pub(crate) named: Vec<(String, Snapshot)>,
}

/// All worlds of a server, to be written to a state file: the server's own, with the others beside its
/// fields, so that a file without others is a [`Snapshot`].
#[derive(Serialize)]
struct ServerToStore<'a> {
    clock: &'a Clock,
    random: &'a Random,
    machineid: &'a MachineId,
    machins: &'a Machins,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    worlds: Vec<WorldToStore<'a>>,
}

#[derive(Serialize)]
struct WorldToStore<'a> {
    name: &'a str,
    world: &'a World,
}

/// The worlds beside the server's own, not read yet.
#[derive(Deserialize)]
struct StoredWorlds {
    #[serde(default)]
    worlds: Vec<StoredWorld>,
}

#[derive(Deserialize)]
struct StoredWorld {
    name: String,
    world: Box<RawValue>,
}

/// Reads the worlds in a file, if the file exists.
fn load(path: &Path) -> io::Result<Option<Stored>> {
    match std::fs::read(path) {
        Ok(bytes) => match read(&bytes) {
            Ok(stored) => Ok(Some(stored)),
            Err(error) => {
                let message = format!("it holds no state of a mock server: {error}");
                Err(io::Error::new(ErrorKind::InvalidData, message))
            }
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(bytes: &[u8]) -> serde_json::Result<Stored> {
    let own: Snapshot = serde_json::from_slice(bytes)?;
    let StoredWorlds { worlds } = serde_json::from_slice(bytes)?;
    let mut own_size = bytes.len();
    let mut named = Vec::with_capacity(worlds.len());
    for StoredWorld { name, world } in worlds {
        let size = world.get().len();
        own_size = own_size.saturating_sub(size);
        let snapshot: Snapshot = serde_json::from_str(world.get())?;
        named.push((name, snapshot.count_stored(size)));
    }
    Ok(Stored { own: own.count_stored(own_size), named })
}
