//! A queue and a task for each subscription that has something to send.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use super::client::Client;
use super::log::{Log, MAX_QUEUED, WebhookAttempt};
use crate::machins::Webhook;
use crate::machins::verification::{Callback, Verification};
use crate::sync::lock;
use crate::tasks::Tasks;
use crate::world::World;

/// The maximum number of posts under way at a time.
const MAX_POSTS: usize = 256;

/// The webhooks and verifications of one server.
pub(crate) struct Deliveries {
    client: Arc<Client>,
    tasks: Tasks,
    /// The world that holds the subscriptions; locked before `state` if both are locked.
    world: Arc<Mutex<World>>,
    free: Semaphore,
    state: Mutex<State>,
    /// Notified whenever a queue has become empty.
    emptied: Notify,
}

#[derive(Default)]
struct State {
    /// The subscriptions that have a task.
    queues: HashMap<Uuid, Queue>,
    next_lease: u64,
    log: Log,
}

struct Queue {
    /// Identifies the task: a task of a replaced world must not continue in the new one.
    lease: u64,
    waiting: VecDeque<Webhook>,
}

impl Deliveries {
    pub(crate) fn new(client: Arc<Client>, tasks: Tasks, world: Arc<Mutex<World>>) -> Self {
        Self {
            client,
            tasks,
            world,
            free: Semaphore::new(MAX_POSTS),
            state: Mutex::default(),
            emptied: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Forgets the webhooks that wait to be sent, and ignores the results of posts under way.
    pub(crate) fn forget(&self) {
        self.state().queues.clear();
        self.emptied.notify_waiters();
    }

    pub(crate) fn clear_log(&self) {
        self.state().log = Log::default();
    }

    pub(crate) fn attempts(&self) -> Vec<WebhookAttempt> {
        self.state().log.attempts()
    }

    /// Waits until nothing is left to be sent, or nothing is sent any more.
    pub(crate) async fn finished(&self) {
        let empty = async {
            loop {
                let mut emptied = pin!(self.emptied.notified());
                emptied.as_mut().enable();
                if self.state().queues.is_empty() {
                    return;
                }
                emptied.await;
            }
        };
        self.tasks.unless_stopped(empty).await;
    }

    /// Queues webhooks. Called while the world is locked, so that they wait in the order of events.
    pub(crate) fn send(self: &Arc<Self>, webhooks: Vec<Webhook>) {
        if webhooks.is_empty() {
            return;
        }
        let mut state = self.state();
        let State { queues, next_lease, log } = &mut *state;
        for webhook in webhooks {
            let id = webhook.subscription_id;
            match queues.entry(id) {
                Entry::Occupied(queue) if queue.get().waiting.len() >= MAX_QUEUED => {
                    log.add(WebhookAttempt::dropped(&webhook));
                }
                Entry::Occupied(mut queue) => queue.get_mut().waiting.push_back(webhook),
                Entry::Vacant(entry) => {
                    *next_lease += 1;
                    let lease = *next_lease;
                    entry.insert(Queue { lease, waiting: [webhook].into() });
                    self.tasks.spawn(Arc::clone(self).work(id, lease));
                }
            }
        }
    }

    /// Sends the webhooks of a subscription until none is waiting.
    async fn work(self: Arc<Self>, id: Uuid, lease: u64) {
        while let Some((webhook, attempt)) = self.next(id, lease) {
            let Ok(_permit) = self.free.acquire().await else {
                return;
            };
            let Webhook { url, body, signature, .. } = &webhook;
            let posted = self.client.post(url, body.clone(), signature.as_deref()).await;
            let result = posted.map(|(status, _)| status).map_err(|error| error.to_string());
            let success = matches!(result, Ok(status) if status < 400);
            if let Err(error) = &result {
                tracing::debug!(%error, event = webhook.event_type.as_str(), "a webhook failed");
            }
            let world = &mut *lock(&self.world);
            let mut state = self.state();
            if state.queues.get(&id).is_none_or(|queue| queue.lease != lease) {
                return;
            }
            state.log.add(WebhookAttempt::new(&webhook, attempt, result));
            world.machins.delivered(id, success);
        }
    }

    /// Returns the next webhook for a subscription, and its attempt number since the last
    /// success; `None` ends the task, and the queue with it.
    fn next(&self, id: Uuid, lease: u64) -> Option<(Webhook, u32)> {
        let failures = lock(&self.world).machins.failures(id);
        let mut state = self.state();
        let queue = state.queues.get_mut(&id).filter(|queue| queue.lease == lease)?;
        let next = failures
            .and_then(|failures| Some((queue.waiting.pop_front()?, failures.saturating_add(1))));
        if next.is_none() {
            state.queues.remove(&id);
            self.emptied.notify_waiters();
        }
        next
    }

    /// Posts a delivery to the buyer's verification URL, and returns the result.
    pub(crate) async fn verify(&self, Callback { url, body }: Callback) -> Verification {
        match self.client.post(&url, body.into(), None).await {
            Ok((status, body)) => Verification::read(status, &body),
            Err(error) => Verification::failed(&error.to_string()),
        }
    }
}
