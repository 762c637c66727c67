//! Intents in files.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use agent_client_core::{ConfigFile, Error};
use fs4::FileExt;

use crate::intent::memory::is_busy;
use crate::intent::record::{Intent, hash};
use crate::intent::store::{IntentLock, IntentStore, StoreFuture};
use crate::json_folder::{JsonFolder, in_background};

/// A longer file was not written by this crate and is refused.
const LONGEST_FILE: u64 = 64 * 1024;
/// How long finished intents are kept, and how many of all there are at most.
const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);
const MOST_KEPT: usize = 10_000;
/// Old intents are removed at the first of so many new keys.
const PRUNED_EVERY: usize = 100;

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
    files: Arc<JsonFolder>,
    /// The number of keys that were used first since the store was created.
    new_keys: AtomicUsize,
}

impl FileIntentStore {
    /// Creates a store in this folder, which is created when it is needed.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let files = Arc::new(JsonFolder::new(folder.into(), "intent", LONGEST_FILE));
        Self(Arc::new(Folder { files, new_keys: AtomicUsize::new(0) }))
    }

    /// Creates a store in the folder `intents` beside the config file: `~/.machins/intents`, unless
    /// `MACHINS_CONFIG` names another config file.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if the home directory is
    /// unknown and `MACHINS_CONFIG` is not set.
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
            let (folder, name) = (Arc::clone(&self.0), hash(&[key]));
            let file = folder.files.lock(&name, patience).await?;
            let file = file.ok_or_else(|| is_busy(key, patience))?;
            let entry = Arc::new(Entry { folder, name, key: key.to_owned(), _lock: file });
            Ok(Box::new(FileLock(entry)) as Box<dyn IntentLock>)
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<Intent>> {
        let folder = Arc::clone(&self.0);
        Box::pin(in_background(move || {
            let mut intents = Vec::new();
            for (name, _) in folder.files.names()? {
                intents.extend(folder.files.read::<Intent>(&name)?);
            }
            Ok(intents)
        }))
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
            let intent = entry.folder.files.read::<Intent>(&entry.name)?;
            match intent {
                Some(intent) if intent.key != entry.key => {
                    Err(entry.folder.files.corrupt(&entry.name, "it is that of another key"))
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
        Box::pin(self.run(|entry| entry.folder.files.remove(&entry.name)))
    }
}

impl Folder {
    fn write(&self, name: &str, intent: &Intent) -> Result<(), Error> {
        let is_new = !self.files.file(name, "json").exists();
        self.files.write(name, intent)?;
        if is_new && self.new_keys.fetch_add(1, Ordering::Relaxed) % PRUNED_EVERY == 0 {
            self.prune(SystemTime::now(), MOST_KEPT - PRUNED_EVERY);
        }
        Ok(())
    }

    /// Removes finished intents that are old, and the oldest finished ones of too many. What cannot
    /// be removed now is removed another time.
    fn prune(&self, now: SystemTime, most: usize) {
        let mut names = self.files.names().unwrap_or_default();
        names.sort_by_key(|(_, written)| *written);
        let mut surplus = names.len().saturating_sub(most);
        for (name, written) in names {
            let age = now.duration_since(written).unwrap_or_default();
            if surplus == 0 && age < KEPT_FOR {
                break;
            }
            let Ok(Some(_lock)) = self.files.try_lock(&name, FileExt::try_lock) else { continue };
            let is_finished = self
                .files
                .read::<Intent>(&name)
                .is_ok_and(|intent| intent.is_some_and(|intent| intent.is_done()));
            if is_finished && self.files.remove(&name).is_ok() {
                surplus = surplus.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::record::Subject;
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
        let subject = Subject::trade(&proposal);
        let intent = Intent::new(key, "u".into(), "agent".into(), subject, &proposal).unwrap();
        let trade = TradeId::new("t1").unwrap();
        let intent = if is_done { intent.done_by_trade(&trade) } else { intent };
        store.0.write(&hash(&[key]), &intent).unwrap();
    }

    fn keys(store: &FileIntentStore) -> Vec<String> {
        let names = store.0.files.names().unwrap();
        let intents =
            names.iter().map(|(name, _)| store.0.files.read::<Intent>(name).unwrap().unwrap());
        let mut keys: Vec<_> = intents.map(|intent| intent.key).collect();
        keys.sort_unstable();
        keys
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
            let file = File::options().write(true).open(store.0.files.file(&hash(&[key]), "json"));
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
        let lock = store.0.files.try_lock(&hash(&["done"]), FileExt::try_lock).unwrap().unwrap();
        store.0.prune(SystemTime::now() + KEPT_FOR, MOST_KEPT);
        assert_eq!(keys(&store), ["done"]);
        drop(lock);
    }
}
