//! One of several replicas, which share the inboxes among themselves.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::stream::Config;
use machins_client::{AgentId, CancellationToken};
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

use crate::error::chain;
use crate::kv::{keys, open_bucket};
use crate::share::Share;

/// The bucket that holds a key for each replica that runs.
const BUCKET: &str = "machins-relay-replicas";

/// This replica, which announces itself and counts the others.
///
/// Those that can read the inboxes of the same agents share them equally: each reads its share at most,
/// and gives up what is more than that, so that the others find it free.
pub(crate) struct Replica<'a> {
    context: &'a Context,
    /// What tells this replica from all others, and can be read in `status`.
    pub(crate) id: String,
    /// The end of its key. The beginning says which inboxes it can read.
    name: String,
    agents: Mutex<Vec<AgentId>>,
    /// How long the keys of new buckets last, and how many servers keep them.
    time: Duration,
    copies: usize,
    pub(crate) share: Share,
}

impl<'a> Replica<'a> {
    /// `time` is how long a lease lasts, and `copies` how many servers keep it, if the buckets do not
    /// exist yet.
    pub(crate) fn new(
        context: &'a Context,
        agents: &[AgentId],
        time: Duration,
        copies: usize,
    ) -> Self {
        let host = gethostname::gethostname().to_string_lossy().replace('/', "_");
        let inbox = context.client().new_inbox();
        let id = format!("{host}/{}/{inbox}", std::process::id());
        let name = inbox.replace('.', "_");
        // Until others are known, it may read all.
        let (share, agents) = (Share::new(agents.len()), Mutex::new(agents.to_vec()));
        Self { context, id, name, agents, time, copies, share }
    }

    /// Notes that this replica cannot read the inbox of an agent, so that those who can do not leave it
    /// to this one.
    pub(crate) fn lose(&self, agent: &AgentId) {
        self.agents().retain(|other| other != agent);
    }

    /// Notes that this replica can read the inbox of an agent again.
    pub(crate) fn regain(&self, agent: &AgentId) {
        self.agents().push(agent.clone());
    }

    /// Opens a bucket, and returns it and the time after which its keys disappear. Creates it if it does
    /// not exist.
    pub(crate) async fn bucket(
        &self,
        name: &str,
        content: &str,
    ) -> Result<(Store, Duration), String> {
        let settings = Config {
            description: Some(format!("machins relay, {content}")),
            max_age: self.time,
            duplicate_window: self.time,
            num_replicas: self.copies,
            allow_direct: true,
            ..Config::default()
        };
        let (stream, store) = open_bucket(self.context, name, settings).await?;
        let time = stream.cached_info().config.max_age;
        if time.is_zero() {
            return Err(format!("the bucket {name} keeps its keys for ever; remove it"));
        }
        Ok((store, time))
    }

    /// Announces this replica and adapts its share to the number of those that run, until it is stopped.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let mut announced: Option<String> = None;
        let mut time = self.time;
        loop {
            let agents = self.agents().clone();
            let key = format!("{}.{}", group(&agents), self.name);
            if let Some(old) = announced.take_if(|old| *old != key) {
                self.withdraw(&old).await;
            }
            if stop.is_cancelled() {
                break;
            }
            // One inbox cannot be shared.
            if agents.len() > 1 {
                // Without an answer, the share stays as it is. The leases tell what is wrong.
                if let Ok(Ok((replicas, lasts))) = timeout(time, self.announce(&key)).await {
                    self.share.resize(agents.len().div_ceil(replicas.max(1)));
                    time = lasts;
                }
                announced = Some(key);
            }
            tokio::select! {
                () = sleep(renewal(time)) => {}
                () = stop.cancelled() => {}
            }
        }
        if let Some(key) = announced {
            self.withdraw(&key).await;
        }
    }

    /// Announces this replica. Returns how many there are with the same agents, and how long that lasts.
    async fn announce(&self, key: &str) -> Result<(usize, Duration), String> {
        let (store, time) = self.bucket(BUCKET, "replicas").await?;
        store.put(key, self.id.clone().into()).await.map_err(|error| chain(&error))?;
        let (keys, group) = (keys(&store).await?, key.split('.').next());
        Ok((keys.iter().filter(|key| key.split('.').next() == group).count(), time))
    }

    /// Removes what was announced. Otherwise it counts until it has run out.
    async fn withdraw(&self, key: &str) {
        let remove = async {
            let (store, _) = self.bucket(BUCKET, "replicas").await?;
            store.delete(key).await.map_err(|error| chain(&error))
        };
        let _ = timeout(renewal(self.time), remove).await;
    }

    fn agents(&self) -> MutexGuard<'_, Vec<AgentId>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what is equal for all replicas with the same agents.
fn group(agents: &[AgentId]) -> String {
    let mut agents: Vec<&str> = agents.iter().map(AgentId::as_str).collect();
    agents.sort_unstable();
    base16ct::lower::encode_string(&Sha256::digest(agents.join("\n")))
}

/// The time after which a lease is renewed, and looked at by those who wait for it.
pub(crate) fn renewal(time: Duration) -> Duration {
    time / 3
}
