//! The bucket of a store: one key a lock and its record, changed by comparing revisions.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::kv::{Operation, Store, UpdateErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use machins_client::{Document, Error, ErrorKind};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};

use crate::connection::NatsConnection;
use crate::error::{Unusable, chain};
use crate::kv::{keys, open_bucket};

/// How long the server may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The wait between two looks at a connection that is interrupted.
const CONNECTION_WAIT: Duration = Duration::from_millis(20);
/// The form of an entry. Another one is not understood.
const VERSION: u32 = 1;

/// What a key holds: who has locked it, and its record. Both are one value, so that a process whose
/// lock was taken over cannot write the record any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lock: Option<Stamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<Document>,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// Different for each time that a lock is taken.
    pub(super) holder: String,
    /// The time in milliseconds after which the lock may be taken over if its entry stays as it is.
    pub(super) lasts_ms: u64,
}

impl Entry {
    pub(super) fn new(lock: Option<Stamp>, record: Option<Document>) -> Self {
        Self { version: VERSION, lock, record }
    }
}

/// An entry and its revision in the bucket. A key that was never written, or was removed, has an empty
/// entry.
pub(super) struct Found {
    pub(super) revision: u64,
    pub(super) entry: Entry,
    /// The time at which the server stored it, in seconds since 1970.
    pub(super) stored_at: i64,
}

/// Why an entry was not changed.
pub(super) enum Unchanged {
    /// It has changed since it was read.
    Conflict,
    /// It may have been changed or not.
    Failed(Error),
}

/// A bucket in JetStream.
#[derive(Clone)]
pub(super) struct Bucket {
    context: Context,
    store: Store,
}

impl Bucket {
    /// Connects, and creates the bucket if it does not exist.
    pub(super) async fn open(
        connection: &NatsConnection,
        name: &str,
        replicas: usize,
    ) -> Result<Self, Error> {
        let context = connection.connect().await.map_err(|error| match error {
            Unusable::Now(reason) => failed(&reason),
            Unusable::Ever(error) => failed(&error.to_string()),
        })?;
        let settings = Config {
            description: Some("machins, intents and spending".to_owned()),
            num_replicas: replicas,
            // What is read is what the leader has, not a replica that is late.
            allow_direct: false,
            ..Config::default()
        };
        let opened = open_bucket(&context, name, settings).await;
        let (stream, store) = opened.map_err(|error| failed(&error))?;
        let config = &stream.cached_info().config;
        let forgets = config.storage != StorageType::File
            || !config.max_age.is_zero()
            || config.discard != DiscardPolicy::New;
        if forgets {
            let message = format!(
                "the bucket {name} could forget what it holds: it must be on disk, without a maximum age, and refuse new values when it is full (discard new)"
            );
            return Err(Error::new(ErrorKind::Storage, message));
        }
        Ok(Self { context, store })
    }

    /// Waits for the connection. Without one, the client would keep what is published, and publish it
    /// later.
    async fn connected(&self) -> Result<(), Error> {
        let client = self.context.client();
        let begun = Instant::now();
        while client.connection_state() != State::Connected {
            if begun.elapsed() > ANSWER_LIMIT {
                return Err(failed("the connection to NATS is interrupted"));
            }
            sleep(CONNECTION_WAIT).await;
        }
        Ok(())
    }

    pub(super) async fn get(&self, key: &str) -> Result<Found, Error> {
        self.connected().await?;
        let found = self.store.entry(key).await.map_err(|error| failed(&chain(&error)))?;
        let empty = |revision| Found { revision, entry: Entry::new(None, None), stored_at: 0 };
        let Some(found) = found else { return Ok(empty(0)) };
        if found.operation != Operation::Put {
            return Ok(empty(found.revision));
        }
        let entry: Entry = serde_json::from_slice(&found.value)
            .map_err(|error| corrupt(key, &error.to_string()))?;
        if entry.version != VERSION {
            return Err(corrupt(key, "a newer version has written it"));
        }
        let stored_at = found.created.unix_timestamp();
        Ok(Found { revision: found.revision, entry, stored_at })
    }

    /// Changes an entry that has this revision, and returns its new one.
    pub(super) async fn update(
        &self,
        key: &str,
        entry: &Entry,
        revision: u64,
    ) -> Result<u64, Unchanged> {
        self.connected().await.map_err(Unchanged::Failed)?;
        let json = serde_json::to_vec(entry)
            .map_err(|error| Unchanged::Failed(corrupt(key, &error.to_string())))?;
        let updated = timeout(ANSWER_LIMIT, self.store.update(key, json.into(), revision)).await;
        let error = match updated {
            Ok(Ok(revision)) => return Ok(revision),
            Ok(Err(error)) if error.kind() == UpdateErrorKind::WrongLastRevision => {
                return Err(Unchanged::Conflict);
            }
            Ok(Err(error)) => failed(&chain(&error)),
            Err(_) => failed("it does not answer"),
        };
        Err(Unchanged::Failed(error))
    }

    /// Removes the entry of a key if it has this revision. Returns whether it had.
    pub(super) async fn erase(&self, key: &str, revision: u64) -> Result<bool, Error> {
        self.connected().await?;
        let subject = format!("{}{key}", self.store.prefix);
        // Everything before the next revision. A later one stays.
        let purge = self.store.stream.purge().filter(subject).sequence(revision + 1);
        let purged = purge.await.map_err(|error| failed(&chain(&error)))?;
        Ok(purged.purged > 0)
    }

    /// Returns the keys that begin like this.
    pub(super) async fn keys(&self, beginning: &str) -> Result<Vec<String>, Error> {
        self.connected().await?;
        let listed = async {
            let keys = keys(&self.store).await.map_err(|reason| failed(&reason))?;
            Ok(keys.into_iter().filter(|key| key.starts_with(beginning)).collect())
        };
        let limit = 2 * ANSWER_LIMIT;
        timeout(limit, listed).await.map_err(|_| failed("it does not answer"))?
    }
}

fn failed(reason: &str) -> Error {
    Error::new(ErrorKind::Storage, format!("the store in NATS cannot be used: {reason}"))
}

fn corrupt(key: &str, reason: &str) -> Error {
    let message = format!("the entry {key} of the store in NATS cannot be read: {reason}");
    Error::new(ErrorKind::Storage, message)
}
