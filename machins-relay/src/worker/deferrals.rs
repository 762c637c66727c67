//! How often events were deferred, which does not count as failing.

use async_nats::jetstream::kv::{Operation, Store};
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{Context, Message};

use crate::error::chain;
use crate::kv::open_bucket;

/// The bucket for all groups of workers.
const BUCKET: &str = "machins-deferred";

/// The numbers of deferrals, by the consumer and the place in the stream.
pub(super) struct Deferrals {
    store: Store,
}

impl Deferrals {
    pub(super) async fn open(context: &Context, replicas: usize) -> Result<Self, String> {
        let settings = Config {
            description: Some("machins relay, deferred events".to_owned()),
            num_replicas: replicas,
            ..Config::default()
        };
        let (_, store) = open_bucket(context, BUCKET, settings).await?;
        Ok(Self { store })
    }

    pub(super) async fn count(&self, message: &Message) -> Result<u64, String> {
        let entry = self.store.entry(key(message)?).await.map_err(|error| chain(&error))?;
        let Some(entry) = entry.filter(|entry| entry.operation == Operation::Put) else {
            return Ok(0);
        };
        let text = String::from_utf8_lossy(&entry.value);
        text.parse().map_err(|_| format!("the number of deferrals is {text:?}"))
    }

    pub(super) async fn set(&self, message: &Message, count: u64) -> Result<(), String> {
        let stored = self.store.put(key(message)?, count.to_string().into()).await;
        stored.map(drop).map_err(|error| chain(&error))
    }

    /// Removes the number of an event that is handled.
    pub(super) async fn forget(&self, message: &Message) -> Result<(), String> {
        let subject = format!("{}{}", self.store.prefix, key(message)?);
        let purged = self.store.stream.purge().filter(subject).await;
        purged.map(drop).map_err(|error| chain(&error))
    }
}

fn key(message: &Message) -> Result<String, String> {
    let info = message.info().map_err(|error| error.to_string())?;
    let [stream, consumer] = [info.stream, info.consumer].map(crate::subject::token);
    let place = format!("{stream}.{consumer}.{}", info.stream_sequence);
    // The characters of a key are fewer than those of a subject.
    Ok(place.replace('%', "=").replace('~', "/"))
}
