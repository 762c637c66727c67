//! A queue and a task for each subscription that has something to send.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use super::client::Client;
use super::log::{Attempt, Log, MAX_QUEUED, Post, WebhookAttempt, WebhooksQuery};
use crate::clock::Time;
use crate::conditions::Matcher;
use crate::fault::{ActiveFault, FaultError, Faults, Kind};
use crate::machins::Webhook;
use crate::machins::verification::{Callback, Verification};
use crate::random::Seed;
use crate::sync::{Changes, lock};
use crate::tasks::Tasks;
use crate::world::World;

/// The maximum number of posts under way at a time.
const MAX_POSTS: usize = 256;

/// The webhooks and verifications of one world.
pub(crate) struct Deliveries {
    client: Arc<Client>,
    tasks: Tasks,
    /// The world that holds the subscriptions; locked before `state` if both are locked.
    world: Arc<Mutex<World>>,
    free: Semaphore,
    state: Mutex<State>,
    /// Notified whenever a queue has become empty.
    emptied: Notify,
    /// Notified whenever a webhook is added to a queue.
    queued: Notify,
    /// Announced when the result of a webhook has changed its subscription.
    changed: Arc<Changes>,
    /// Announced whenever an attempt is logged.
    pub(crate) logged: Changes,
}

struct State {
    /// The subscriptions that have a task.
    queues: HashMap<Uuid, Queue>,
    next_lease: u64,
    log: Log,
    faults: Faults,
}

struct Queue {
    /// Identifies the task: a task of a replaced world must not continue in the new one.
    lease: u64,
    waiting: VecDeque<Webhook>,
}

impl Deliveries {
    pub(crate) fn new(
        client: Arc<Client>,
        tasks: Tasks,
        world: Arc<Mutex<World>>,
        seed: Seed,
        changed: Arc<Changes>,
    ) -> Self {
        let faults = Faults::new(seed);
        let state = State { queues: HashMap::new(), next_lease: 0, log: Log::default(), faults };
        Self {
            client,
            tasks,
            world,
            free: Semaphore::new(MAX_POSTS),
            state: Mutex::new(state),
            emptied: Notify::new(),
            queued: Notify::new(),
            changed,
            logged: Changes::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn now(&self) -> Time {
        lock(&self.world).clock.now()
    }

    /// Forgets the webhooks that wait to be sent, and ignores the results of posts under way.
    pub(crate) fn forget(&self) {
        self.state().queues.clear();
        self.emptied.notify_waiters();
    }

    pub(crate) fn clear_log(&self) {
        self.state().log.clear();
    }

    pub(crate) fn attempts(&self) -> Vec<WebhookAttempt> {
        self.state().log.all()
    }

    /// Returns the number of attempts, and how many of them failed.
    pub(crate) fn count(&self) -> (usize, usize) {
        self.state().log.count()
    }

    /// Returns the number of the last attempt.
    pub(crate) fn last(&self) -> u64 {
        self.state().log.last()
    }

    pub(crate) fn get(&self, n: u64) -> Option<WebhookAttempt> {
        self.state().log.shown(n)
    }

    pub(crate) fn find(&self, query: &WebhooksQuery) -> Vec<WebhookAttempt> {
        self.state().log.find(query)
    }

    /// Waits until this many attempts after `since` match, and returns those that do.
    pub(crate) async fn matched(
        &self,
        matcher: &Matcher,
        since: u64,
        count: usize,
    ) -> Vec<WebhookAttempt> {
        // What was looked at before does not change.
        let (mut seen, mut found) = (since, Vec::new());
        let enough = || {
            let state = self.state();
            found.extend(state.log.matching(matcher, seen));
            seen = seen.max(state.log.last());
            let shown = || found.iter().filter_map(|n| state.log.shown(*n)).collect();
            (found.len() >= count).then(shown)
        };
        self.logged.until(enough).await
    }

    /// Returns the attempts after `since` that match, and the others.
    pub(crate) fn sort(
        &self,
        matcher: &Matcher,
        since: u64,
    ) -> (Vec<WebhookAttempt>, Vec<WebhookAttempt>) {
        self.state().log.sort(matcher, since)
    }

    pub(crate) fn add_fault(&self, fault: ActiveFault) -> Result<(), FaultError> {
        self.state().faults.add(fault)
    }

    pub(crate) fn faults(&self) -> Vec<ActiveFault> {
        self.state().faults.all().to_vec()
    }

    pub(crate) fn remove_fault(&self, id: u64) -> bool {
        self.state().faults.remove(id)
    }

    pub(crate) fn clear_faults(&self) {
        self.state().faults.clear();
    }

    pub(crate) fn reset_faults(&self, seed: Seed) {
        self.state().faults = Faults::new(seed);
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
    pub(crate) fn send(self: &Arc<Self>, webhooks: Vec<Webhook>, now: Time) {
        if webhooks.is_empty() {
            return;
        }
        let mut state = self.state();
        let State { queues, next_lease, log, .. } = &mut *state;
        for webhook in webhooks {
            let id = webhook.subscription_id;
            match queues.entry(id) {
                Entry::Occupied(queue) if queue.get().waiting.len() >= MAX_QUEUED => {
                    let reason = format!(
                        "not sent: {MAX_QUEUED} events were already waiting for the subscription"
                    );
                    let post = Post::webhook(&webhook);
                    log.add(Attempt::new(post, now, 0, Err(reason)));
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
        drop(state);
        self.queued.notify_waiters();
        self.logged.announce();
    }

    /// Sends the webhooks of a subscription until none is waiting.
    async fn work(self: Arc<Self>, id: Uuid, lease: u64) {
        while let Some((webhook, attempt)) = self.next(id, lease) {
            let mut post = Post::webhook(&webhook);
            let fault = {
                let faults = &mut self.state().faults;
                if faults.is_empty() {
                    None
                } else {
                    post.compare(None, |candidate| faults.hit(candidate))
                }
            };
            let name = fault.as_ref().map(crate::fault::Fault::kind);
            let is_alive = match fault.map(|fault| fault.kind) {
                Some(Kind::Drop) => {
                    let reason = "not sent: dropped by a fault".to_owned();
                    let mut dropped = Attempt::new(post, self.now(), 0, Err(reason));
                    dropped.fault = name;
                    self.state().log.add(dropped);
                    self.logged.announce();
                    true
                }
                Some(Kind::Duplicate) => {
                    self.post(id, lease, post.clone(), attempt, name).await
                        && self.post(id, lease, post, attempt, name).await
                }
                Some(Kind::Delay { millis }) => {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    self.post(id, lease, post, attempt, name).await
                }
                Some(Kind::Reorder { millis }) => {
                    match self.overtaker(id, lease, Duration::from_millis(millis)).await {
                        None => self.post(id, lease, post, attempt, name).await,
                        Some(next) => {
                            let next = Post::webhook(&next);
                            self.post(id, lease, next, attempt, None).await
                                && self.post(id, lease, post, attempt, name).await
                        }
                    }
                }
                Some(Kind::BadSignature) => {
                    // Of the right form, and wrong for every body.
                    post.signature = Some(wrong(post.signature.as_deref()));
                    self.post(id, lease, post, attempt, name).await
                }
                // Faults on requests do not hit webhooks.
                Some(_) | None => self.post(id, lease, post, attempt, name).await,
            };
            if !is_alive {
                return;
            }
        }
    }

    /// Posts a webhook and enters the result; returns false if the world was replaced in the
    /// meantime.
    async fn post(
        &self,
        id: Uuid,
        lease: u64,
        post: Post,
        attempt: u32,
        fault: Option<&'static str>,
    ) -> bool {
        let Ok(_permit) = self.free.acquire().await else {
            return false;
        };
        let sent_at = self.now();
        let Post { url, body, signature, .. } = &post;
        let posted = self.client.post(url, body.clone(), signature.as_deref()).await;
        let result = posted.map(|(status, _)| status).map_err(|error| error.to_string());
        let success = matches!(result, Ok(status) if status < 400);
        if let Err(error) = &result {
            tracing::debug!(%error, event = post.event, "a webhook failed");
        }
        let world = &mut *lock(&self.world);
        let mut state = self.state();
        if state.queues.get(&id).is_none_or(|queue| queue.lease != lease) {
            return false;
        }
        let mut attempt = Attempt::new(post, sent_at, attempt, result);
        attempt.fault = fault;
        state.log.add(attempt);
        world.machins.delivered(id, success);
        drop(state);
        self.changed.announce();
        self.logged.announce();
        true
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

    /// Waits for the webhook that comes next in a queue; `None` if none comes within the limit.
    async fn overtaker(&self, id: Uuid, lease: u64, limit: Duration) -> Option<Webhook> {
        let next = async {
            loop {
                let mut queued = pin!(self.queued.notified());
                queued.as_mut().enable();
                let next = {
                    let mut state = self.state();
                    let queue = state.queues.get_mut(&id).filter(|queue| queue.lease == lease)?;
                    queue.waiting.pop_front()
                };
                if next.is_some() {
                    return next;
                }
                queued.await;
            }
        };
        tokio::time::timeout(limit, next).await.unwrap_or(None)
    }

    /// Posts a delivery to the buyer's verification URL, and returns the result.
    pub(crate) async fn verify(&self, Callback { url, body, agent }: Callback) -> Verification {
        let post = Post::verification(url, body.into(), agent);
        let sent_at = self.now();
        let posted = self.client.post(&post.url, post.body.clone(), None).await;
        let (verification, result) = match posted {
            Ok((status, body)) => (Verification::read(status, &body), Ok(status)),
            Err(error) => (Verification::failed(&error.to_string()), Err(error.to_string())),
        };
        self.state().log.add(Attempt::new(post, sent_at, 1, result));
        self.logged.announce();
        verification
    }

    /// Posts what was posted in an attempt once more, and returns the new attempt; `None` if there
    /// is no attempt with this number. The result does not count for the subscription.
    pub(crate) async fn resend(&self, n: u64) -> Option<WebhookAttempt> {
        let Attempt { post, number, .. } = self.state().log.get(n)?.clone();
        let sent_at = self.now();
        let Post { url, body, signature, .. } = &post;
        let posted = self.client.post(url, body.clone(), signature.as_deref()).await;
        let result = posted.map(|(status, _)| status).map_err(|error| error.to_string());
        let mut resent = Attempt::new(post, sent_at, number.max(1), result);
        resent.resend_of = Some(n);
        let attempt = {
            let log = &mut self.state().log;
            let n = log.add(resent);
            log.shown(n)
        };
        self.logged.announce();
        attempt
    }
}

impl Attempt {
    fn new(post: Post, sent_at: Time, number: u32, result: Result<u16, String>) -> Self {
        Self { post, sent_at, number, result, fault: None, resend_of: None }
    }
}

/// Returns a signature that is not this one.
fn wrong(signature: Option<&str>) -> String {
    let other = |digit| if digit == '0' { '1' } else { '0' };
    signature.map_or_else(|| "0".repeat(64), |signature| signature.chars().map(other).collect())
}
