//! Purchases under way in files.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent_client_core::{ConfigFile, Error};

use crate::intent::store::StoreFuture;
use crate::json_folder::{JsonFolder, in_background};
use crate::spending::journal::SpendingJournal;
use crate::spending::memory::is_busy;
use crate::spending::store::{SpendingLock, SpendingStore};

/// A longer file was not written by this crate and is refused.
const LONGEST_FILE: u64 = 16 * 1024 * 1024;

/// A [`SpendingStore`] in a folder, for all processes of one machine. It is the default, in the folder
/// `spending` beside the config file.
///
/// Each account has a file of its own, which only its owner can read (mode 0600), and which is
/// complete and on disk before anything is bought. Where files cannot be locked, or the file is
/// corrupt, nothing is bought; a corrupt file is never overwritten.
#[derive(Debug, Clone)]
pub struct FileSpendingStore(Arc<JsonFolder>);

impl FileSpendingStore {
    /// Creates a store in this folder, which is created when it is needed.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(Arc::new(JsonFolder::new(folder.into(), "spending record", LONGEST_FILE)))
    }

    /// Creates a store in the folder `spending` beside the config file: `~/.machins/spending`, unless
    /// `MACHINS_CONFIG` names another config file.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if the home directory is
    /// unknown and `MACHINS_CONFIG` is not set.
    pub fn in_config_folder() -> Result<Self, Error> {
        Ok(Self::new(ConfigFile::path()?.with_file_name("spending")))
    }
}

impl SpendingStore for FileSpendingStore {
    fn lock<'a>(
        &'a self,
        account: &'a str,
        patience: Duration,
    ) -> StoreFuture<'a, Box<dyn SpendingLock>> {
        Box::pin(async move {
            let file = self.0.lock(account, patience).await?;
            let file = Arc::new(file.ok_or_else(|| is_busy(patience))?);
            let lock = FileLock { folder: Arc::clone(&self.0), account: account.to_owned(), file };
            Ok(Box::new(lock) as Box<dyn SpendingLock>)
        })
    }
}

/// A locked account. A write that was begun goes on when the call is dropped, and keeps the lock until
/// it has ended.
#[derive(Debug)]
struct FileLock {
    folder: Arc<JsonFolder>,
    account: String,
    file: Arc<File>,
}

impl SpendingLock for FileLock {
    fn read(&mut self) -> StoreFuture<'_, SpendingJournal> {
        let (folder, account) = (Arc::clone(&self.folder), self.account.clone());
        Box::pin(in_background(move || Ok(folder.read(&account)?.unwrap_or_default())))
    }

    fn write<'a>(&'a mut self, journal: &'a SpendingJournal) -> StoreFuture<'a, ()> {
        let (folder, account) = (Arc::clone(&self.folder), self.account.clone());
        let (journal, file) = (journal.clone(), Arc::clone(&self.file));
        Box::pin(in_background(move || {
            let written = folder.write(&account, &journal);
            drop(file);
            written
        }))
    }
}
