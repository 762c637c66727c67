//! Of several replicas, one reads an agent's inbox at a time.
//!
//! That saves requests. Order and uniqueness do not depend on it: each replica stores the events of
//! a trade in order, and the stream recognizes those that another has stored.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::Context;
use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use machins_client::{AgentId, CancellationToken};
use tokio::time::{Instant, sleep, timeout};

use crate::error::chain;
use crate::kv::keys;
use crate::notice::{Interruption, Notice, OnNotice};
use crate::replica::{Replica, renewal};
use crate::share::Permit;
use crate::subject::token;
use crate::waits::Waits;

/// The bucket that holds a key for each agent whose inbox is read.
const BUCKET: &str = "machins-relay";

/// The lease on an agent's inbox, which one replica has at a time.
pub(crate) struct Leases<'a> {
    replica: &'a Replica<'a>,
    agent: &'a AgentId,
    key: String,
}

/// The right to read an agent's inbox, for as long as it is renewed.
pub(crate) struct Lease<'a> {
    store: Store,
    key: String,
    holder: &'a str,
    revision: u64,
    time: Duration,
    permit: Permit<'a>,
}

impl<'a> Leases<'a> {
    pub(crate) fn new(replica: &'a Replica<'a>, agent: &'a AgentId) -> Self {
        // The characters of a key are fewer than those of a subject.
        let key = token(agent.as_str()).replace('%', "=").replace('~', "/");
        Self { replica, agent, key }
    }

    /// Waits until nobody else has the lease and this replica may read another inbox, and takes it.
    /// Returns `None` if it is stopped before.
    pub(crate) async fn acquire(
        &self,
        interruption: &Interruption,
        on_notice: &OnNotice,
        stop: &CancellationToken,
    ) -> Option<Lease<'a>> {
        let (mut waits, mut is_standby) = (Waits::new(), false);
        let mut stand_by = || {
            if !std::mem::replace(&mut is_standby, true) {
                on_notice(&Notice::Standby(self.agent.clone()));
            }
        };
        loop {
            let permit = if let Some(permit) = self.replica.share.try_permit() {
                permit
            } else {
                stand_by();
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return None,
                    permit = self.replica.share.permit() => permit,
                }
            };
            let is_running = match self.try_acquire(permit).await {
                Ok(Attempt::Taken(lease)) => {
                    interruption.end();
                    on_notice(&Notice::Active(self.agent.clone()));
                    return Some(*lease);
                }
                Ok(Attempt::Held(time)) => {
                    interruption.end();
                    stand_by();
                    waits = Waits::new();
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => false,
                        () = sleep(renewal(time)) => true,
                    }
                }
                Err(reason) => {
                    interruption.begin(|| reason);
                    waits.wait(stop).await
                }
            };
            if !is_running {
                return None;
            }
        }
    }

    async fn try_acquire(&self, permit: Permit<'a>) -> Result<Attempt<'a>, String> {
        let (store, time) = self.replica.bucket(BUCKET, "leases").await?;
        let holder = self.replica.id.as_str();
        let revision = match store.create(&self.key, holder.to_owned().into()).await {
            Ok(revision) => revision,
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {
                let entry = store.entry(&self.key).await.map_err(|error| chain(&error))?;
                // The reply to taking or renewing it may have been lost.
                let Some(own) = entry.filter(|entry| entry.value == holder.as_bytes()) else {
                    return Ok(Attempt::Held(time));
                };
                let renewed = store.update(&self.key, holder.to_owned().into(), own.revision);
                renewed.await.map_err(|error| chain(&error))?
            }
            Err(error) => return Err(chain(&error)),
        };
        let key = self.key.clone();
        Ok(Attempt::Taken(Box::new(Lease { store, key, holder, revision, time, permit })))
    }
}

impl Lease<'_> {
    /// How long the lease lasts if it is not renewed.
    pub(crate) fn time(&self) -> Duration {
        self.time
    }

    /// Renews the lease. Returns when another has it, when it has run out, or when this replica reads
    /// more inboxes than it may.
    pub(crate) async fn keep(&mut self) {
        let mut renewed = Instant::now();
        loop {
            sleep(renewal(self.time)).await;
            if self.permit.give_up() {
                return;
            }
            let asked = Instant::now();
            let update = self.store.update(&self.key, self.holder.to_owned().into(), self.revision);
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

/// A lease that somebody has.
pub(crate) struct Holder {
    /// The id of the agent, as it is written in subjects.
    pub(crate) agent: String,
    /// The machine and the process.
    pub(crate) replica: String,
    pub(crate) renewed: SystemTime,
}

/// Returns the leases that somebody has.
pub(crate) async fn holders(context: &Context) -> Result<Vec<Holder>, String> {
    let Ok(store) = context.get_key_value(BUCKET).await else { return Ok(Vec::new()) };
    let mut holders = Vec::new();
    for key in keys(&store).await? {
        // It may have run out since.
        let entry = store.entry(&key).await.map_err(|error| chain(&error))?;
        let Some(entry) = entry.filter(|entry| !entry.value.is_empty()) else { continue };
        let value = String::from_utf8_lossy(&entry.value);
        let replica = match value.split('/').collect::<Vec<_>>()[..] {
            [host, process, _] => format!("{host}, process {process}"),
            _ => value.into_owned(),
        };
        let agent = key.replace('=', "%").replace('/', "~");
        holders.push(Holder { agent, replica, renewed: entry.created.into() });
    }
    Ok(holders)
}

/// What trying to take a lease led to.
enum Attempt<'a> {
    Taken(Box<Lease<'a>>),
    /// Another has it, and renews it at least once in this time.
    Held(Duration),
}
