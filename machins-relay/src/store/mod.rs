//! Stores for intents and spending that any number of machines share.

mod background;
mod bucket;
mod lock;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures_util::{StreamExt, TryStreamExt, stream};
use machins_client::{
    CancellationToken, Document, Error, ErrorKind, Intent, IntentLock, IntentStore, LockCheck,
    SpendingJournal, SpendingLock, SpendingStore, StoreFuture,
};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex as AsyncMutex, OnceCell, OwnedMutexGuard};

use self::background::{Background, Worker};
use self::bucket::Bucket;
use self::lock::{Held, Wanted};
use crate::connection::NatsConnection;

/// The bucket that is used unless another is named.
const BUCKET: &str = "machins-store";
/// What the keys of intents, and of what is spent, begin with.
const INTENTS: &str = "intent.";
const ACCOUNTS: &str = "spending.";
/// How long a lock lasts unless another time is set, and at least.
const LOCK_TIME: Duration = Duration::from_secs(10);
const SHORTEST_LOCK_TIME: Duration = Duration::from_secs(1);
/// How long finished intents are kept.
const KEPT_FOR: Duration = Duration::from_hours(90 * 24);
/// Old intents are removed at the first of so many new keys.
const PRUNED_EVERY: usize = 100;
/// The number of entries that are read at the same time.
const READ_AT_ONCE: usize = 32;

/// An [`IntentStore`] and a [`SpendingStore`] in a bucket of NATS JetStream, for any number of processes
/// on any number of machines: together, they make one purchase for a key, and keep one budget.
///
/// Everything a process relies on is compared by the server: a value is written only if it is still the
/// one that was read. The lock of a process that is killed or stopped is taken over when it has not
/// been renewed for the [lock time](Self::lock_time). A process that comes back afterwards can neither
/// write nor send: what it wants to write is refused, and a proposal leaves only while the lock is
/// certainly held. If NATS cannot be reached, nothing is sent.
///
/// The connection has a thread of its own and is made when it is needed. Clones share it. When the last
/// one is dropped, it waits until the locks are released.
///
/// ```
/// use machins_client::{Client, Money, Proposal, SpendingClient, SpendingPolicy};
/// use machins_relay::{NatsConnection, NatsStore};
///
/// # test_support::machins(async |test_support::Marketplace { server, listing, .. }| {
/// # let Some(nats) = test_support::NatsServer::start(&[]) else { return Ok(()) };
/// # let address = nats.url(); // nats://127.0.0.1:4222
/// # let agent = server.create_agent(machins_mock::NewAgent::new().slug("eve"))?;
/// # let api_key = machins_client::ApiKey::new(&agent.api_key)?;
/// # let builder = Client::builder().base_url(server.machins_base_url()).api_key(api_key);
/// let store = NatsStore::new(&NatsConnection::new(&address)?);
/// let client = builder.intent_store(store.clone()).build()?;
/// let policy = SpendingPolicy::new().max_per_day(Money::credits(80));
/// let client = SpendingClient::new(&client, policy).store(store);
/// let trade = client.propose_trade_once("order-42", &Proposal::new(&listing.id)).await?;
/// # assert_eq!(client.propose_trade_once("order-42", &Proposal::new(&listing.id)).await?.id, trade.id);
/// # Ok(()) });
/// ```
#[derive(Clone)]
#[must_use]
pub struct NatsStore(Arc<Inner>);

struct Inner {
    settings: Settings,
    /// The process that created it. A forked one has no thread for the connection.
    process: u32,
    background: OnceLock<Result<Background, String>>,
    bucket: OnceCell<Bucket>,
    turns: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
    /// The number of keys that were used first since the store was created.
    new_keys: AtomicUsize,
}

#[derive(Clone)]
struct Settings {
    connection: NatsConnection,
    bucket: String,
    replicas: usize,
    lock_time: Duration,
}

impl NatsStore {
    /// Creates a store at a server. Nothing is connected yet.
    pub fn new(connection: &NatsConnection) -> Self {
        let (connection, bucket) = (connection.clone(), BUCKET.to_owned());
        let settings = Settings { connection, bucket, replicas: 1, lock_time: LOCK_TIME };
        Self(Arc::new(Inner::new(settings)))
    }

    /// Sets the name of the bucket: letters, digits, `-` and `_`. The default is `machins-store`. Those
    /// who use the same bucket share locks, intents and budgets.
    pub fn bucket(self, name: impl Into<String>) -> Self {
        self.with(|settings| settings.bucket = name.into())
    }

    /// Sets how many servers of a cluster keep each value, if the bucket does not exist yet. The default
    /// is one, and three survive the loss of one.
    pub fn replicas(self, replicas: usize) -> Self {
        self.with(|settings| settings.replicas = replicas)
    }

    /// Sets how long the lock of a process that was killed or stopped holds up the others. A process
    /// that cannot renew its locks for three quarters of this time sends nothing. The default is 10
    /// seconds, and the shortest time is one second.
    pub fn lock_time(self, time: Duration) -> Self {
        self.with(|settings| settings.lock_time = time.max(SHORTEST_LOCK_TIME))
    }

    /// Changes the settings of a store that is not connected yet.
    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.0.settings.clone();
        change(&mut settings);
        Self(Arc::new(Inner::new(settings)))
    }

    async fn locked(&self, key: String, patience: Duration) -> Result<Option<Held>, Error> {
        let worker = self.0.worker()?.clone();
        let stop = CancellationToken::new();
        let _stopping = stop.clone().drop_guard();
        let inner = Arc::clone(&self.0);
        let time = inner.settings.lock_time;
        let locking = async move {
            let now = Instant::now();
            // Without a limit, a day is waited for.
            let deadline = now.checked_add(patience).unwrap_or(now + Duration::from_hours(24));
            let waiting = tokio::time::timeout(patience, inner.turn(&key));
            let Ok(turn) = waiting.await else { return Ok(None) };
            let bucket = inner.bucket().await?;
            let worker = inner.worker()?.clone();
            // The end of the store waits for its tasks, and must not happen in one of them.
            drop(inner);
            Wanted { key, time, deadline, turn, stop }.acquire(bucket, &worker).await
        };
        worker.run(locking).await
    }
}

impl Inner {
    fn new(settings: Settings) -> Self {
        Self {
            settings,
            process: std::process::id(),
            background: OnceLock::new(),
            bucket: OnceCell::new(),
            turns: Mutex::default(),
            new_keys: AtomicUsize::new(0),
        }
    }

    fn worker(&self) -> Result<&Worker, Error> {
        if self.process != std::process::id() {
            let message =
                "the store was created before this process was made by fork; create one in it";
            return Err(Error::new(ErrorKind::Forked, message));
        }
        let background =
            self.background.get_or_init(|| Background::start().map_err(|error| error.to_string()));
        background.as_ref().map(Background::worker).map_err(|reason| {
            let message = format!("a thread for the store cannot be started: {reason}");
            Error::new(ErrorKind::Storage, message)
        })
    }

    async fn bucket(&self) -> Result<Bucket, Error> {
        let Settings { connection, bucket, replicas, .. } = &self.settings;
        let open = || Bucket::open(connection, bucket, *replicas);
        self.bucket.get_or_try_init(open).await.cloned()
    }

    /// Waits until nobody else in this process has or wants the lock.
    async fn turn(&self, key: &str) -> OwnedMutexGuard<()> {
        let mutex = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, mutex| Arc::strong_count(mutex) > 1);
            Arc::clone(turns.entry(key.to_owned()).or_default())
        };
        mutex.lock_owned().await
    }
}

impl IntentStore for NatsStore {
    fn lock<'a>(
        &'a self,
        key: &'a str,
        patience: Duration,
    ) -> StoreFuture<'a, Box<dyn IntentLock>> {
        Box::pin(async move {
            let held = self.locked(entry_key(INTENTS, key), patience).await?;
            let held = held.ok_or_else(|| {
                busy(&format!("another call has been working on the key {key:?}"), patience)
            })?;
            let (store, key) = (self.clone(), key.to_owned());
            Ok(Box::new(LockedIntent { held, store, key }) as Box<dyn IntentLock>)
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<Intent>> {
        Box::pin(async move {
            let worker = self.0.worker()?.clone();
            let inner = Arc::clone(&self.0);
            let bucket = worker.run(async move { inner.bucket().await }).await?;
            worker.run(list(bucket)).await
        })
    }
}

async fn list(bucket: Bucket) -> Result<Vec<Intent>, Error> {
    let keys = bucket.keys(INTENTS).await?;
    let intents = stream::iter(keys).map(|key| {
        let bucket = &bucket;
        async move { bucket.get(&key).await?.entry.record.map(|record| intent(&record)).transpose() }
    });
    let intents: Vec<Option<Intent>> = intents.buffered(READ_AT_ONCE).try_collect().await?;
    Ok(intents.into_iter().flatten().collect())
}

/// A locked key.
#[derive(Debug)]
struct LockedIntent {
    held: Held,
    store: NatsStore,
    key: String,
}

impl IntentLock for LockedIntent {
    fn read(&mut self) -> StoreFuture<'_, Option<Intent>> {
        Box::pin(async {
            let Some(record) = self.held.read().await else { return Ok(None) };
            let intent = intent(&record)?;
            if intent.key() != self.key {
                let message =
                    format!("the record of the key {:?} is that of another key", self.key);
                return Err(Error::new(ErrorKind::Storage, message));
            }
            Ok(Some(intent))
        })
    }

    fn write<'a>(&'a mut self, intent: &'a Intent) -> StoreFuture<'a, ()> {
        Box::pin(async {
            let is_new = self.held.read().await.is_none();
            self.held.write(Some(Document::new(intent)?)).await?;
            let inner = &self.store.0;
            if is_new
                && inner.new_keys.fetch_add(1, Ordering::Relaxed).is_multiple_of(PRUNED_EVERY)
                && let (Ok(worker), Some(bucket)) = (inner.worker(), inner.bucket.get())
            {
                worker.start(prune(bucket.clone(), SystemTime::now()));
            }
            Ok(())
        })
    }

    fn remove(&mut self) -> StoreFuture<'_, ()> {
        Box::pin(self.held.write(None))
    }

    fn check(&self) -> LockCheck {
        Arc::new(self.held.check())
    }
}

/// Removes finished intents that are old. What cannot be removed now is removed another time.
async fn prune(bucket: Bucket, now: SystemTime) {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let oldest = i64::try_from(now.saturating_sub(KEPT_FOR).as_secs()).unwrap_or_default();
    for key in bucket.keys(INTENTS).await.unwrap_or_default() {
        let Ok(found) = bucket.get(&key).await else { return };
        let Some(record) = found.entry.record else { continue };
        let is_finished = found.entry.lock.is_none()
            && found.stored_at < oldest
            && intent(&record).is_ok_and(|intent| intent.is_done());
        if is_finished && bucket.erase(&key, found.revision).await.is_err() {
            return;
        }
    }
}

impl SpendingStore for NatsStore {
    fn lock<'a>(
        &'a self,
        account: &'a str,
        patience: Duration,
    ) -> StoreFuture<'a, Box<dyn SpendingLock>> {
        Box::pin(async move {
            let held = self.locked(entry_key(ACCOUNTS, account), patience).await?;
            let held =
                held.ok_or_else(|| busy("another purchase has been decided on", patience))?;
            Ok(Box::new(LockedAccount(held)) as Box<dyn SpendingLock>)
        })
    }
}

/// A locked account.
#[derive(Debug)]
struct LockedAccount(Held);

impl SpendingLock for LockedAccount {
    fn read(&mut self) -> StoreFuture<'_, SpendingJournal> {
        Box::pin(async {
            let Some(record) = self.0.read().await else { return Ok(SpendingJournal::default()) };
            record.to().map_err(|error| unreadable("what is under way", &error))
        })
    }

    fn write<'a>(&'a mut self, journal: &'a SpendingJournal) -> StoreFuture<'a, ()> {
        Box::pin(async { self.0.write(Some(Document::new(journal)?)).await })
    }
}

/// The key of an entry: a hash, because texts may have any characters and length.
fn entry_key(kind: &str, text: &str) -> String {
    format!("{kind}{}", base16ct::lower::encode_string(&Sha256::digest(text)))
}

fn intent(record: &Document) -> Result<Intent, Error> {
    record.to().map_err(|error| unreadable("an intent", &error))
}

fn unreadable(what: &str, error: &Error) -> Error {
    let message = format!("{what} in the store in NATS cannot be read: {error}");
    Error::new(ErrorKind::Storage, message)
}

fn busy(what: &str, patience: Duration) -> Error {
    let seconds = patience.as_secs_f32().ceil();
    Error::new(ErrorKind::TimedOut, format!("{what} for {seconds} s; try again later"))
}

impl fmt::Debug for NatsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { connection, bucket, .. } = &self.0.settings;
        f.debug_struct("NatsStore")
            .field("connection", connection)
            .field("bucket", bucket)
            .finish_non_exhaustive()
    }
}
