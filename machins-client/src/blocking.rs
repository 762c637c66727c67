//! The blocking client, for programs without an asynchronous runtime.
//!
//! ```
//! use machins_client::MarketplaceQuery;
//!
//! # test_support::machins_blocking(|test_support::Marketplace { seller: client, .. }| {
//! println!("{} credits", client.get_wallet()?.available_balance);
//! for listing in client.browse_all(&MarketplaceQuery::new()).take(10) {
//!     println!("{}", listing?.title);
//! }
//! # Ok(()) });
//! ```

use std::time::Duration;

pub use agent_client_core::Blocking;
use agent_client_core::Error;
use tokio_util::sync::CancellationToken;

use crate::client::{Api, ClientBuilder};
use crate::inbox_watch::{self, WatchError};
use crate::model::event::EventType;
use crate::model::inbox::Notification;

/// The blocking client. It has the methods of [`Api`], each of which returns the result itself
/// instead of a future.
pub type Client = Api<Blocking>;

impl Client {
    /// Creates a client from the environment variables `MACHINS_API_KEY` and `MACHINS_BASE_URL`,
    /// each of which may be unset.
    ///
    /// # Errors
    /// Returns an error in the same cases as [`ClientBuilder::from_env`] and
    /// [`ClientBuilder::build_blocking`].
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build_blocking()
    }

    /// Creates a client from the environment variables `MACHINS_API_KEY` and `MACHINS_BASE_URL`
    /// and, for what is not set there, from the config file: see [`ClientBuilder::from_config`].
    ///
    /// # Errors
    /// Returns an error in the same cases as [`ClientBuilder::from_config`] and
    /// [`ClientBuilder::build_blocking`].
    pub fn from_config() -> Result<Self, Error> {
        ClientBuilder::from_config()?.build_blocking()
    }

    /// Creates a watch that waits for notifications and acknowledges each after it was handled.
    /// Calls `GET /inbox` and `POST /inbox/ack` ([reference](https://machins.co/docs): Inbox).
    pub fn inbox_watch(&self) -> InboxWatch {
        let transport = self.transport().clone();
        let watch = Api::new(transport.asynchronous().clone()).inbox_watch();
        InboxWatch { watch, transport }
    }
}

impl ClientBuilder {
    /// Builds the blocking client.
    ///
    /// # Errors
    /// Returns an error in the same cases as [`build`](Self::build), and
    /// [`ErrorKind::NotSent`](crate::ErrorKind::NotSent) if the operating system provides no
    /// event queue.
    pub fn build_blocking(self) -> Result<Client, Error> {
        self.build_over(Blocking::new)
    }
}

/// Waits for notifications and returns the unread ones one by one, each **at least once**: the
/// blocking counterpart of [`machins_client::InboxWatch`](crate::InboxWatch).
///
/// ```
/// use machins_client::{CancellationToken, Proposal};
///
/// # test_support::machins_blocking(|test_support::Marketplace { seller, buyer, listing, .. }| {
/// buyer.propose_trade(&Proposal::new(&listing.id))?;
///
/// let stop = CancellationToken::new();
/// for notification in seller.inbox_watch().stop(stop.clone()) {
///     println!("{}", notification?.event_type);
///     stop.cancel(); // ends the watch after one notification
/// }
/// # Ok(()) });
/// ```
#[derive(Debug)]
#[must_use = "nothing is fetched before a notification is requested"]
pub struct InboxWatch {
    watch: inbox_watch::InboxWatch,
    transport: Blocking,
}

impl InboxWatch {
    /// Sets the shortest and the longest wait before an empty inbox is fetched again. The default
    /// is one second and thirty seconds.
    pub fn every(self, shortest: Duration, longest: Duration) -> Self {
        Self { watch: self.watch.every(shortest, longest), ..self }
    }

    /// Waits only for notifications of this event type. The others stay unread.
    pub fn event_type(self, event_type: EventType) -> Self {
        Self { watch: self.watch.event_type(event_type), ..self }
    }

    /// Sets a token that ends the watch when it is cancelled.
    pub fn stop(self, token: CancellationToken) -> Self {
        Self { watch: self.watch.stop(token), ..self }
    }

    /// Calls `handler` with each notification until the watch is stopped, and acknowledges each one
    /// that it returned `Ok` for.
    ///
    /// # Errors
    /// Returns [`WatchError::Handler`] with the first error of the handler, whose notification
    /// stays unread, and [`WatchError::Inbox`] if the inbox cannot be read or acknowledged and
    /// trying again would not help.
    pub fn run<E>(
        &mut self,
        mut handler: impl FnMut(Notification) -> Result<(), E>,
    ) -> Result<(), WatchError<E>> {
        while let Some(notification) = self.next() {
            let notification = notification.map_err(WatchError::Inbox)?;
            if let Err(error) = handler(notification) {
                self.watch.leave_last_unread();
                return Err(WatchError::Handler(error));
            }
        }
        Ok(())
    }
}

/// Returns one notification after another, each acknowledged when the next one is requested. Ends
/// when the watch is stopped.
impl Iterator for InboxWatch {
    type Item = Result<Notification, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.transport.wait(self.watch.next()).transpose()
    }
}
