//! A notification that was handed over, to be acknowledged, deferred or parked.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use agent_client_core::{Async, Document, Error, Transport, lock};

use super::queue::Handed;
use super::shared::{Batch, ParkedNotification, Shared};
use crate::model::event::Event;
use crate::model::inbox::Notification;

/// A notification that [`Deliveries`](crate::Deliveries) handed over. It is settled by
/// [`acknowledge`](Self::acknowledge), [`defer`](Self::defer) or [`park`](Self::park).
///
/// One that is dropped instead counts as failed, like one whose handler returned an error: it is
/// handed over again after a wait, and parked when it has failed too often.
#[must_use = "a notification that is dropped counts as failed"]
pub struct InboxDelivery<T: Transport = Async> {
    shared: Arc<Shared>,
    #[cfg_attr(not(feature = "blocking"), expect(dead_code, reason = "only blocking uses it"))]
    transport: T,
    handed: Handed,
    is_settled: bool,
}

impl<T: Transport> InboxDelivery<T> {
    pub(super) fn new(shared: &Arc<Shared>, transport: T, handed: Handed) -> Self {
        Self { shared: Arc::clone(shared), transport, handed, is_settled: false }
    }

    /// Returns the notification, or `None` if the service sent something else: see
    /// [`raw`](Self::raw).
    #[must_use]
    pub fn notification(&self) -> Option<&Notification> {
        self.handed.listed.notification()
    }

    /// Returns the event with typed data. It is [`Event::Unknown`] if the notification or its data
    /// is malformed.
    #[must_use]
    pub fn event(&self) -> Event {
        self.handed.listed.event()
    }

    /// Returns the notification as the service sent it, or whatever it sent instead.
    #[must_use]
    pub fn raw(&self) -> Document {
        self.handed.listed.raw()
    }

    /// Returns the number of times that handling this notification has failed so far.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.handed.failures
    }

    /// Hands the notification over again after this wait, which does not count as a failure. Later
    /// notifications about the same trade wait for it.
    pub fn defer(mut self, wait: Duration) {
        self.put_back(self.handed.failures, Some(wait));
    }

    /// Gives the notification up: the callback of [`on_parked`](crate::InboxWatch::on_parked) gets
    /// it, and this watch does not hand it over again. It stays unread unless
    /// [`acknowledge_parked`](crate::InboxWatch::acknowledge_parked) is set.
    pub fn park(mut self, reason: impl fmt::Display) {
        self.give_up(reason.to_string());
    }

    /// Marks the notification as handled. The watch acknowledges it.
    pub(super) fn finish(mut self) {
        lock(&self.shared.queue).handled(&self.handed);
        self.is_settled = true;
    }

    /// Counts a failure. The notification is handed over again after a growing wait, or parked.
    pub(super) fn fail(mut self, reason: String) {
        self.count_failure(reason);
    }

    /// Hands the notification over again at once, as if it had not been.
    pub(super) fn release(mut self) {
        self.put_back(self.handed.failures, None);
    }

    fn count_failure(&mut self, reason: String) {
        self.handed.failures = self.handed.failures.saturating_add(1);
        let (failures, settings) = (self.handed.failures, &self.shared.settings);
        if failures >= settings.max_attempts {
            self.give_up(reason);
        } else {
            let wait = self.shared.growing(settings.retry_waits, failures);
            self.put_back(failures, Some(wait));
        }
    }

    fn put_back(&mut self, failures: u32, wait: Option<Duration>) {
        let now = self.shared.api.transport().clock().now();
        let until = wait.and_then(|wait| now.checked_add(wait));
        let is_never = wait.is_some() && until.is_none();
        let mut queue = lock(&self.shared.queue);
        if is_never {
            queue.settle(self.handed.key);
        } else {
            queue.put_back(self.handed.key, failures, until);
        }
        drop(queue);
        self.is_settled = true;
    }

    fn give_up(&mut self, reason: String) {
        let settings = &self.shared.settings;
        if let Some(on_parked) = &settings.on_parked {
            on_parked(&ParkedNotification {
                notification: self.notification().cloned(),
                raw: self.raw(),
                reason,
                failures: self.handed.failures,
            });
        }
        let mut queue = lock(&self.shared.queue);
        if settings.acknowledges_parked {
            queue.handled(&self.handed);
        } else {
            queue.settle(self.handed.key);
        }
        drop(queue);
        self.is_settled = true;
    }
}

impl InboxDelivery<Async> {
    /// Acknowledges the notification, so that it is not handed over again. Calls `POST /inbox/ack`
    /// ([reference](https://machins.co/docs): Inbox), again and again while the service cannot be
    /// reached.
    ///
    /// Dropping the future does not take that back: the watch then acknowledges the notification
    /// the next time that something is requested from it.
    ///
    /// # Errors
    /// Returns an error if trying again would not help, as
    /// [`InboxWatch::run`](crate::InboxWatch::run) does, if the service refuses the
    /// notification's id, and if the last try after the watch was stopped fails.
    pub fn acknowledge(self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.acknowledge_now()
    }
}

#[cfg(feature = "blocking")]
impl InboxDelivery<agent_client_core::Blocking> {
    /// Acknowledges the notification, so that it is not handed over again. Calls `POST /inbox/ack`
    /// ([reference](https://machins.co/docs): Inbox), again and again while the service cannot be
    /// reached.
    ///
    /// # Errors
    /// Returns an error if trying again would not help, as
    /// [`InboxWatch::run`](crate::InboxWatch::run) does, if the service refuses the
    /// notification's id, and if the last try after the watch was stopped fails.
    pub fn acknowledge(self) -> Result<(), Error> {
        let transport = self.transport.clone();
        transport.wait(self.acknowledge_now())
    }
}

impl<T: Transport> InboxDelivery<T> {
    fn acknowledge_now(mut self) -> impl Future<Output = Result<(), Error>> + Send + use<T> {
        let mut queue = lock(&self.shared.queue);
        let batch = self.handed.listed.id().map(|id| {
            queue.begin_acknowledging();
            Batch::new(&self.shared, vec![id])
        });
        queue.settle(self.handed.key);
        drop(queue);
        self.is_settled = true;
        async move {
            match batch {
                Some(batch) => batch.send_until_done().await,
                None => Ok(()),
            }
        }
    }
}

impl<T: Transport> Drop for InboxDelivery<T> {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        if thread::panicking() {
            self.put_back(self.handed.failures, None);
        } else {
            self.count_failure("it was dropped without being acknowledged".to_owned());
        }
    }
}

impl<T: Transport> fmt::Debug for InboxDelivery<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxDelivery")
            .field("notification", &self.notification())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}
