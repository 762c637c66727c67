//! Waiting for notifications, each acknowledged after it was handled.

mod deliveries;
mod delivery;
mod end_search;
mod listed;
mod queue;
mod shared;
mod waker;
mod walk;

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_client_core::{Async, Error, Transport};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio_util::sync::CancellationToken;

use self::queue::Queue;
use self::shared::{Settings, Shared};
use crate::client::Api;
use crate::model::event::EventType;
use crate::model::inbox::Notification;

pub use self::deliveries::Deliveries;
pub use self::delivery::InboxDelivery;
pub use self::shared::ParkedNotification;
pub use self::waker::InboxWaker;

/// Waits for notifications and hands over the unread ones, the oldest first, each **at least
/// once**.
///
/// [`run`](Self::run) calls a handler with each notification and acknowledges it after the handler
/// returned `Ok`. [`deliveries`](Self::deliveries) is a stream of notifications that are
/// acknowledged, deferred or parked one by one.
///
/// ```
/// use machins_client::{CancellationToken, ErrorKind, Event, Notification, Proposal};
///
/// # test_support::machins(async |test_support::Marketplace { seller, buyer, listing, .. }| {
/// buyer.propose_trade(&Proposal::new(&listing.id)).await?;
///
/// let stop = CancellationToken::new();
/// let (seller, stopping) = (&seller, &stop);
/// let handler = async |notification: Notification| {
///     if let Event::TradeProposed(proposed) = notification.event() {
///         match seller.accept_trade(&proposed.trade_id).await {
///             // The notification has come before, and the trade was accepted then.
///             Err(error) if error.kind() == ErrorKind::InvalidTransition => {}
///             result => drop(result?),
///         }
///     }
///     stopping.cancel(); // ends the watch after one notification
///     Ok::<(), machins_client::Error>(())
/// };
/// seller.inbox_watch().stop(stop.clone()).run(handler).await?;
/// # Ok(()) });
/// ```
///
/// # What fails
///
/// - A notification whose handler returns an error is handed over again after a growing wait
///   ([`retry_waits`](Self::retry_waits)). After [`max_attempts`](Self::max_attempts) it is
///   **parked**: the callback of [`on_parked`](Self::on_parked) gets it, and this watch does not
///   hand it over again. It stays unread unless [`acknowledge_parked`](Self::acknowledge_parked) is
///   set. The others do not wait for it, except later ones about the same trade, which keep their
///   order.
/// - An entry that is not a notification is parked at once, with the JSON that the service sent.
/// - An inbox that cannot be reached, and a reply that is not the service's own (such as a proxy's
///   HTML page), is waited out ([`on_error`](Self::on_error) tells). [`run`](Self::run) lists
///   the errors that end the watch.
///
/// # What can come twice
///
/// The service has no way to reserve a notification. Before one is handed over, the watch therefore
/// fetches the page that lists it once more, and leaves it out if it was acknowledged meanwhile. So
/// of two watches of the same agent, one does not repeat what the other has finished. But both get
/// a notification that neither has acknowledged yet. One that was handled also comes again if its
/// acknowledgement does not reach the service before the program ends. A handler should look at the
/// state of the trade before it acts on it.
///
/// # Limits
///
/// At most 1,000 notifications are held at a time, the oldest, however many are unread, besides
/// those that were deferred or have failed and wait to be handed over again. The service lists the
/// newest first. If it says how many there are, the watch continues near the end of the list: nine
/// pages of 200 at most for a thousand notifications, a few more if the service counts others, too.
/// Otherwise, and if the list turns out to be in another order, it goes through the whole list for
/// each thousand. While others read many notifications of the same inbox and as many arrive, half a
/// page between two requests, some may be handed over after newer ones. At most 200
/// are handled but not acknowledged yet; the watch waits while there are more. At least the last
/// 100,000 that were handled or parked are remembered, as hashes of 8 bytes, so that they are not
/// handed over again by this watch, even if the service goes on listing them as unread.
#[must_use = "nothing is fetched before the watch runs"]
pub struct InboxWatch<T: Transport = Async> {
    api: Api<Async>,
    transport: T,
    settings: Settings,
    queue: Arc<Mutex<Queue>>,
}

impl Api<Async> {
    /// Creates a watch that waits for notifications and acknowledges each after it was handled.
    /// Calls `GET /inbox` and `POST /inbox/ack` ([reference](https://machins.co/docs): Inbox).
    pub fn inbox_watch(&self) -> InboxWatch {
        InboxWatch::new(self.clone(), self.transport().clone())
    }
}

impl<T: Transport> InboxWatch<T> {
    pub(crate) fn new(api: Api<Async>, transport: T) -> Self {
        let settings = Settings {
            event_type: None,
            poll_waits: (Duration::from_secs(1), Duration::from_secs(30)),
            retry_waits: (Duration::from_secs(1), Duration::from_secs(5 * 60)),
            max_attempts: 5,
            concurrency: 1,
            stop: CancellationToken::new(),
            on_parked: None,
            acknowledges_parked: false,
            on_error: None,
            on_page: None,
        };
        Self { api, transport, settings, queue: Arc::new(Mutex::new(Queue::new())) }
    }

    /// Sets the shortest and the longest wait before an empty inbox is fetched again, which are
    /// also those after an error of the service. The default is one second and thirty seconds.
    pub fn every(mut self, shortest: Duration, longest: Duration) -> Self {
        self.settings.poll_waits = (shortest, longest.max(shortest));
        self
    }

    /// Waits only for notifications of this event type. The others stay unread.
    pub fn event_type(mut self, event_type: EventType) -> Self {
        self.settings.event_type = Some(event_type);
        self
    }

    /// Sets a token that ends the watch when it is cancelled. Handlers that run are waited for, and
    /// what they handled is acknowledged, in one try of at most five seconds.
    pub fn stop(mut self, token: CancellationToken) -> Self {
        self.settings.stop = token;
        self
    }

    /// Sets how many notifications may be handed over at the same time. The default is one, and
    /// zero counts as one. Notifications about the same trade always come one after the other.
    pub fn concurrency(mut self, notifications: usize) -> Self {
        self.settings.concurrency = notifications.max(1);
        self
    }

    /// Sets how often a notification is handed over before it is parked. The default is five times,
    /// and zero counts as one.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.settings.max_attempts = attempts.max(1);
        self
    }

    /// Sets the first and the longest wait before a notification that failed is handed over again.
    /// The wait doubles each time. The default is one second and five minutes.
    pub fn retry_waits(mut self, first: Duration, longest: Duration) -> Self {
        self.settings.retry_waits = (first, longest.max(first));
        self
    }

    /// Sets a callback that gets each notification that is parked, to store or report it.
    pub fn on_parked(
        mut self,
        callback: impl Fn(&ParkedNotification) + Send + Sync + 'static,
    ) -> Self {
        self.settings.on_parked = Some(Arc::new(callback));
        self
    }

    /// Sets whether a notification that is parked is acknowledged, after the callback of
    /// [`on_parked`](Self::on_parked) has returned. By default it stays unread, so that the next
    /// watch hands it over again; until then, the pages that list it are fetched each time as well.
    pub fn acknowledge_parked(mut self, acknowledge: bool) -> Self {
        self.settings.acknowledges_parked = acknowledge;
        self
    }

    /// Sets a callback that gets each error of the service after which the watch goes on.
    pub fn on_error(mut self, callback: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.settings.on_error = Some(Arc::new(callback));
        self
    }

    /// Sets a callback that is called after each page of the inbox that was fetched, empty or not: a sign
    /// that the service can be reached.
    pub fn on_page(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.settings.on_page = Some(Arc::new(callback));
        self
    }

    /// Returns a handle that has the inbox fetched at once.
    #[must_use]
    pub fn waker(&self) -> InboxWaker {
        InboxWaker::new(&self.queue)
    }

    /// Returns the notifications one by one, each to be acknowledged, deferred or parked by its
    /// receiver.
    ///
    /// If this is called more than once, the streams share the notifications.
    pub fn deliveries(&self) -> Deliveries<T> {
        self.deliveries_with(self.settings.clone())
    }

    fn deliveries_with(&self, settings: Settings) -> Deliveries<T> {
        let shared = Shared::new(self.api.clone(), settings, Arc::clone(&self.queue));
        Deliveries::new(Arc::new(shared), self.transport.clone())
    }
}

impl InboxWatch<Async> {
    /// Calls `handler` with each notification until the watch is stopped, and acknowledges it after
    /// the handler's future returned `Ok`.
    ///
    /// An error of the handler may be of any type that can be displayed: [`Error`], a boxed error,
    /// `anyhow::Error`, text. The handler may borrow. The returned future borrows nothing from the
    /// watch, and can be spawned if the handler's futures can.
    ///
    /// If the returned future is dropped, or a handler panics, which ends the watch, no
    /// notification is acknowledged whose handler has not returned `Ok`. To have panics treated as
    /// errors, let the handler spawn a task and return its
    /// [`JoinError`](https://docs.rs/tokio/latest/tokio/task/struct.JoinError.html).
    ///
    /// # Errors
    /// Returns an error if the inbox cannot be read or acknowledged and trying again would not
    /// help: [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized) if the API key is invalid,
    /// [`ErrorKind::MissingCredential`](crate::ErrorKind::MissingCredential) if there is none,
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput), and
    /// [`ErrorKind::BadRequest`](crate::ErrorKind::BadRequest),
    /// [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden) or
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the service itself refuses the list,
    /// in JSON. After every other error the watch tries again.
    pub fn run<H, F, E>(
        &self,
        mut handler: H,
    ) -> impl Future<Output = Result<(), Error>> + use<H, F, E>
    where
        H: FnMut(Notification) -> F,
        F: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        let mut deliveries = self.deliveries();
        async move {
            let mut running = FuturesUnordered::new();
            let mut end = None;
            loop {
                tokio::select! {
                    biased;
                    next = poll_fn(|context| deliveries.poll_delivery(context)), if end.is_none() => {
                        match next {
                            None => end = Some(Ok(())),
                            Some(Err(error)) => end = Some(Err(error)),
                            Some(Ok(delivery)) => {
                                let Some((delivery, notification)) = readable(delivery) else {
                                    continue;
                                };
                                let work = handler(notification);
                                running.push(async move {
                                    let result = work.await;
                                    (delivery, result.map_err(|error| format!("{error:#}")))
                                });
                            }
                        }
                    }
                    // Second, so that what is handed over at the same time begins before anything
                    // ends: then the page that shows it is fetched once for all.
                    Some((delivery, result)) = running.next() => settle(delivery, result),
                    else => break,
                }
            }
            poll_fn(|context| deliveries.poll_finish(context)).await;
            end.unwrap_or(Ok(()))
        }
    }
}

#[cfg(feature = "blocking")]
impl InboxWatch<agent_client_core::Blocking> {
    /// Calls `handler` with each notification until the watch is stopped, and acknowledges it after
    /// the handler returned `Ok`. The handler may make calls, and is called by one thread, whatever
    /// [`concurrency`](Self::concurrency) says. An error of the handler may be of any type that can
    /// be displayed.
    ///
    /// If the handler panics, its notification is not acknowledged.
    ///
    /// # Errors
    /// Returns an error in the same cases as [`run`](InboxWatch#method.run) of the asynchronous
    /// watch.
    pub fn run<E: fmt::Display>(
        &self,
        mut handler: impl FnMut(Notification) -> Result<(), E>,
    ) -> Result<(), Error> {
        // Otherwise an acknowledgement could be under way while the handler holds the thread.
        let settings = Settings { concurrency: 1, ..self.settings.clone() };
        for delivery in self.deliveries_with(settings) {
            if let Some((delivery, notification)) = readable(delivery?) {
                settle(delivery, handler(notification).map_err(|error| format!("{error:#}")));
            }
        }
        Ok(())
    }
}

/// A notification whose handler runs. If the handler does not end, it is handed over again at once.
struct Running<T: Transport>(Option<InboxDelivery<T>>);

impl<T: Transport> Drop for Running<T> {
    fn drop(&mut self) {
        if let Some(delivery) = self.0.take() {
            delivery.release();
        }
    }
}

/// Returns the notification for its handler, or parks it if it is not one.
fn readable<T: Transport>(delivery: InboxDelivery<T>) -> Option<(Running<T>, Notification)> {
    let Some(notification) = delivery.notification().cloned() else {
        delivery.park("it is not a notification as the service documents it");
        return None;
    };
    Some((Running(Some(delivery)), notification))
}

fn settle<T: Transport>(mut running: Running<T>, result: Result<(), String>) {
    let Some(delivery) = running.0.take() else { return };
    match result {
        Ok(()) => delivery.finish(),
        Err(reason) => delivery.fail(reason),
    }
}

impl<T: Transport> fmt::Debug for InboxWatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxWatch").field("settings", &self.settings).finish_non_exhaustive()
    }
}
