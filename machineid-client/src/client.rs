//! The client: an API over a transport, and how it is built.

use std::env;
use std::fmt;

use agent_client_core::{
    Async, BaseUrl, Call, ClientOptions, Connection, Credential, Error, ErrorKind, Transport,
};

use crate::auth::{ORG_KEY, OrgKey};

/// Where MachineID lives.
pub const DEFAULT_BASE_URL: &str = "https://machineid.io";

const USER_AGENT: &str = concat!("machineid-client/", env!("CARGO_PKG_VERSION"));

/// The MachineID API over a transport. Use it as [`Client`] or, with the feature `blocking`, as
/// `blocking::Client`.
///
/// A clone is one pointer, and all clones share connections, pauses and the retry budget.
#[derive(Clone)]
pub struct Api<T> {
    transport: T,
}

/// The asynchronous client. Its calls are awaited inside a tokio runtime.
///
/// ```
/// use machineid_client::{Client, DeviceId};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let org = server.create_org(machins_mock::Plan::Free);
/// # let client = Client::builder()
/// #     .org_key(machineid_client::OrgKey::new(org.key())?)
/// #     .base_url(server.machineid_base_url())
/// #     .build()?;
/// let device = DeviceId::new("agent-01")?;
/// client.register(&device).await?;
/// let decision = client.validate(&device).await?;
/// if !decision.is_allowed() {
///     eprintln!("denied: {}", decision.code());
/// }
/// # Ok(()) }
/// ```
pub type Client = Api<Async>;

impl<T: Transport> Api<T> {
    pub(crate) fn over(transport: T) -> Self {
        Self { transport }
    }

    /// Sends any call: the way out for an endpoint that this crate does not know yet.
    ///
    /// ```
    /// use machineid_client::{Call, Client};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = machins_mock::MockServer::start().await;
    /// # let org = server.create_org(machins_mock::Plan::Free);
    /// # let client = Client::builder()
    /// #     .org_key(machineid_client::OrgKey::new(org.key())?)
    /// #     .base_url(server.machineid_base_url())
    /// #     .build()?;
    /// let call = Call::get("/api/v1/usage").json::<serde_json::Value>();
    /// let reply = client.send(client.with_key(call)).await?;
    /// assert_eq!(reply["planTier"], "free");
    /// # Ok(()) }
    /// ```
    pub fn send<R: Send + 'static>(&self, call: Call<R>) -> T::Reply<R> {
        self.transport.send(call)
    }

    /// Makes a call carry the org key, for [`send`](Self::send).
    pub fn with_key<R>(&self, call: Call<R>) -> Call<R> {
        call.auth(&ORG_KEY)
    }

    /// What carries the calls.
    pub fn transport(&self) -> &T {
        &self.transport
    }
}

impl Client {
    /// A client to be set up.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client from the environment: `MACHINEID_ORG_KEY`, and `MACHINEID_BASE_URL` if it is set.
    ///
    /// # Errors
    /// As [`ClientBuilder::from_env`] and [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build()
    }
}

impl<T: fmt::Debug> fmt::Debug for Api<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machineid_client::{:?}", self.transport)
    }
}

/// Sets a client up.
///
/// ```
/// use std::time::Duration;
/// use machineid_client::{Client, ClientOptions, OrgKey};
///
/// # fn main() -> Result<(), machineid_client::Error> {
/// let client = Client::builder()
///     .org_key(OrgKey::new("org_your_key_here")?)
///     .base_url("http://127.0.0.1:8080")
///     .options(ClientOptions::new().timeout(Duration::from_secs(10)))
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct ClientBuilder {
    org_key: Option<OrgKey>,
    connection: Connection,
}

impl ClientBuilder {
    /// Takes `MACHINEID_ORG_KEY`, and `MACHINEID_BASE_URL` if it is set, from the environment.
    ///
    /// # Errors
    /// [`ErrorKind::MissingCredential`] without a key, [`ErrorKind::InvalidInput`] for one that
    /// can't be a key.
    pub fn from_env() -> Result<Self, Error> {
        let variable = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
        let key = variable("MACHINEID_ORG_KEY").ok_or_else(|| {
            Error::new(
                ErrorKind::MissingCredential,
                "MACHINEID_ORG_KEY is not set; get an org key at machineid.io and export it",
            )
        })?;
        let builder = Self::default().org_key(OrgKey::new(&key)?);
        Ok(match variable("MACHINEID_BASE_URL") {
            Some(url) => builder.base_url(url),
            None => builder,
        })
    }

    /// The org's key. Only [`Api::create_org`] does without.
    pub fn org_key(mut self, key: OrgKey) -> Self {
        self.org_key = Some(key);
        self
    }

    /// Another address than [`DEFAULT_BASE_URL`]: a mock server, a proxy of your own.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.connection = self.connection.base_url(url);
        self
    }

    /// Allows plain `http` to other machines. The org key then travels in the clear.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.connection = self.connection.allow_insecure_http(allow);
        self
    }

    /// Limits and habits: timeouts, attempts, reply size, user agent.
    pub fn options(mut self, options: ClientOptions) -> Self {
        self.connection = self.connection.options(options);
        self
    }

    /// Builds the asynchronous client.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the base URL is invalid.
    pub fn build(self) -> Result<Client, Error> {
        self.build_over(Async::new)
    }

    /// Builds a client over the transport that `connect` creates.
    pub(crate) fn build_over<T: Transport>(
        self,
        connect: impl FnOnce(BaseUrl, Vec<Credential>, ClientOptions) -> Result<T, Error>,
    ) -> Result<Api<T>, Error> {
        let credentials = credentials(self.org_key)?;
        let (base_url, options) = self.connection.resolve(DEFAULT_BASE_URL, USER_AGENT)?;
        Ok(Api::over(connect(base_url, credentials, options)?))
    }
}

fn credentials(key: Option<OrgKey>) -> Result<Vec<Credential>, Error> {
    key.map(|key| Credential::new(&ORG_KEY, key.into())).into_iter().collect()
}
