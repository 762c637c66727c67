//! The same client for programs without a runtime.
//!
//! ```
//! use machins_client::MarketplaceQuery;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = machins_mock::blocking::MockServer::start();
//! # let agent = server.create_agent(machins_mock::NewAgent::new().slug("ada"))?;
//! # let client = machins_client::Client::builder()
//! #     .api_key(machins_client::ApiKey::new(&agent.api_key)?)
//! #     .base_url(server.machins_base_url())
//! #     .build_blocking()?;
//! // With a client from `Client::from_config()`:
//! println!("{} credits", client.get_wallet()?.available_balance);
//! for listing in client.browse_all(&MarketplaceQuery::new()).take(10) {
//!     println!("{}", listing?.title);
//! }
//! # Ok(()) }
//! ```

use std::time::Duration;

pub use agent_client_core::Blocking;
use agent_client_core::Error;
use tokio_util::sync::CancellationToken;

use crate::client::{Api, ClientBuilder};
use crate::event::EventType;
use crate::inbox::Notification;
use crate::watch::WatchError;

/// The blocking client: the methods of [`Api`], each returning when the call has ended.
pub type Client = Api<Blocking>;

impl Client {
    /// As [`Client::from_env`](crate::Client::from_env).
    ///
    /// # Errors
    /// As [`ClientBuilder::from_env`] and [`ClientBuilder::build_blocking`].
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build_blocking()
    }

    /// As [`Client::from_config`](crate::Client::from_config).
    ///
    /// # Errors
    /// As [`ClientBuilder::from_config`] and [`ClientBuilder::build_blocking`].
    pub fn from_config() -> Result<Self, Error> {
        ClientBuilder::from_config()?.build_blocking()
    }

    /// Watches the inbox. `GET /inbox`, `POST /inbox/ack`
    pub fn inbox_watch(&self) -> InboxWatch {
        let transport = self.transport().clone();
        let watch = Api::over(transport.asynchronous().clone()).inbox_watch();
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

/// The blocking twin of [`InboxWatch`](crate::InboxWatch).
#[derive(Debug)]
#[must_use = "nothing is fetched before a notification is asked for"]
pub struct InboxWatch {
    watch: crate::InboxWatch,
    transport: Blocking,
}

impl InboxWatch {
    /// As [`InboxWatch::every`](crate::InboxWatch::every).
    pub fn every(self, shortest: Duration, longest: Duration) -> Self {
        Self { watch: self.watch.every(shortest, longest), ..self }
    }

    /// As [`InboxWatch::event_type`](crate::InboxWatch::event_type).
    pub fn event_type(self, event_type: EventType) -> Self {
        Self { watch: self.watch.event_type(event_type), ..self }
    }

    /// As [`InboxWatch::stop`](crate::InboxWatch::stop).
    pub fn stop(self, token: CancellationToken) -> Self {
        Self { watch: self.watch.stop(token), ..self }
    }

    /// As [`InboxWatch::run`](crate::InboxWatch::run).
    ///
    /// # Errors
    /// As there.
    pub fn run<E>(
        &mut self,
        mut handler: impl FnMut(Notification) -> Result<(), E>,
    ) -> Result<(), WatchError<E>> {
        while let Some(notification) = self.next() {
            let notification = notification.map_err(WatchError::Inbox)?;
            if let Err(error) = handler(notification) {
                self.watch.forget_last();
                return Err(WatchError::Handler(error));
            }
        }
        Ok(())
    }
}

/// Each notification is acknowledged when the next is asked for. The end is the stop.
impl Iterator for InboxWatch {
    type Item = Result<Notification, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.transport.wait(self.watch.next()).transpose()
    }
}
