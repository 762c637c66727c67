//! Of several replicas, one reads an agent's inbox at a time.
//!
//! That saves requests. Order and uniqueness do not depend on it: each replica stores the events of
//! a trade in order, and the stream recognizes those that another has stored.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use machins_client::{AgentId, CancellationToken};
use tokio::time::{Instant, sleep, timeout};

use crate::nats::{Waits, chain};
use crate::notice::{Interruption, Notice, OnNotice};
use crate::subject::token;

/// The bucket that holds a key for each agent whose inbox is read.
const BUCKET: &str = "machins-relay";

/// The right to read an agent's inbox, for as long as it is renewed.
pub(crate) struct Lease {
    store: Store,
    key: String,
    holder: String,
    revision: u64,
    time: Duration,
}

impl Lease {
    /// Waits until nobody else has the lease, and takes it. Returns `None` if it is stopped before.
    pub(crate) async fn acquire(
        context: &Context,
        interruption: &Interruption,
        agent: &AgentId,
        time: Duration,
        on_notice: &OnNotice,
        stop: &CancellationToken,
    ) -> Option<Self> {
        // The characters of a key are fewer than those of a subject.
        let key = token(agent.as_str()).replace('%', "=").replace('~', "/");
        // Different for each connection and call.
        let holder = context.client().new_inbox();
        let (mut waits, mut is_standby) = (Waits::new(), false);
        loop {
            let wait = match Self::try_acquire(context, &key, &holder, time).await {
                Ok(Attempt::Taken(lease)) => {
                    interruption.end();
                    on_notice(&Notice::Active);
                    return Some(*lease);
                }
                Ok(Attempt::Held(time)) => {
                    interruption.end();
                    waits = Waits::new();
                    if !is_standby {
                        is_standby = true;
                        on_notice(&Notice::Standby);
                    }
                    Some(renewal(time))
                }
                Err(reason) => {
                    interruption.begin(|| reason);
                    None
                }
            };
            let is_running = match wait {
                None => waits.wait(stop).await,
                Some(wait) => tokio::select! {
                    biased;
                    () = stop.cancelled() => false,
                    () = sleep(wait) => true,
                },
            };
            if !is_running {
                return None;
            }
        }
    }

    async fn try_acquire(
        context: &Context,
        key: &str,
        holder: &str,
        time: Duration,
    ) -> Result<Attempt, String> {
        let (store, time) = bucket(context, time).await?;
        let lease = |revision| {
            let (store, key, holder) = (store.clone(), key.to_owned(), holder.to_owned());
            Attempt::Taken(Box::new(Self { store, key, holder, revision, time }))
        };
        match store.create(key, holder.to_owned().into()).await {
            Ok(revision) => return Ok(lease(revision)),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
            Err(error) => return Err(chain(&error)),
        }
        // The reply to taking or renewing it may have been lost.
        let entry = store.entry(key).await.map_err(|error| chain(&error))?;
        Ok(match entry {
            Some(entry) if entry.value == holder.as_bytes() => lease(entry.revision),
            _ => Attempt::Held(time),
        })
    }

    /// Renews the lease. Returns when another has it, or when it has run out.
    pub(crate) async fn keep(&mut self) {
        let mut renewed = Instant::now();
        loop {
            sleep(renewal(self.time)).await;
            let asked = Instant::now();
            let update = self.store.update(&self.key, self.holder.clone().into(), self.revision);
            match timeout(renewal(self.time), update).await {
                Ok(Ok(revision)) => {
                    self.revision = revision;
                    renewed = asked;
                }
                Ok(Err(error)) if error.kind() == UpdateErrorKind::WrongLastRevision => return,
                _ if renewed.elapsed() >= self.time => return,
                _ => {}
            }
        }
    }

    /// Gives the lease up, so that another replica need not wait until it runs out.
    pub(crate) async fn release(self) {
        let given_up = self.store.delete_expect_revision(&self.key, Some(self.revision));
        // Otherwise it runs out.
        let _ = timeout(renewal(self.time), given_up).await;
    }
}

/// What trying to take a lease led to.
enum Attempt {
    Taken(Box<Lease>),
    /// Another has it, and renews it at least once in this time.
    Held(Duration),
}

/// The time after which a lease is renewed, and looked at by those who wait for it.
fn renewal(time: Duration) -> Duration {
    time / 3
}

/// Returns the bucket and the time after which its keys disappear. Creates it if it does not exist.
async fn bucket(context: &Context, time: Duration) -> Result<(Store, Duration), String> {
    // The client's own way to create a bucket needs a newer server than Debian 12 has.
    let stream = context.get_or_create_stream(Config {
        name: format!("KV_{BUCKET}"),
        description: Some("machins relay, leases".to_owned()),
        subjects: vec![format!("$KV.{BUCKET}.>")],
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        max_messages_per_subject: 1,
        max_age: time,
        duplicate_window: time,
        num_replicas: 1,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        ..Config::default()
    });
    let stream = stream.await.map_err(|error| chain(&error))?;
    let time = stream.cached_info().config.max_age;
    let store = context.get_key_value(BUCKET).await.map_err(|error| chain(&error))?;
    Ok((store, time))
}
