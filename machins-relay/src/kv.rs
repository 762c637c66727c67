//! Buckets of keys and values in JetStream.

use std::collections::BTreeSet;

use async_nats::jetstream::Context;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType, Stream};
use futures_util::TryStreamExt;

use crate::error::chain;

/// Opens a bucket, and creates it if it does not exist, with these settings beside those of every bucket:
/// it is on disk, and refuses new values when it is full.
pub(crate) async fn open_bucket(
    context: &Context,
    name: &str,
    settings: Config,
) -> Result<(Stream, Store), String> {
    // The client's own way to create a bucket needs a newer server than Debian 12 has.
    let stream = context.get_or_create_stream(Config {
        name: format!("KV_{name}"),
        subjects: vec![format!("$KV.{name}.>")],
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        max_messages_per_subject: 1,
        allow_rollup: true,
        deny_delete: true,
        ..settings
    });
    let stream = stream.await.map_err(|error| chain(&error))?;
    let store = context.get_key_value(name).await.map_err(|error| chain(&error))?;
    Ok((stream, store))
}

/// Returns the keys of a bucket. NATS lists one that is written meanwhile twice.
pub(crate) async fn keys(store: &Store) -> Result<BTreeSet<String>, String> {
    let keys = store.keys().await.map_err(|error| chain(&error))?;
    keys.try_collect().await.map_err(|error| chain(&error))
}
