//! The decision log that a program writes to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use agent_client_core::{hold_paused_time, printable};
use tokio::sync::oneshot;

use super::append::{self, Settings};
use super::entry::Record;
use super::error::LogError;
use super::lock::LONGEST_WAIT;
use super::writer::Writer;

/// The longest wait for an allow to be written.
const LONGEST_WRITE: Duration = LONGEST_WAIT.saturating_add(Duration::from_millis(500));

/// Is told that a decision could not be written.
type OnFailure = dyn Fn(&Record, &LogError) + Send + Sync;

/// A file to which decisions are written, one line each, in a chain that shows whether a line was
/// changed or removed later.
///
/// Any number of processes can write to one file. A log that cannot be written never delays or
/// prevents a denial. An allow waits until it is written, for 1.5 s at most; if it cannot be written it is valid nevertheless, unless the log is [`required`](Self::required).
///
/// A clone is a few pointers. When the last clone is dropped, those of gates included, decisions that
/// are not written yet are waited for, as by [`flush`](Self::flush).
///
/// ```
/// use machineid_client::decision_log::{DecisionLog, Verifier};
///
/// # test_support::gate(async |gate| {
/// # let folder = tempfile::tempdir()?;
/// # let path = &folder.path().join("decisions.jsonl");
/// let gate = gate.decision_log(DecisionLog::new(path).required());
/// let _permit = gate.check().await?;
///
/// let verified = Verifier::new(path).verify()?;
/// assert_eq!(verified.entries, 1);
/// println!("keep this elsewhere: {}", verified.head);
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct DecisionLog {
    target: Target,
    writer: Arc<Writer>,
}

/// The file and how it is written, without the thread that does it.
#[derive(Clone)]
struct Target {
    path: Arc<Path>,
    asked_by: Arc<str>,
    max_bytes: Option<u64>,
    is_required: bool,
    on_failure: Option<Arc<OnFailure>>,
}

impl DecisionLog {
    /// Creates a log that is kept in this file. The file is created with the first decision, and then
    /// only its owner can read it.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let target = Target {
            path: path.into().into(),
            asked_by: "gate".into(),
            max_bytes: None,
            is_required: false,
            on_failure: None,
        };
        Self { target, writer: Arc::default() }
    }

    /// Sets who asks, which is written with each decision. The default is `gate`.
    #[must_use]
    pub fn asked_by(self, name: &str) -> Self {
        self.change(|target| target.asked_by = printable(name).into())
    }

    /// Sets the length in bytes that the file is not to exceed. Before it would, the file is renamed:
    /// the time is added to its name, and the log goes on in a new file. Old files are never deleted.
    #[must_use]
    pub fn max_bytes(self, max_bytes: u64) -> Self {
        self.change(|target| target.max_bytes = Some(max_bytes))
    }

    /// Makes an allow that cannot be written a denial. An allow then counts only once it is on the
    /// disk, so that a loss of power does not lose it.
    #[must_use]
    pub fn required(self) -> Self {
        self.change(|target| target.is_required = true)
    }

    /// Sets a function that is told each decision that could not be written, and why. Without one, and
    /// also with one, `tracing` logs it at level `WARN`.
    #[must_use]
    pub fn on_failure(
        self,
        on_failure: impl Fn(&Record, &LogError) + Send + Sync + 'static,
    ) -> Self {
        self.change(|target| target.on_failure = Some(Arc::new(on_failure)))
    }

    fn change(mut self, change: impl FnOnce(&mut Target)) -> Self {
        change(&mut self.target);
        self
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.target.path
    }

    /// Returns whether an allow that cannot be written is a denial.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.target.is_required
    }

    /// Checks that the file, if it exists, is a decision log.
    ///
    /// # Errors
    /// Returns [`LogError::NotALog`] if the file has other content, and another error if it cannot be
    /// read.
    pub fn check(&self) -> Result<(), LogError> {
        append::check(self.path())
    }

    /// Writes a decision, and returns the hash of its line. It waits for the file for 1.5 s at most. A [`Gate`](crate::Gate) with this log does it by itself.
    ///
    /// # Errors
    /// Returns an error if the decision could not be written; no part of it is then in the file.
    pub fn append(&self, record: &Record) -> Result<String, LogError> {
        let (done, written) = mpsc::channel();
        let waiting = Arc::new(());
        let is_awaited = Arc::downgrade(&waiting);
        self.queue(record, move |target, record| {
            // What nobody waits for any more was reported as not written.
            if is_awaited.strong_count() > 0 {
                let _ = done.send(target.append(record));
            }
        });
        let result = written.recv_timeout(LONGEST_WRITE);
        drop(waiting);
        result.unwrap_or_else(|_| Err(self.target.too_slow(record)))
    }

    /// Lets the thread do something with the record. Returns false if too many are waiting.
    fn queue(
        &self,
        record: &Record,
        write: impl FnOnce(&Target, &Record) + Send + 'static,
    ) -> bool {
        let (target, record) = (self.target.clone(), record.clone());
        self.writer.run(move || write(&target, &record))
    }

    /// Waits until the denials so far are written, for two seconds at most. Call it before the
    /// program exits.
    pub fn flush(&self) {
        self.writer.drain();
    }

    /// Has an allow written, and waits for it. Returns an error if the allow must not be used.
    pub(crate) async fn write_allow(&self, record: &Record) -> Result<(), LogError> {
        let (done, written) = oneshot::channel();
        self.queue(record, move |target, record| {
            if !done.is_closed() {
                let _ = done.send(target.append(record));
            }
        });
        let written = tokio::time::timeout(LONGEST_WRITE, written);
        let result = match hold_paused_time(LONGEST_WRITE, written).await {
            Ok(Ok(result)) => result.map(drop),
            // It took too long, or was not even queued.
            _ => Err(self.target.too_slow(record)),
        };
        result.or_else(|error| if self.is_required() { Err(error) } else { Ok(()) })
    }

    /// Has a denial written, and does not wait for it.
    pub(crate) fn write_denial(&self, record: &Record) {
        let is_queued = self.queue(record, |target, record| {
            let _ = target.append(record);
        });
        if !is_queued {
            self.target.too_slow(record);
        }
    }
}

impl Target {
    fn append(&self, record: &Record) -> Result<String, LogError> {
        let settings = Settings {
            path: &self.path,
            asked_by: &self.asked_by,
            max_bytes: self.max_bytes,
            is_synced: self.is_required && record.is_allowed(),
        };
        append::append(&settings, record).inspect_err(|error| self.failed(record, error))
    }

    fn too_slow(&self, record: &Record) -> LogError {
        let error = LogError::TooSlow { path: self.path.to_path_buf() };
        self.failed(record, &error);
        error
    }

    fn failed(&self, record: &Record, error: &LogError) {
        tracing::warn!(%error, "a decision was not logged");
        if let Some(on_failure) = &self.on_failure {
            on_failure(record, error);
        }
    }
}

impl fmt::Debug for DecisionLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionLog")
            .field("path", &self.target.path)
            .field("asked_by", &self.target.asked_by)
            .field("max_bytes", &self.target.max_bytes)
            .field("is_required", &self.target.is_required)
            .finish_non_exhaustive()
    }
}
