//! Coalesces concurrent checks into shared requests.
//!
//! A check joins the next batch, whose request is sent when the one under way has completed. So the
//! decision of every check comes from a request that began after the check, and a check usually
//! takes two requests at most. If the request under way hangs, the next one is sent beside it after
//! [`PATIENCE`].
//!
//! Runtimes do not share batches: a runtime that is not being run would make the checks of the
//! others wait.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_client_core::{Error, ErrorKind, lock};
use tokio::runtime::{Handle, Id};
use tokio::sync::{Notify, watch};
use tracing::Instrument;

use super::denied::{Denied, Reason};
use super::question::{Answer, Question};
use crate::device_id::DeviceId;

/// How long a check waits for the request of others before one is sent beside it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends the answer to the checks that have joined the batch. `None` is no answer yet.
type AnswerSender = watch::Sender<Option<Answer>>;

/// A batch that checks can join.
struct Batch {
    sender: AnswerSender,
    /// Whether one of its checks asks for the last time.
    is_last: bool,
}

/// A runtime on which a leader task is active.
#[derive(Default)]
struct Led {
    /// The batch that checks can join, if there is one. Once the leader has taken it, none can.
    open: Option<Batch>,
    /// Wakes the leader when a batch is opened.
    opened: Arc<Notify>,
}

type Runtimes = HashMap<Id, Led>;

#[derive(Default)]
pub(super) struct Coalescer {
    runtimes: Arc<Mutex<Runtimes>>,
}

impl Coalescer {
    /// Joins the next batch and waits for its answer. The question is asked by a task of its own, so
    /// that a caller who stops waiting does not cancel it for the others.
    pub(super) async fn join(&self, question: &Arc<dyn Question>, is_last: bool) -> Answer {
        let Ok(runtime) = Handle::try_current() else {
            return no_answer(
                question.device(),
                ErrorKind::InvalidInput,
                "a gate must be used inside a tokio runtime",
            );
        };
        let (mut answer, leader) = self.subscribe(runtime.id(), is_last);
        if let Some(leader) = leader {
            runtime.spawn(leader.send_batches(Arc::clone(question)).in_current_span());
        }
        match answer.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(answer)) => answer.clone(),
            _ => no_answer(
                question.device(),
                ErrorKind::Interrupted,
                "the task that sent the request ended before there was an answer",
            ),
        }
    }

    /// Returns a receiver for the answer to the runtime's next batch, and a leader to spawn if the
    /// runtime has none.
    fn subscribe(
        &self,
        runtime: Id,
        is_last: bool,
    ) -> (watch::Receiver<Option<Answer>>, Option<Leader>) {
        let mut runtimes = lock(&self.runtimes);
        let has_leader = runtimes.contains_key(&runtime);
        let Led { open, opened } = runtimes.entry(runtime).or_default();
        if let Some(batch) = open {
            batch.is_last |= is_last;
            return (batch.sender.subscribe(), None);
        }
        let (sender, answer) = watch::channel(None);
        *open = Some(Batch { sender, is_last });
        opened.notify_one();
        let leader = (!has_leader).then(|| Leader {
            runtimes: Arc::clone(&self.runtimes),
            runtime,
            opened: Arc::clone(opened),
            active: true,
        });
        (answer, leader)
    }
}

/// Sends the requests of one runtime, one after the other, until no check is waiting.
struct Leader {
    runtimes: Arc<Mutex<Runtimes>>,
    runtime: Id,
    opened: Arc<Notify>,
    active: bool,
}

impl Leader {
    /// Boxed, because a leader spawns its successor.
    fn send_batches(
        mut self,
        question: Arc<dyn Question>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            loop {
                // Lets checks join that are ready to, such as those that the last answer has woken.
                tokio::task::yield_now().await;
                let Some(batch) = self.take_batch() else { return };
                let mut answered = pin!(answer(&*question, batch));
                tokio::select! {
                    biased;
                    () = &mut answered => continue,
                    () = self.next_is_overdue(&*question) => {}
                }
                let successor = self.hand_over();
                tokio::spawn(successor.send_batches(Arc::clone(&question)).in_current_span());
                answered.await;
                return;
            }
        })
    }

    /// Takes the open batch or, if there is none, ends the leadership under the same lock: a check
    /// either joins a batch that will be sent, or finds that a new leader is needed.
    fn take_batch(&mut self) -> Option<Batch> {
        let mut runtimes = lock(&self.runtimes);
        let batch = runtimes.get_mut(&self.runtime).and_then(|led| led.open.take());
        if batch.is_none() {
            runtimes.remove(&self.runtime);
            self.active = false;
        }
        batch
    }

    /// Waits until checks have waited for too long.
    async fn next_is_overdue(&self, question: &dyn Question) {
        let is_open =
            || lock(&self.runtimes).get(&self.runtime).is_some_and(|led| led.open.is_some());
        while !is_open() {
            self.opened.notified().await;
        }
        question.sleep(PATIENCE).await;
    }

    /// Returns the leader that takes this one's place.
    fn hand_over(&mut self) -> Self {
        self.active = false;
        Self {
            runtimes: Arc::clone(&self.runtimes),
            runtime: self.runtime,
            opened: Arc::clone(&self.opened),
            active: true,
        }
    }
}

impl Drop for Leader {
    /// If the task is dropped before it has finished (a panic, a runtime that shuts down), the next
    /// check can start a new leader, and those that are waiting get an error.
    fn drop(&mut self) {
        if self.active {
            lock(&self.runtimes).remove(&self.runtime);
        }
    }
}

/// Answers a batch, and stops asking when nobody waits for the answer any more.
async fn answer(question: &dyn Question, batch: Batch) {
    let Batch { sender, is_last } = batch;
    tokio::select! {
        biased;
        () = sender.closed() => {}
        answer = question.ask(is_last) => {
            sender.send_replace(Some(answer));
        }
    }
}

fn no_answer(device: &DeviceId, kind: ErrorKind, message: &str) -> Answer {
    let denied = Denied::new(device, Reason::NoDecision(Error::new(kind, message)));
    Answer { result: Err(denied), wait: PATIENCE }
}
