//! Waiting for notifications, each acknowledged after it was handled.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use agent_client_core::retry::{Idempotency, Outcome, Policy, RetryState, Step};
use agent_client_core::{Async, Error};
use tokio_util::sync::CancellationToken;

use crate::client::Api;
use crate::model::event::EventType;
use crate::model::id::NotificationId;
use crate::model::inbox::{InboxQuery, Notification};

/// The number of notifications that are fetched at a time.
const PAGE_SIZE: u32 = 50;

/// Waits for notifications and returns the unread ones one by one, each **at least once**.
///
/// A notification is acknowledged when the next one is requested, or by [`run`](Self::run) after
/// the handler succeeded. One that was returned but not acknowledged (because of a crash, an error
/// or a [`stop`](Self::stop)) is returned again by the next watch.
///
/// An empty inbox is fetched again after a wait that grows between the limits of
/// [`every`](Self::every). An inbox that cannot be reached is treated alike, while an error that
/// will not pass, such as an invalid API key, ends the watch.
///
/// ```
/// use machins_client::{CancellationToken, ErrorKind, Event, Proposal};
///
/// # test_support::machins(async |test_support::Marketplace { seller, buyer, listing, .. }| {
/// buyer.propose_trade(&Proposal::new(&listing.id)).await?;
///
/// let stop = CancellationToken::new();
/// let mut watch = seller.inbox_watch().stop(stop.clone());
/// while let Some(notification) = watch.next().await? {
///     if let Event::TradeProposed(proposed) = notification.event() {
///         match seller.accept_trade(&proposed.trade_id).await {
///             // The notification has come before, and the trade was accepted then.
///             Err(error) if error.kind() == ErrorKind::InvalidTransition => {}
///             result => drop(result?),
///         }
///     }
///     stop.cancel(); // ends the watch after one notification
/// }
/// # Ok(()) });
/// ```
#[must_use = "nothing is fetched before a notification is requested"]
pub struct InboxWatch {
    api: Api<Async>,
    query: InboxQuery,
    shortest: Duration,
    longest: Duration,
    stop: CancellationToken,
    fetched: VecDeque<Notification>,
    /// The notifications that were returned and are yet to be acknowledged.
    handled: Vec<NotificationId>,
    /// The latest acknowledged notifications, in case the service goes on listing them as unread.
    acknowledged: Vec<NotificationId>,
    backoff: Option<RetryState>,
}

/// The reason why [`InboxWatch::run`] ended before it was stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchError<E> {
    /// The inbox could not be read or acknowledged, and trying again would not help.
    Inbox(Error),
    /// The handler returned this error. Its notification stays unread.
    Handler(E),
}

impl Api<Async> {
    /// Creates a watch that waits for notifications and acknowledges each after it was handled.
    /// Calls `GET /inbox` and `POST /inbox/ack` ([reference](https://machins.co/docs): Inbox).
    pub fn inbox_watch(&self) -> InboxWatch {
        InboxWatch {
            api: self.clone(),
            query: InboxQuery::new().unread().limit(PAGE_SIZE),
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            stop: CancellationToken::new(),
            fetched: VecDeque::new(),
            handled: Vec::new(),
            acknowledged: Vec::new(),
            backoff: None,
        }
    }
}

impl InboxWatch {
    /// Sets the shortest and the longest wait before an empty inbox is fetched again. The default
    /// is one second and thirty seconds.
    pub fn every(mut self, shortest: Duration, longest: Duration) -> Self {
        self.shortest = shortest;
        self.longest = longest.max(shortest);
        self
    }

    /// Waits only for notifications of this event type. The others stay unread.
    pub fn event_type(mut self, event_type: EventType) -> Self {
        self.query = self.query.event_type(event_type);
        self
    }

    /// Sets a token that ends the watch when it is cancelled: [`next`](Self::next) then returns
    /// `None`.
    pub fn stop(mut self, token: CancellationToken) -> Self {
        self.stop = token;
        self
    }

    /// Acknowledges the notification that was returned before, then waits for the next one. Returns
    /// `None` once the watch is stopped.
    ///
    /// Dropping the future loses no notification.
    ///
    /// # Errors
    /// Returns an error if the inbox cannot be read or acknowledged and trying again would not
    /// help, such as [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized) if the API key is
    /// invalid. The method may be called again.
    pub async fn next(&mut self) -> Result<Option<Notification>, Error> {
        loop {
            let stopped = self.stop.is_cancelled();
            match self.advance(stopped).await {
                Ok(Some(notification)) => {
                    self.backoff = None;
                    self.handled.push(notification.id.clone());
                    return Ok(Some(notification));
                }
                Ok(None) if stopped => return Ok(None),
                Ok(None) => self.wait(None).await,
                Err(error) if error.is_retryable() && !stopped => {
                    self.wait(error.retry_after()).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Calls `handler` with each notification until the watch is stopped, and acknowledges each one
    /// that it returned `Ok` for.
    ///
    /// # Errors
    /// Returns [`WatchError::Handler`] with the first error of the handler, whose notification
    /// stays unread, and [`WatchError::Inbox`] if [`next`](Self::next) fails.
    pub async fn run<E>(
        &mut self,
        mut handler: impl AsyncFnMut(Notification) -> Result<(), E>,
    ) -> Result<(), WatchError<E>> {
        while let Some(notification) = self.next().await.map_err(WatchError::Inbox)? {
            if let Err(error) = handler(notification).await {
                self.leave_last_unread();
                return Err(WatchError::Handler(error));
            }
        }
        Ok(())
    }

    /// Keeps the notification that was returned last from being acknowledged.
    pub(crate) fn leave_last_unread(&mut self) {
        self.handled.pop();
    }

    /// Acknowledges what was handled, then returns the next notification if there is one.
    async fn advance(&mut self, stopped: bool) -> Result<Option<Notification>, Error> {
        if !self.handled.is_empty() {
            self.api.ack_inbox(&self.handled).await?;
            self.acknowledged.append(&mut self.handled);
            let excess = self.acknowledged.len().saturating_sub(PAGE_SIZE as usize);
            self.acknowledged.drain(..excess);
        }
        if stopped {
            return Ok(None);
        }
        if self.fetched.is_empty() {
            let query = self.query.clone();
            let page = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(None),
                page = self.api.list_inbox(&query) => page?,
            };
            self.fetched = page.items.into();
            // A service that ignores the filter lists read notifications as well.
            let acknowledged = &self.acknowledged;
            self.fetched.retain(|notification| {
                !notification.is_read && !acknowledged.contains(&notification.id)
            });
        }
        Ok(self.fetched.pop_front())
    }

    /// Waits a growing time, or until the watch is stopped.
    async fn wait(&mut self, at_least: Option<Duration>) {
        let policy = Policy {
            max_attempts: u32::MAX,
            first_delay: self.shortest,
            longest_delay: self.longest,
            timeout: Duration::MAX,
            ..Policy::default()
        };
        let clock = self.api.transport().clock();
        let backoff =
            self.backoff.get_or_insert_with(|| RetryState::new(policy, Idempotency::Idempotent));
        let outcome = Outcome::Transient(at_least.map(|wait| wait.min(self.longest)));
        let step = backoff.next_step(outcome, Duration::ZERO, clock.random(), || true);
        let Step::Send(wait) = step else { return };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = clock.sleep(wait) => {}
        }
    }
}

impl fmt::Debug for InboxWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxWatch")
            .field("query", &self.query)
            .field("fetched", &self.fetched.len())
            .finish_non_exhaustive()
    }
}

impl<E: fmt::Display> fmt::Display for WatchError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inbox(error) => write!(f, "the inbox cannot be watched: {error}"),
            Self::Handler(error) => write!(f, "a notification could not be handled: {error}"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for WatchError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Inbox(error) => Some(error),
            Self::Handler(error) => Some(error),
        }
    }
}
