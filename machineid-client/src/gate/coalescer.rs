//! Coalesces concurrent checks into shared requests.
//!
//! On each runtime at most one request is in flight. A check that starts meanwhile joins the next
//! batch, whose request is sent when the current one has completed. So the decision of every check
//! comes from a request that began after the check, and a check takes two requests at most.
//!
//! Runtimes do not share batches: a runtime that is not being run would make the checks of the
//! others wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use agent_client_core::{Error, ErrorKind, lock};
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;
use tracing::Instrument;

use super::denied::{Denied, Reason};
use crate::decision::Decision;

/// The result of a request, shared by all checks of its batch.
pub(super) type CheckResult = Result<Arc<Decision>, Denied>;

/// Sends the result to the checks that have joined the batch. `None` is no result yet.
type Batch = watch::Sender<Option<CheckResult>>;

/// The runtimes on which a leader task is active, each with the batch that checks can join, if
/// there is one. Once the leader has taken a batch, no check can join it.
type OpenBatches = HashMap<Id, Option<Batch>>;

#[derive(Default)]
pub(super) struct Coalescer {
    open: Arc<Mutex<OpenBatches>>,
}

impl Coalescer {
    /// Joins the next batch and waits for its result. `request` sends one request. It is called by
    /// a task of its own, so that a caller who stops waiting does not cancel it for the others.
    pub(super) async fn join<F>(&self, request: impl Fn() -> F + Send + 'static) -> CheckResult
    where
        F: Future<Output = CheckResult> + Send + 'static,
    {
        let Ok(runtime) = Handle::try_current() else {
            return Err(no_decision(
                ErrorKind::InvalidInput,
                "a gate must be used inside a tokio runtime",
            ));
        };
        let (mut result, leader) = self.subscribe(runtime.id());
        if let Some(leader) = leader {
            runtime.spawn(leader.send_batches(request).in_current_span());
        }
        match result.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(result)) => result.clone(),
            _ => Err(no_decision(
                ErrorKind::Interrupted,
                "the task that sent the request ended before there was an answer",
            )),
        }
    }

    /// Returns a receiver for the result of the runtime's next batch, and a leader to spawn if the
    /// runtime has none.
    fn subscribe(&self, runtime: Id) -> (watch::Receiver<Option<CheckResult>>, Option<Leader>) {
        let mut open = lock(&self.open);
        if let Some(Some(batch)) = open.get(&runtime) {
            return (batch.subscribe(), None);
        }
        let (batch, result) = watch::channel(None);
        let had_leader = open.insert(runtime, Some(batch)).is_some();
        let leader =
            (!had_leader).then(|| Leader { open: Arc::clone(&self.open), runtime, active: true });
        (result, leader)
    }
}

/// Sends the requests of one runtime, one at a time, until no check is waiting.
struct Leader {
    open: Arc<Mutex<OpenBatches>>,
    runtime: Id,
    active: bool,
}

impl Leader {
    async fn send_batches<F: Future<Output = CheckResult>>(mut self, request: impl Fn() -> F) {
        loop {
            // Lets checks join that are ready to, such as those that the last result has woken.
            tokio::task::yield_now().await;
            let Some(batch) = self.take_batch() else { return };
            // Nobody receives the result if all callers have stopped waiting.
            batch.send_replace(Some(request().await));
        }
    }

    /// Takes the open batch or, if there is none, ends the leadership under the same lock: a check
    /// either joins a batch that will be sent, or finds that a new leader is needed.
    fn take_batch(&mut self) -> Option<Batch> {
        let mut open = lock(&self.open);
        let batch = open.get_mut(&self.runtime).and_then(Option::take);
        if batch.is_none() {
            open.remove(&self.runtime);
            self.active = false;
        }
        batch
    }
}

impl Drop for Leader {
    /// If the task is dropped before it has finished (a panic, a runtime that shuts down), the next
    /// check can start a new leader, and those that are waiting get an error.
    fn drop(&mut self) {
        if self.active {
            lock(&self.open).remove(&self.runtime);
        }
    }
}

fn no_decision(kind: ErrorKind, message: &str) -> Denied {
    Denied::new(Reason::NoDecision(Error::new(kind, message)))
}
