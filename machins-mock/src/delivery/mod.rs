//! Posts to other servers: webhooks, and verifications of deliveries.
//!
//! A subscription that has something to be told has a queue and a task of its own, which posts
//! one event after the other, in the order in which they happened, and ends when the queue is
//! empty. Every event is posted once: there is no second attempt, but ten failures in a row end
//! the subscription. A queue holds [`MAX_QUEUED`] events; what does not fit is dropped, and
//! logged as such.

mod log;
mod post;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use self::log::Log;
pub use self::log::{MAX_WEBHOOKS, WebhookAttempt};
use self::post::{Client, PostError};
use crate::http::App;
use crate::machins::Webhook;
use crate::machins::{Callback, Verification};
use crate::serve::Tasks;

/// The most events that wait for one subscription.
pub const MAX_QUEUED: usize = 10_000;

/// The most posts under way at a time.
const MAX_POSTS: usize = 256;

/// How long a post may take, its answer included.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Which servers posts may go to, and how long they may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// Other machines too, not only this one.
    pub(crate) everywhere: bool,
    pub(crate) time_limit: Duration,
}

/// One server's posts.
pub(crate) struct Deliveries {
    client: Client,
    tasks: Tasks,
    free: Semaphore,
    state: Mutex<State>,
    /// Told whenever a queue has become empty.
    emptied: Notify,
}

#[derive(Default)]
struct State {
    /// The subscriptions that a task is at work for.
    queues: HashMap<Uuid, Queue>,
    next_lease: u64,
    log: Log,
}

struct Queue {
    /// Names the task: one of an earlier world must not go on in this one.
    lease: u64,
    waiting: VecDeque<Webhook>,
}

impl Deliveries {
    pub(crate) fn new(policy: Policy, tasks: Tasks) -> Self {
        Self {
            client: Client::new(policy),
            tasks,
            free: Semaphore::new(MAX_POSTS),
            state: Mutex::default(),
            emptied: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what waits to be sent; what is under way counts no more.
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
}

/// Queues posts; called while the world is locked, so that they wait in the order of events.
pub(crate) fn send(app: &App, webhooks: Vec<Webhook>) {
    if webhooks.is_empty() {
        return;
    }
    let mut state = app.deliveries.state();
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
                app.deliveries.tasks.spawn(work(Arc::clone(app), id, lease));
            }
        }
    }
}

/// Sends what waits for a subscription until nothing does.
async fn work(app: App, id: Uuid, lease: u64) {
    while let Some((webhook, attempt)) = next(&app, id, lease) {
        let Ok(_permit) = app.deliveries.free.acquire().await else {
            return;
        };
        let Webhook { url, body, signature, .. } = &webhook;
        let posted = app.deliveries.client.post(url, body.clone(), signature.as_deref()).await;
        let result = posted.map(|(status, _)| status);
        let success = matches!(result, Ok(status) if status < 400);
        if let Err(error) = &result {
            tracing::debug!(%error, event = webhook.event_type.as_str(), "a webhook failed");
        }
        let world = &mut *app.world();
        let mut state = app.deliveries.state();
        if state.queues.get(&id).is_none_or(|queue| queue.lease != lease) {
            return;
        }
        state.log.add(WebhookAttempt::new(&webhook, attempt, &result));
        world.machins.delivered(id, success);
    }
}

/// The next post for a subscription, and the how-manieth since its last success; none ends the
/// task, and the queue with it.
fn next(app: &App, id: Uuid, lease: u64) -> Option<(Webhook, u32)> {
    let failures = app.world().machins.failures(id);
    let mut state = app.deliveries.state();
    let queue = state.queues.get_mut(&id).filter(|queue| queue.lease == lease)?;
    let next = failures
        .and_then(|failures| Some((queue.waiting.pop_front()?, failures.saturating_add(1))));
    if next.is_none() {
        state.queues.remove(&id);
        app.deliveries.emptied.notify_waiters();
    }
    next
}

/// Asks the buyer's side what it thinks of a delivery.
pub(crate) async fn verify(app: &App, Callback { url, body }: Callback) -> Verification {
    let posted: Result<_, PostError> = app.deliveries.client.post(&url, body.into(), None).await;
    match posted {
        Ok((status, body)) => Verification::read(status, &body),
        Err(error) => Verification::failed(&error.to_string()),
    }
}
