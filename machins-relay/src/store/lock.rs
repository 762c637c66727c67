//! Locks that run out.
//!
//! A lock is a part of the entry that it locks, and every change of the entry names the revision that
//! it is based on. Its holder renews it by writing the entry again. Whoever waits for it takes it over
//! when the revision has stayed the same for as long as the holder has said, by the waiting one's own
//! clock: no two clocks are compared, and none of the server. From then on, nothing that the former holder
//! writes is accepted. The holder itself counts its lock as lost before anyone can take it over.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use machins_client::{CancellationToken, Document, Error, ErrorKind};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::background::Worker;
use super::bucket::{Bucket, Entry, Found, Stamp, Unchanged};

/// The shortest and the longest wait before a lock that is held is looked at again.
const SHORTEST_LOOK: Duration = Duration::from_millis(5);
const LONGEST_LOOK: Duration = Duration::from_millis(50);

/// A lock that is being taken.
pub(super) struct Wanted {
    pub(super) key: String,
    pub(super) time: Duration,
    /// The moment after which it is not waited for any more.
    pub(super) deadline: Instant,
    /// Those of this process that want the same lock take turns.
    pub(super) turn: OwnedMutexGuard<()>,
    /// Cancelled when nobody wants the lock any more.
    pub(super) stop: CancellationToken,
}

/// A lock that is held until it is dropped, or until it has run out.
#[derive(Debug)]
pub(super) struct Held {
    shared: Arc<Shared>,
}

struct Shared {
    bucket: Bucket,
    worker: Worker,
    key: String,
    stamp: Stamp,
    validity: Validity,
    state: AsyncMutex<State>,
    /// Cancelled when it is released.
    released: CancellationToken,
}

/// The entry as it was written last.
struct State {
    revision: u64,
    record: Option<Document>,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Wanted {
    /// Waits until nobody else has the lock, and takes it. Returns `None` if that takes too long, or if
    /// it is stopped before.
    pub(super) async fn acquire(
        self,
        bucket: Bucket,
        worker: &Worker,
    ) -> Result<Option<Held>, Error> {
        let holder = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let lasts_ms = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        let stamp = Stamp { holder, lasts_ms };
        let mut seen = None;
        while !self.stop.is_cancelled() && Instant::now() < self.deadline {
            let asked = Moment::now();
            let found = bucket.get(&self.key).await?;
            // The reply to taking it may have been lost.
            let is_own = found.entry.lock.as_ref() == Some(&stamp);
            if is_own || is_free(&found, &mut seen) {
                let entry = Entry::new(Some(stamp.clone()), found.entry.record);
                match bucket.update(&self.key, &entry, found.revision).await {
                    Ok(revision) => {
                        let validity = Validity::new(asked, self.time);
                        return Ok(Some(
                            self.held(bucket, worker, stamp, entry, revision, validity),
                        ));
                    }
                    Err(Unchanged::Conflict) => {}
                    Err(Unchanged::Failed(error)) => return Err(error),
                }
            }
            let wait = fastrand::u64(as_micros(SHORTEST_LOOK)..as_micros(LONGEST_LOOK));
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_micros(wait)) => {}
            }
        }
        Ok(None)
    }

    fn held(
        self,
        bucket: Bucket,
        worker: &Worker,
        stamp: Stamp,
        entry: Entry,
        revision: u64,
        validity: Validity,
    ) -> Held {
        let state = State { revision, record: entry.record, turn: Some(self.turn) };
        let shared = Arc::new(Shared {
            bucket,
            key: self.key,
            stamp,
            validity,
            state: AsyncMutex::new(state),
            released: CancellationToken::new(),
            worker: worker.clone(),
        });
        let kept = Arc::clone(&shared);
        worker.start(async move {
            let released = kept.released.clone();
            tokio::select! {
                () = released.cancelled() => {}
                () = kept.renew() => {}
            }
        });
        Held { shared }
    }
}

fn as_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Whether a lock can be taken: nobody has it, or its holder has not renewed it for long enough.
/// `seen` is the revision that was found before, and since when.
fn is_free(found: &Found, seen: &mut Option<(u64, Instant)>) -> bool {
    let Some(stamp) = &found.entry.lock else { return true };
    match seen {
        Some((revision, since)) if *revision == found.revision => {
            since.elapsed() >= Duration::from_millis(stamp.lasts_ms)
        }
        _ => {
            *seen = Some((found.revision, Instant::now()));
            false
        }
    }
}

impl Held {
    /// Returns the record of the key, or `None` if it has none.
    pub(super) async fn read(&self) -> Option<Document> {
        self.shared.state.lock().await.record.clone()
    }

    /// Writes the record of the key, or removes it. What was begun goes on when the call is dropped.
    pub(super) async fn write(&self, record: Option<Document>) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let write = async move { shared.write(&mut *shared.state.lock().await, record).await };
        self.shared.worker.run(write).await
    }

    /// Returns a function that fails once the lock may have run out.
    pub(super) fn check(&self) -> impl Fn() -> Result<(), Error> + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || {
            let is_valid = !shared.released.is_cancelled() && shared.validity.is_certain();
            if is_valid { Ok(()) } else { Err(shared.lost("nothing was sent")) }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        shared.released.cancel();
        let worker = shared.worker.clone();
        worker.release(async move { shared.release().await });
    }
}

impl Shared {
    async fn write(&self, state: &mut State, record: Option<Document>) -> Result<(), Error> {
        self.put(state, Some(self.stamp.clone()), record).await
    }

    /// Writes the entry, unless another process has taken the lock over.
    async fn put(
        &self,
        state: &mut State,
        lock: Option<Stamp>,
        record: Option<Document>,
    ) -> Result<(), Error> {
        let entry = Entry::new(lock, record);
        loop {
            let asked = Moment::now();
            match self.bucket.update(&self.key, &entry, state.revision).await {
                Ok(revision) => {
                    state.revision = revision;
                    state.record = entry.record;
                    self.validity.renew(asked);
                    return Ok(());
                }
                Err(Unchanged::Conflict) => {
                    // An earlier write may have been accepted though its reply was lost.
                    let found = self.bucket.get(&self.key).await?;
                    if found.entry.lock.as_ref() != Some(&self.stamp) {
                        self.validity.end();
                        return Err(self.lost("this was not recorded"));
                    }
                    state.revision = found.revision;
                }
                Err(Unchanged::Failed(error)) => return Err(error),
            }
        }
    }

    /// Renews the lock until another process has it.
    async fn renew(&self) {
        while !self.validity.has_ended() {
            tokio::time::sleep(self.validity.time / 3).await;
            let mut state = self.state.lock().await;
            let record = state.record.clone();
            // If it fails, it is tried again: as long as nobody takes it over, it can be renewed.
            let _ = self.write(&mut state, record).await;
        }
    }

    /// Gives the lock up, so that others need not wait until it runs out.
    async fn release(&self) {
        let given_up = async {
            let mut state = self.state.lock().await;
            while !self.validity.has_ended() {
                match self.give_up(&mut state).await {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(_) => tokio::time::sleep(LONGEST_LOOK).await,
                }
            }
            state.turn.take()
        };
        // Otherwise it runs out.
        drop(tokio::time::timeout(self.validity.time, given_up).await);
    }

    /// Gives the lock up. Returns false if the entry has another revision now.
    async fn give_up(&self, state: &mut State) -> Result<bool, Error> {
        if state.record.is_some() {
            let record = state.record.clone();
            return self.put(state, None, record).await.map(|()| true);
        }
        if self.bucket.erase(&self.key, state.revision).await? {
            return Ok(true);
        }
        let found = self.bucket.get(&self.key).await?;
        state.revision = found.revision;
        Ok(found.entry.lock.as_ref() != Some(&self.stamp))
    }

    fn lost(&self, consequence: &str) -> Error {
        let key = &self.key;
        let message = format!(
            "the lock on {key} has run out, because it could not be renewed in time; {consequence}; try again in the same way"
        );
        Error::new(ErrorKind::Storage, message)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lock").field("key", &self.key).finish_non_exhaustive()
    }
}

/// A moment on both clocks: one that is never set, and one that goes on while the machine sleeps.
#[derive(Clone, Copy)]
struct Moment {
    instant: Instant,
    system: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self { instant: Instant::now(), system: SystemTime::now() }
    }

    /// The time that has passed since, by the clock for which it is more.
    fn elapsed(&self) -> Duration {
        self.instant.elapsed().max(self.system.elapsed().unwrap_or_default())
    }
}

/// How long a lock is certainly held.
struct Validity {
    time: Duration,
    /// The moment before the lock was renewed for the last time. `None` once another has it.
    renewed: Mutex<Option<Moment>>,
}

impl Validity {
    fn new(asked: Moment, time: Duration) -> Self {
        Self { time, renewed: Mutex::new(Some(asked)) }
    }

    fn renew(&self, asked: Moment) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
    }

    fn end(&self) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn has_ended(&self) -> bool {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Whether nobody else can have the lock. Others wait for the whole time before they take it. The
    /// rest of it is for clocks of different speed, and for a request that is on its way.
    fn is_certain(&self) -> bool {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.is_some_and(|renewed| renewed.elapsed() < self.time * 3 / 4)
    }
}
