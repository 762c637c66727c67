//! Waiting until a trade has reached a state.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use agent_client_core::{Error, ErrorKind, Transport};

use crate::client::{Api, Client};
use crate::model::id::TradeId;
use crate::model::trade::Trade;
use crate::model::trade_status::TradeStatus;
use crate::proposals::get_trade;
use crate::refusal::is_final;

/// The shortest and the longest wait between two requests.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The trade is not read again so shortly before the limit.
const LAST_PAUSE: Duration = Duration::from_millis(100);

/// The source of the error of [`Api::wait_for_trade`] when the trade did not reach the state: what it
/// was when it was last read.
///
/// ```
/// use std::time::Duration;
/// use machins_client::{ErrorKind, NotReached, Proposal, TradeStatus};
///
/// # test_support::machins(async |test_support::Marketplace { buyer, listing, .. }| {
/// let trade = buyer.propose_trade(&Proposal::new(&listing.id)).await?;
/// let limit = Duration::from_millis(10);
/// let error = buyer.wait_for_trade(&trade.id, TradeStatus::Delivered, limit).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::TimedOut);
/// let last = NotReached::from_error(&error).and_then(|reason| reason.last_seen.as_ref());
/// assert_eq!(last.map(|trade| &trade.status), Some(&TradeStatus::Proposed));
/// # Ok(()) });
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NotReached {
    /// The state that was waited for.
    pub wanted: TradeStatus,
    /// The trade when it was last read. `None` if it could not be read within the time.
    pub last_seen: Option<Trade>,
}

impl NotReached {
    /// Creates the reason why a wait has failed, for tests (feature `test-util`).
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn new(wanted: TradeStatus, last_seen: Option<Trade>) -> Self {
        Self { wanted, last_seen }
    }

    /// Returns why a wait has failed, or `None` if the error is not one of a wait.
    #[must_use]
    pub fn from_error(error: &Error) -> Option<&Self> {
        error.source().and_then(|source| source.downcast_ref())
    }
}

impl fmt::Display for NotReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.last_seen {
            Some(trade) => write!(f, "it is {}", trade.status),
            None => f.write_str("it could not be read"),
        }
    }
}

impl StdError for NotReached {}

/// Waiting for a trade.
impl<T: Transport> Api<T> {
    /// Waits until a trade has reached a state, and returns the trade. A trade that has passed the
    /// state counts as having reached it: one that is `completed` was `delivered`. Calls
    /// `GET /trades/{id}` ([reference](https://machins.co/docs): Trades and Trade Lifecycle).
    ///
    /// The trade is read at once, then after half a second, and less and less often, up to every ten
    /// seconds. Pauses that the service asks for are heeded. An outage, and a reply that is not the
    /// service's own (such as a proxy's HTML page), is waited out, as by
    /// [`inbox_watch`](crate::Api::inbox_watch). The wait takes `within` at most; the client's
    /// [`timeout`](crate::ClientOptions::timeout) is that of one request.
    ///
    /// ```
    /// use std::time::Duration;
    /// use machins_client::{Delivery, Proposal, TradeStatus};
    ///
    /// # test_support::machins(async |test_support::Marketplace { seller, buyer, listing, .. }| {
    /// let trade = buyer.propose_trade(&Proposal::new(&listing.id)).await?;
    /// # seller.accept_trade(&trade.id).await?;
    /// # seller.deliver_trade(&trade.id, &Delivery::task("positive")).await?;
    /// let hour = Duration::from_secs(60 * 60);
    /// let trade = buyer.wait_for_trade(&trade.id, TradeStatus::Delivered, hour).await?;
    /// println!("{:?}", trade.delivery_payload);
    /// # Ok(()) });
    /// ```
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidTransition`] if the trade can no longer reach the state, and
    /// [`ErrorKind::TimedOut`] if it has not within the time; both have [`NotReached`] as their
    /// source. Returns [`ErrorKind::NotFound`] if there is no such trade, and
    /// [`ErrorKind::Forbidden`] if you are not a party of it.
    pub fn wait_for_trade(
        &self,
        id: &TradeId,
        status: TradeStatus,
        within: Duration,
    ) -> T::Reply<Trade> {
        self.transport().run(wait(self.asynchronous(), id.clone(), status, within))
    }
}

async fn wait(
    client: Client,
    id: TradeId,
    wanted: TradeStatus,
    within: Duration,
) -> Result<Trade, Error> {
    let clock = client.transport().clock();
    let start = clock.now();
    let (mut last_seen, mut last_error) = (None, None);
    let mut pause = FIRST_PAUSE;
    loop {
        let left = within.saturating_sub(clock.now().saturating_duration_since(start));
        if left.is_zero() {
            break;
        }
        let mut wait = pause;
        match client.send(get_trade(&id).time_limit(left)).await {
            Ok(trade) => match progress(&wanted, &trade.status) {
                Progress::Reached => return Ok(trade),
                Progress::Pending => (last_seen, last_error) = (Some(trade), None),
                Progress::Unreachable => {
                    let message = format!("the trade can no longer be {wanted}");
                    let reason = NotReached { last_seen: Some(trade), wanted };
                    return Err(
                        Error::new(ErrorKind::InvalidTransition, message).with_source(reason)
                    );
                }
            },
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                wait = wait.max(error.retry_after().unwrap_or_default());
                last_error = Some(error);
            }
        }
        let left = within.saturating_sub(clock.now().saturating_duration_since(start));
        // Shorter waits towards the end, so that the trade is read shortly before it. When the
        // server has asked for a longer one, there is nothing to be read any more.
        let is_asked = wait > pause;
        let wait =
            if wait < left || is_asked || left <= LAST_PAUSE { wait.min(left) } else { left / 2 };
        clock.sleep(wait).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
    let mut message = format!("the trade was not {wanted} within {} s", within.as_secs_f32());
    if let Some(error) = last_error {
        message.extend(["; the last time, it could not be read: ", &format!("{error:#}")]);
    }
    Err(Error::new(ErrorKind::TimedOut, message).with_source(NotReached { wanted, last_seen }))
}

/// What the state of a trade means when another one is waited for.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// The trade has or had the state.
    Reached,
    /// The trade may still get there.
    Pending,
    /// The trade can no longer get there.
    Unreachable,
}

fn progress(wanted: &TradeStatus, now: &TradeStatus) -> Progress {
    match (now.has_passed(wanted), wanted.has_passed(now)) {
        (Some(true), _) => Progress::Reached,
        // A state that this version does not know may lead anywhere.
        (None, _) | (_, Some(true)) => Progress::Pending,
        (_, None) if !now.is_final() => Progress::Pending,
        _ => Progress::Unreachable,
    }
}
