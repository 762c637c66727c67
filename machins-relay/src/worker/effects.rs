//! What events have led to, so that it happens once.

use async_nats::jetstream::Context;
use async_nats::jetstream::kv::{CreateErrorKind, Operation, Store};
use async_nats::jetstream::stream::Config;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{RelayError, chain};
use crate::kv::{keys, open_bucket};

/// A memory of the effects of events, in a bucket of JetStream that all workers of a group share.
///
/// A worker may get an event twice: it, or the connection, may be gone between the effect and the
/// acknowledgement. With a key, which is best the event's [`id`](crate::ReceivedEvent::id), an effect that
/// is finished is not repeated. One that was begun and not finished may have happened: whoever gets its
/// event next is told so, and can find out or repeat what does no harm. Unfinished keys can be
/// [listed](Self::unfinished).
///
/// ```
/// use machins_relay::{Effect, Effects};
///
/// # test_support::machins(async |_: test_support::Marketplace<_>| {
/// # let Some(nats) = test_support::NatsServer::start(&[]) else { return Ok(()) };
/// # let url = nats.url();
/// let context = async_nats::jetstream::new(async_nats::connect(url).await?);
/// let effects = Effects::open(&context, "invoices").await?;
/// for _ in 0..2 {
///     match effects.begin("event-1").await? {
///         Effect::New => println!("send the invoice"),
///         Effect::Unfinished => println!("look whether it was sent, and send it if not"),
///         Effect::Finished => break,
///     }
///     effects.finish("event-1").await?;
/// }
/// # Ok(()) });
/// ```
#[derive(Debug, Clone)]
pub struct Effects {
    store: Store,
}

/// What is known about the effect of a key.
// Exhaustive: a program decides about each of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nobody has begun it before, and it is recorded now that this call has.
    New,
    /// Somebody has begun it before and not finished: it may have happened, or be under way.
    Unfinished,
    /// It has happened.
    Finished,
}

/// What is stored under the hash of a key.
#[derive(Serialize, Deserialize)]
struct Record {
    key: String,
    is_finished: bool,
}

impl Effects {
    /// Opens the memory of this name: letters, digits, `-` and `_`. Its bucket `machins-effects-NAME` is
    /// created if it does not exist, and keeps everything.
    ///
    /// # Errors
    /// Returns [`RelayError::Nats`] if the bucket can be neither opened nor created.
    pub async fn open(context: &Context, name: &str) -> Result<Self, RelayError> {
        let bucket = format!("machins-effects-{name}");
        let description = Some("machins relay, effects of events".to_owned());
        let settings = Config { description, ..Config::default() };
        let (_, store) = open_bucket(context, &bucket, settings).await.map_err(RelayError::Nats)?;
        Ok(Self { store })
    }

    /// Records that the effect of this key is about to happen, and returns what was known about it.
    ///
    /// # Errors
    /// Returns [`RelayError::Nats`] if it cannot be recorded: then it must not happen now.
    pub async fn begin(&self, key: &str) -> Result<Effect, RelayError> {
        let name = name(key);
        match self.store.create(&name, record(key, false)?.into()).await {
            Ok(_) => Ok(Effect::New),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {
                let known = self.read(&name).await?;
                let is_finished = known.is_some_and(|known| known.is_finished);
                Ok(if is_finished { Effect::Finished } else { Effect::Unfinished })
            }
            Err(error) => Err(RelayError::Nats(chain(&error))),
        }
    }

    /// Records that the effect of this key has happened.
    ///
    /// # Errors
    /// Returns [`RelayError::Nats`] if it cannot be recorded: it then stays unfinished.
    pub async fn finish(&self, key: &str) -> Result<(), RelayError> {
        let stored = self.store.put(name(key), record(key, true)?.into()).await;
        stored.map(drop).map_err(|error| RelayError::Nats(chain(&error)))
    }

    /// Returns the keys of the effects that were begun and not finished.
    ///
    /// # Errors
    /// Returns [`RelayError::Nats`] if they cannot be read.
    pub async fn unfinished(&self) -> Result<Vec<String>, RelayError> {
        let mut unfinished = Vec::new();
        for name in keys(&self.store).await.map_err(RelayError::Nats)? {
            let known = self.read(&name).await?;
            unfinished.extend(known.filter(|known| !known.is_finished).map(|known| known.key));
        }
        Ok(unfinished)
    }

    async fn read(&self, name: &str) -> Result<Option<Record>, RelayError> {
        let entry = self.store.entry(name).await;
        let entry = entry.map_err(|error| RelayError::Nats(chain(&error)))?;
        let Some(entry) = entry.filter(|entry| entry.operation == Operation::Put) else {
            return Ok(None);
        };
        let record = serde_json::from_slice(&entry.value);
        record.map(Some).map_err(|error| RelayError::Nats(format!("the effect {name}: {error}")))
    }
}

/// The name of a key in the bucket, which has fewer characters than keys have.
fn name(key: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(key))
}

fn record(key: &str, is_finished: bool) -> Result<Vec<u8>, RelayError> {
    serde_json::to_vec(&Record { key: key.to_owned(), is_finished })
        .map_err(|error| RelayError::Nats(error.to_string()))
}
