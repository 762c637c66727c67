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

pub use agent_client_core::Blocking;
use agent_client_core::Error;

use crate::client::{Api, ClientBuilder};
use crate::inbox_watch;

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

    /// Creates a client as [`from_config`](Self::from_config) does, with this profile of the config
    /// file: see [`ClientBuilder::from_profile`].
    ///
    /// # Errors
    /// Returns an error in the same cases as [`ClientBuilder::from_profile`] and
    /// [`ClientBuilder::build_blocking`].
    pub fn from_profile(name: &str) -> Result<Self, Error> {
        ClientBuilder::from_profile(name)?.build_blocking()
    }

    /// Creates a watch that waits for notifications and acknowledges each after it was handled.
    /// Calls `GET /inbox` and `POST /inbox/ack` ([reference](https://machins.co/docs): Inbox).
    pub fn inbox_watch(&self) -> InboxWatch {
        let transport = self.transport().clone();
        InboxWatch::new(Api::new(transport.asynchronous().clone()), transport)
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

/// The blocking watch of an inbox. It has the settings of
/// [`machins_client::InboxWatch`](crate::InboxWatch).
///
/// ```
/// use machins_client::{CancellationToken, Error, Proposal};
///
/// # test_support::machins_blocking(|test_support::Marketplace { seller, buyer, listing, .. }| {
/// buyer.propose_trade(&Proposal::new(&listing.id))?;
///
/// let stop = CancellationToken::new();
/// seller.inbox_watch().stop(stop.clone()).run(|notification| {
///     println!("{}", notification.event_type);
///     stop.cancel(); // ends the watch after one notification
///     Ok::<(), Error>(())
/// })?;
/// # Ok(()) });
/// ```
pub type InboxWatch = inbox_watch::InboxWatch<Blocking>;
