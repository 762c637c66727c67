//! What the parts of a watch share: its settings, its queue, and how it acknowledges.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use agent_client_core::{Async, Document, Error, ErrorKind, lock};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::queue::Queue;
use crate::client::Api;
use crate::endpoints::inbox::ack_inbox;
use crate::model::event::EventType;
use crate::model::id::NotificationId;
use crate::model::inbox::Notification;
use crate::refusal::is_final;

/// How long acknowledging may take after the watch was stopped.
const LAST_TRY: Duration = Duration::from_secs(5);

/// A wait without an end. It can be added to the time.
const LONGEST_WAIT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The longest wait that the service can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// A notification that was parked: it is not handed over again by this watch.
///
/// [`InboxWatch::on_parked`](crate::InboxWatch::on_parked) receives it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ParkedNotification {
    /// The notification. `None` if the service sent something else.
    pub notification: Option<Notification>,
    /// The notification as the service sent it, or whatever it sent instead.
    pub raw: Document,
    /// Why it was parked: the last error of the handler, or the reason that was given.
    pub reason: String,
    /// The number of times that handling it failed.
    pub failures: u32,
}

#[cfg(feature = "test-util")]
impl ParkedNotification {
    /// Creates a notification that was parked after its first failure, for tests (feature
    /// `test-util`). `raw` is the notification as the service sends it.
    #[must_use]
    pub fn new(raw: Document, reason: impl Into<String>) -> Self {
        Self { notification: raw.to().ok(), raw, reason: reason.into(), failures: 1 }
    }
}

type Callback<T> = Arc<dyn Fn(&T) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) event_type: Option<EventType>,
    pub(super) poll_waits: (Duration, Duration),
    pub(super) retry_waits: (Duration, Duration),
    pub(super) max_attempts: u32,
    pub(super) concurrency: usize,
    pub(super) stop: CancellationToken,
    pub(super) on_parked: Option<Callback<ParkedNotification>>,
    pub(super) acknowledges_parked: bool,
    pub(super) on_error: Option<Callback<Error>>,
    pub(super) on_page: Option<Arc<dyn Fn() + Send + Sync>>,
}

pub(super) struct Shared {
    pub(super) api: Api<Async>,
    pub(super) settings: Settings,
    pub(super) queue: Arc<Mutex<Queue>>,
    /// When the last acknowledgements must be done after the watch was stopped.
    last_try: OnceLock<Instant>,
}

impl Shared {
    pub(super) fn new(api: Api<Async>, settings: Settings, queue: Arc<Mutex<Queue>>) -> Self {
        Self { api, settings, queue, last_try: OnceLock::new() }
    }

    /// Reports an error after which the watch tries again.
    pub(super) fn report(&self, error: &Error) {
        if let Some(on_error) = &self.settings.on_error {
            on_error(error);
        }
    }

    /// Reports an error and returns how long to wait before the next try.
    pub(super) fn retry_wait(&self, error: &Error, times: u32) -> Duration {
        self.report(error);
        let asked = error.retry_after().unwrap_or_default().min(LONGEST_RETRY_AFTER);
        self.growing(self.settings.poll_waits, times).max(asked)
    }

    pub(super) fn growing(&self, waits: (Duration, Duration), times: u32) -> Duration {
        growing(waits, times, self.api.transport().clock().random())
    }
}

/// The wait for the `times`-th time: twice as long each time, plus up to a quarter at random.
fn growing((first, longest): (Duration, Duration), times: u32, random: f64) -> Duration {
    let factor = 1_u32.checked_shl(times.saturating_sub(1)).unwrap_or(u32::MAX);
    let wait = first.saturating_mul(factor).min(longest);
    wait.saturating_add(wait.mul_f64(random / 4.0)).min(longest).min(LONGEST_WAIT)
}

/// Whether the service itself refuses the acknowledgement because of what it contains.
pub(super) fn is_refusal(error: &Error) -> bool {
    let is_about_content = matches!(
        error.kind(),
        ErrorKind::BadRequest
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::InvalidTransition
            | ErrorKind::UnexpectedStatus
    );
    is_about_content && error.excerpt().is_none()
}

/// Notifications that are being acknowledged. Unless that succeeds, they are acknowledged later.
pub(super) struct Batch {
    shared: Arc<Shared>,
    ids: Vec<NotificationId>,
}

impl Batch {
    /// Takes some of the handled notifications, or `None` if there are none.
    pub(super) fn take(shared: &Arc<Shared>, limit: usize) -> Option<Self> {
        let ids = lock(&shared.queue).take_handled(limit);
        (!ids.is_empty()).then(|| Self::new(shared, ids))
    }

    /// Creates a batch of notifications that the queue counts as being acknowledged already.
    pub(super) fn new(shared: &Arc<Shared>, ids: Vec<NotificationId>) -> Self {
        Self { shared: Arc::clone(shared), ids }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Sends the acknowledgement. After the watch was stopped, it is tried once more, within the
    /// time that all last tries have together.
    pub(super) async fn send(&self) -> Result<(), Error> {
        let Shared { api, settings, last_try, .. } = &*self.shared;
        if !settings.stop.is_cancelled() {
            tokio::select! {
                biased;
                result = api.ack_inbox(&self.ids) => return result.map(drop),
                () = settings.stop.cancelled() => {}
            }
        }
        let until = *last_try.get_or_init(|| Instant::now() + LAST_TRY);
        let call = api.send(ack_inbox(&self.ids).single_attempt());
        let Ok(result) = timeout_at(until, call).await else {
            let message = "the watch was stopped before the notifications were acknowledged";
            return Err(Error::new(ErrorKind::TimedOut, message));
        };
        result.map(drop)
    }

    /// Sends the acknowledgement until it succeeds, is refused, or the watch is stopped.
    pub(super) async fn send_until_done(self) -> Result<(), Error> {
        let Shared { api, settings, .. } = &*self.shared;
        let mut failures = 0;
        loop {
            let Err(error) = self.send().await else {
                self.done();
                return Ok(());
            };
            if is_refusal(&error) {
                self.done();
                return Err(error);
            }
            if is_final(&error) || settings.stop.is_cancelled() {
                return Err(error);
            }
            failures += 1;
            let wait = self.shared.retry_wait(&error, failures);
            tokio::select! {
                () = api.transport().clock().sleep(wait) => {}
                () = settings.stop.cancelled() => {}
            }
        }
    }

    /// Ends the batch: its notifications need not be acknowledged again.
    pub(super) fn done(mut self) {
        let count = self.ids.len();
        self.ids.clear();
        lock(&self.shared.queue).acknowledged(count, Vec::new());
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let ids = std::mem::take(&mut self.ids);
        if !ids.is_empty() {
            lock(&self.shared.queue).acknowledged(ids.len(), ids);
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("event_type", &self.event_type)
            .field("poll_waits", &self.poll_waits)
            .field("retry_waits", &self.retry_waits)
            .field("max_attempts", &self.max_attempts)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_longest() {
        let waits = (Duration::from_secs(1), Duration::from_secs(30));
        let grown = |times, random| growing(waits, times, random).as_millis();
        assert_eq!(
            [1, 2, 3, 6, 1_000].map(|times| grown(times, 0.0)),
            [1_000, 2_000, 4_000, 30_000, 30_000]
        );
        assert_eq!((grown(1, 1.0), grown(6, 1.0)), (1_250, 30_000));
        assert_eq!(growing((Duration::MAX, Duration::MAX), 2, 0.9), LONGEST_WAIT);
    }
}
