//! Living on the inbox: notifications one by one, each acknowledged after it was handled.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use agent_client_core::retry::{Idempotency, Outcome, Policy, RetryState, Step};
use agent_client_core::{Async, Error};
use tokio_util::sync::CancellationToken;

use crate::client::Api;
use crate::id::NotificationId;
use crate::inbox::{InboxQuery, Notification};

/// How many notifications are fetched at a time.
const BATCH: u32 = 50;

/// Waits for notifications and hands them over one by one, the unread ones of the inbox, each
/// **at least once**: it is acknowledged only when the next is asked for, or by
/// [`run`](Self::run) after the handler has succeeded. What was handed over and not acknowledged
/// (a crash, an error, a [`stop`](Self::stop)) comes again with the next watch.
///
/// An empty inbox is asked again after the shortest wait, then after growing ones up to the
/// longest. So is an inbox that can't be reached; an error that will not pass ends the watch.
///
/// ```
/// use machins_client::{Client, ErrorKind, Event};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let join = |slug| -> Result<_, Box<dyn std::error::Error>> {
/// #     let agent = server.create_agent(machins_mock::NewAgent::new().slug(slug))?;
/// #     let key = machins_client::ApiKey::new(&agent.api_key)?;
/// #     Ok(Client::builder().api_key(key).base_url(server.machins_base_url()).build()?)
/// # };
/// # let client = join("ada")?;
/// # let offer = machins_client::NewListing::new(
/// #     "Sentiment", "ada-sentiment", machins_client::ListingType::Task,
/// #     machins_client::Money::credits(50),
/// # );
/// # let listing = client.create_listing(&offer).await?;
/// # join("bob")?.propose_trade(&machins_client::Proposal::new(&listing.id)).await?;
/// # let stop = machins_client::CancellationToken::new();
/// let mut watch = client.inbox_watch().stop(stop.clone());
/// while let Some(notification) = watch.next().await? {
///     if let Event::TradeProposed(data) = notification.event() {
///         match client.accept_trade(&data.trade_id).await {
///             // It came a second time: it was accepted the first.
///             Err(error) if error.kind() == ErrorKind::InvalidTransition => {}
///             accepted => drop(accepted?),
///         }
///     }
///     # stop.cancel();
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing is fetched before a notification is asked for"]
pub struct InboxWatch {
    api: Api<Async>,
    query: InboxQuery,
    shortest: Duration,
    longest: Duration,
    stop: CancellationToken,
    waiting: VecDeque<Notification>,
    /// Handed over, and handled as far as the watch knows.
    handled: Vec<NotificationId>,
    /// Acknowledged last. A server that does not heed it must not make them come again.
    acknowledged: Vec<NotificationId>,
    pause: Option<RetryState>,
}

/// Why a watch with a handler ended before it was stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchError<E> {
    /// The inbox can't be read, and that will not pass.
    Inbox(Error),
    /// The handler failed. Its notification stays unread.
    Handler(E),
}

impl Api<Async> {
    /// Watches the inbox. `GET /inbox`, `POST /inbox/ack`
    pub fn inbox_watch(&self) -> InboxWatch {
        InboxWatch {
            api: self.clone(),
            query: InboxQuery::new().unread().limit(BATCH),
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            stop: CancellationToken::new(),
            waiting: VecDeque::new(),
            handled: Vec::new(),
            acknowledged: Vec::new(),
            pause: None,
        }
    }
}

impl InboxWatch {
    /// How long to wait between two looks at an empty inbox: at first, and at most. 1 s and 30 s
    /// by default.
    pub fn every(mut self, shortest: Duration, longest: Duration) -> Self {
        self.shortest = shortest;
        self.longest = longest.max(shortest);
        self
    }

    /// Only notifications of this event.
    pub fn event_type(mut self, event_type: crate::EventType) -> Self {
        self.query = self.query.event_type(event_type);
        self
    }

    /// Ends the watch when the token is cancelled: [`next`](Self::next) then gives `None`.
    pub fn stop(mut self, token: CancellationToken) -> Self {
        self.stop = token;
        self
    }

    /// Acknowledges what was handed over before, then waits for the next notification. `None`
    /// when the watch was stopped; what was handed over last is acknowledged then too.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// The inbox can't be read or acknowledged, and that will not pass. Asking again is allowed.
    pub async fn next(&mut self) -> Result<Option<Notification>, Error> {
        loop {
            let stopped = self.stop.is_cancelled();
            match self.advance(stopped).await {
                Ok(Some(notification)) => {
                    self.pause = None;
                    self.handled.push(notification.id.clone());
                    return Ok(Some(notification));
                }
                Ok(None) if stopped => return Ok(None),
                Ok(None) => self.rest(None).await,
                Err(error) if error.is_retryable() && !stopped => {
                    self.rest(error.retry_after()).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands every notification to `handler` until the watch is stopped, and acknowledges each
    /// that it returned `Ok` for.
    ///
    /// # Errors
    /// [`WatchError::Handler`] with the handler's first error; its notification stays unread.
    /// [`WatchError::Inbox`] as [`next`](Self::next).
    pub async fn run<E>(
        &mut self,
        mut handler: impl AsyncFnMut(Notification) -> Result<(), E>,
    ) -> Result<(), WatchError<E>> {
        while let Some(notification) = self.next().await.map_err(WatchError::Inbox)? {
            if let Err(error) = handler(notification).await {
                self.forget_last();
                return Err(WatchError::Handler(error));
            }
        }
        Ok(())
    }

    /// Takes back what was handed over last: it was not handled, and stays unread.
    pub(crate) fn forget_last(&mut self) {
        self.handled.pop();
    }

    /// Acknowledges what was handled, then gives the next notification if there is one.
    async fn advance(&mut self, stopped: bool) -> Result<Option<Notification>, Error> {
        if !self.handled.is_empty() {
            self.api.ack_inbox(&self.handled).await?;
            self.acknowledged.append(&mut self.handled);
            let excess = self.acknowledged.len().saturating_sub(BATCH as usize);
            self.acknowledged.drain(..excess);
        }
        if stopped {
            return Ok(None);
        }
        if self.waiting.is_empty() {
            let query = self.query.clone();
            let page = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(None),
                page = self.api.list_inbox(&query) => page?,
            };
            self.waiting = page.items.into();
            // A server that does not know the filter gives read ones as well.
            let done = &self.acknowledged;
            self.waiting.retain(|it| !it.is_read && !done.contains(&it.id));
        }
        Ok(self.waiting.pop_front())
    }

    /// Waits a growing time, or until the watch is stopped.
    async fn rest(&mut self, at_least: Option<Duration>) {
        let policy = Policy {
            max_attempts: u32::MAX,
            first_delay: self.shortest,
            longest_delay: self.longest,
            timeout: Duration::MAX,
            ..Policy::default()
        };
        let clock = self.api.transport().clock();
        let course =
            self.pause.get_or_insert_with(|| RetryState::new(policy, Idempotency::Idempotent));
        let outcome = Outcome::Transient(at_least.map(|wait| wait.min(self.longest)));
        let step = course.next_step(outcome, Duration::ZERO, clock.random(), || true);
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
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

impl<E: fmt::Display> fmt::Display for WatchError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inbox(error) => write!(f, "the inbox can't be watched: {error}"),
            Self::Handler(error) => write!(f, "a notification was not handled: {error}"),
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
