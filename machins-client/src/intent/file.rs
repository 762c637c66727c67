//! Intents in files.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use agent_client_core::{ConfigFile, Error, ErrorKind};
use fs4::{FileExt, TryLockError};
use serde::{Deserialize, Serialize};

use crate::intent::memory::is_busy;
use crate::intent::record::{Intent, hash};
use crate::intent::store::{IntentLock, IntentStore, StoreFuture};

/// The version of the files.
const VERSION: u32 = 1;
/// A longer file is not one of ours.
const LONGEST_FILE: u64 = 64 * 1024;
/// How long finished intents are kept, and how many of all there are at most.
const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);
const MOST_KEPT: usize = 10_000;
/// Old intents are removed at the first of so many new keys.
const PRUNED_EVERY: usize = 100;
/// The wait between two tries to lock a key.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// An [`IntentStore`] in a folder, for all processes of one machine. It is the default, in the folder
/// `intents` beside the config file.
///
/// Each key has a file of its own, which only its owner can read (mode 0600), and which is complete
/// and on disk before anything is sent. While a call works on a key, it holds a lock on a second
/// file, which the operating system releases when the process ends, however it ends. Where files
/// cannot be locked, or the file of the key is corrupt, the call fails and nothing is sent; a corrupt
/// file is never overwritten.
///
/// A finished intent is kept for 90 days, and at most 10 000 are: then the oldest finished ones are
/// removed. Unfinished ones are kept until they are finished or [forgotten](crate::Api::forget_intent).
/// A key whose record was removed still leads to its trade if it is given again with the same
/// proposal, because the trade is searched for first.
///
/// ```no_run
/// use machins_client::{Client, FileIntentStore};
///
/// let builder = Client::builder().intent_store(FileIntentStore::new("/var/lib/agent/intents"));
/// ```
#[derive(Debug, Clone)]
pub struct FileIntentStore(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// The number of keys that were used first since the store was created.
    new_keys: AtomicUsize,
}

/// The content of a file.
#[derive(Serialize, Deserialize)]
struct Stored<I> {
    version: u32,
    #[serde(flatten)]
    intent: I,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl FileIntentStore {
    /// Creates a store in this folder, which is created when it is needed.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Folder { path: folder.into(), new_keys: AtomicUsize::new(0) }))
    }

    /// Creates a store in the folder `intents` beside the config file: `~/.machins/intents`, unless
    /// `MACHINS_CONFIG` names another config file.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the home directory is unknown and `MACHINS_CONFIG` is
    /// not set.
    pub fn in_config_folder() -> Result<Self, Error> {
        Ok(Self::new(ConfigFile::path()?.with_file_name("intents")))
    }
}

impl IntentStore for FileIntentStore {
    fn lock<'a>(
        &'a self,
        key: &'a str,
        patience: Duration,
    ) -> StoreFuture<'a, Box<dyn IntentLock>> {
        Box::pin(async move {
            let start = Instant::now();
            let name = hash(&[key]);
            loop {
                let (folder, lock_name) = (Arc::clone(&self.0), name.clone());
                let locked = in_background(move || folder.try_lock(&lock_name, FileExt::try_lock));
                if let Some(file) = locked.await? {
                    let folder = Arc::clone(&self.0);
                    let entry = Arc::new(Entry { folder, name, key: key.to_owned(), _lock: file });
                    return Ok(Box::new(FileLock(entry)) as Box<dyn IntentLock>);
                }
                if start.elapsed() >= patience {
                    return Err(is_busy(key, patience));
                }
                tokio::time::sleep(LOCK_PAUSE).await;
            }
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<Intent>> {
        let folder = Arc::clone(&self.0);
        Box::pin(in_background(move || {
            let mut intents = Vec::new();
            for (name, _) in folder.names()? {
                intents.extend(folder.read(&name)?);
            }
            Ok(intents)
        }))
    }
}

/// Runs file operations where they hold up no other task.
async fn in_background<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, Error> + Send + 'static,
) -> Result<R, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            let message = "the task that works on the intent's file has ended";
            Err(Error::new(ErrorKind::Storage, message).with_source(error))
        }
    }
}

#[derive(Debug)]
struct FileLock(Arc<Entry>);

/// A locked key. An operation that was begun goes on when the call is dropped, and keeps the lock
/// until it has ended.
#[derive(Debug)]
struct Entry {
    folder: Arc<Folder>,
    name: String,
    key: String,
    _lock: File,
}

impl FileLock {
    async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Entry) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let entry = Arc::clone(&self.0);
        in_background(move || work(&entry)).await
    }
}

impl IntentLock for FileLock {
    fn read(&mut self) -> StoreFuture<'_, Option<Intent>> {
        Box::pin(self.run(|entry| {
            let intent = entry.folder.read(&entry.name)?;
            match intent {
                Some(intent) if intent.key != entry.key => {
                    Err(entry.folder.corrupt(&entry.name, "it is that of another key"))
                }
                intent => Ok(intent),
            }
        }))
    }

    fn write<'a>(&'a mut self, intent: &'a Intent) -> StoreFuture<'a, ()> {
        let intent = intent.clone();
        Box::pin(self.run(move |entry| entry.folder.write(&entry.name, &intent)))
    }

    fn remove(&mut self) -> StoreFuture<'_, ()> {
        Box::pin(self.run(|entry| entry.folder.remove(&entry.name)))
    }
}

impl Folder {
    fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.path.join(name).with_extension(extension)
    }

    fn failure(&self, what: &str, why: impl std::fmt::Display) -> Error {
        let message = format!("the intents in {} {what}: {why}", self.path.display());
        Error::new(ErrorKind::Storage, message)
    }

    fn corrupt(&self, name: &str, why: impl std::fmt::Display) -> Error {
        let message = format!(
            "the intent in {} is corrupt and was left as it is: {why}; repair the file or move it away",
            self.file(name, "json").display()
        );
        Error::new(ErrorKind::Storage, message)
    }

    /// Locks a key, or returns `None` if another process or call has locked it.
    fn try_lock(
        &self,
        name: &str,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Option<File>, Error> {
        let failed = |error: io::Error| self.failure("cannot be locked", error);
        make_folder(&self.path).map_err(failed)?;
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

    fn read(&self, name: &str) -> Result<Option<Intent>, Error> {
        let file = match File::open(self.file(name, "json")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failure("cannot be read", error)),
        };
        let mut bytes = Vec::new();
        file.take(LONGEST_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.failure("cannot be read", error))?;
        let corrupt = |error: serde_json::Error| self.corrupt(name, error);
        let Version { version } = serde_json::from_slice(&bytes).map_err(corrupt)?;
        if version != VERSION {
            let message = format!("its version is {version}, and this program knows {VERSION}");
            return Err(self.corrupt(name, message));
        }
        let stored: Stored<Intent> = serde_json::from_slice(&bytes).map_err(corrupt)?;
        Ok(Some(stored.intent))
    }

    fn write(&self, name: &str, intent: &Intent) -> Result<(), Error> {
        let failed = |error: io::Error| self.failure("cannot be written", error);
        let target = self.file(name, "json");
        let is_new = !target.exists();
        let temporary = self.file(name, "tmp");
        let written = serde_json::to_vec(&Stored { version: VERSION, intent })
            .map_err(io::Error::from)
            .and_then(|json| write_whole(&temporary, &json))
            .and_then(|()| fs::rename(&temporary, &target))
            .and_then(|()| sync_folder(&self.path));
        if let Err(error) = written {
            // It is of no use any more; if it cannot be removed, the next write replaces it.
            let _ = fs::remove_file(&temporary);
            return Err(failed(error));
        }
        if is_new && self.new_keys.fetch_add(1, Ordering::Relaxed) % PRUNED_EVERY == 0 {
            self.prune(SystemTime::now(), MOST_KEPT - PRUNED_EVERY);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
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

    /// Returns the names of the intents and the times when they were written.
    fn names(&self) -> Result<Vec<(String, SystemTime)>, Error> {
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

    /// Removes finished intents that are old, and the oldest finished ones of too many. What cannot
    /// be removed now is removed another time.
    fn prune(&self, now: SystemTime, most: usize) {
        let mut names = self.names().unwrap_or_default();
        names.sort_by_key(|(_, written)| *written);
        let mut surplus = names.len().saturating_sub(most);
        for (name, written) in names {
            let age = now.duration_since(written).unwrap_or_default();
            if surplus == 0 && age < KEPT_FOR {
                break;
            }
            let Ok(Some(_lock)) = self.try_lock(&name, FileExt::try_lock) else { continue };
            let is_finished = self
                .read(&name)
                .is_ok_and(|intent| intent.is_some_and(|intent| intent.trade_id().is_some()));
            if is_finished && self.remove(&name).is_ok() {
                surplus = surplus.saturating_sub(1);
            }
        }
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

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    // Windows cannot open a directory for syncing; the rename itself is journalled.
    Ok(())
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
    use crate::intent::record::IntentState;
    use crate::model::id::{ListingId, TradeId};
    use crate::model::trade::Proposal;

    fn folder() -> (tempfile::TempDir, FileIntentStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = FileIntentStore::new(folder.path());
        (folder, store)
    }

    /// Writes an intent of this key, finished or not.
    fn write(store: &FileIntentStore, key: &str, is_done: bool) {
        let proposal = Proposal::new(&ListingId::new("l1").unwrap());
        let intent = Intent::new(key, "u".into(), "agent".into(), &proposal).unwrap();
        let done = IntentState::Done { trade_id: TradeId::new("t1").unwrap() };
        let intent = if is_done { intent.with(done) } else { intent };
        store.0.write(&hash(&[key]), &intent).unwrap();
    }

    fn keys(store: &FileIntentStore) -> Vec<String> {
        let names = store.0.names().unwrap();
        let intents = names.iter().map(|(name, _)| store.0.read(name).unwrap().unwrap());
        let mut keys: Vec<_> = intents.map(|intent| intent.key).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn where_files_cannot_be_locked_nothing_works() {
        let (_folder, store) = folder();
        let unsupported = |_: &File| Err(TryLockError::Error(io::ErrorKind::Unsupported.into()));
        let error = store.0.try_lock("a", unsupported).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(error.to_string().contains("cannot be locked"), "{error}");
    }

    #[test]
    fn old_finished_intents_are_removed() {
        let (_folder, store) = folder();
        write(&store, "done", true);
        write(&store, "sent", false);
        store.0.prune(SystemTime::now() + KEPT_FOR - Duration::from_secs(60 * 60), MOST_KEPT);
        assert_eq!(keys(&store), ["done", "sent"]);
        store.0.prune(SystemTime::now() + KEPT_FOR, MOST_KEPT);
        assert_eq!(keys(&store), ["sent"]);
    }

    #[test]
    fn the_oldest_finished_ones_of_too_many_are_removed() {
        let (_folder, store) = folder();
        for (number, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
            write(&store, key, key != "b");
            let file = File::options().write(true).open(store.0.file(&hash(&[key]), "json"));
            let written = SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64);
            file.unwrap().set_modified(written).unwrap();
        }
        let soon = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
        store.0.prune(soon, 2);
        assert_eq!(keys(&store), ["b", "d"]);
    }

    #[test]
    fn an_intent_that_is_worked_on_is_not_removed() {
        let (_folder, store) = folder();
        write(&store, "done", true);
        let lock = store.0.try_lock(&hash(&["done"]), FileExt::try_lock).unwrap().unwrap();
        store.0.prune(SystemTime::now() + KEPT_FOR, MOST_KEPT);
        assert_eq!(keys(&store), ["done"]);
        drop(lock);
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_file_that_was_replaced_is_no_lock() {
        let (_folder, store) = folder();
        let old = store.0.try_lock("a", FileExt::try_lock).unwrap().unwrap();
        // Another one opens the file, and it is removed before that one has the lock.
        let second = store
            .0
            .try_lock("a", |file| {
                if store.0.file("a", "lock").exists()
                    && is_at(&old, &store.0.file("a", "lock")).unwrap()
                {
                    store.0.remove("a").unwrap();
                    return Ok(());
                }
                FileExt::try_lock(file)
            })
            .unwrap();
        assert!(second.is_some_and(|file| is_at(&file, &store.0.file("a", "lock")).unwrap()));
    }
}
