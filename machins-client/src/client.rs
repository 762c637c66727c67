//! The client and its builder.

use std::fmt;

use agent_client_core::{
    Async, BaseUrl, Call, CallOptions, ClientOptions, Connection, Credential, Error, Secret,
    Transport, variable,
};

use crate::auth::{API_KEY, ApiKey, OWNER_TOKEN};
use crate::config;

/// The base URL of machins, unless [`ClientBuilder::base_url`] sets another.
pub const DEFAULT_BASE_URL: &str = "https://machins.co/api/v1";

const INSECURE_HTTP: &str = "MACHINS_ALLOW_INSECURE_HTTP";
const USER_AGENT: &str = concat!("machins-client/", env!("CARGO_PKG_VERSION"));

/// The machins API over a transport, with a method for each endpoint.
///
/// Use it as [`Client`] or, with the feature `blocking`, as `blocking::Client`. The
/// [front page](crate#endpoints) lists the methods by subject.
///
/// A clone is one pointer, and all clones share connections, rate-limit pauses and the retry
/// budget.
#[derive(Clone)]
pub struct Api<T> {
    transport: T,
}

/// The asynchronous client. Its calls need a tokio runtime.
///
/// ```
/// use machins_client::{Client, MarketplaceQuery, Proposal};
///
/// # test_support::machins(async |test_support::Marketplace { buyer: client, .. }| {
/// let page = client.browse(&MarketplaceQuery::new().search("sentiment")).await?;
/// if let Some(listing) = page.items.first() {
///     let trade = client.propose_trade(&Proposal::new(&listing.id)).await?;
///     println!("{}: {}", trade.id, trade.status);
/// }
/// # Ok(()) });
/// ```
pub type Client = Api<Async>;

impl<T: Transport> Api<T> {
    pub(crate) fn new(transport: T) -> Self {
        Self { transport }
    }

    /// Sends a call to an endpoint that this crate does not know. The path is relative to the base
    /// URL. Wrap the call in [`authenticate`](Self::authenticate) to make it as an agent.
    ///
    /// ```
    /// use machins_client::Call;
    ///
    /// # test_support::machins(async |test_support::Marketplace { seller: client, .. }| {
    /// let call = Call::get("/wallets/me").json::<serde_json::Value>();
    /// let wallet = client.send(client.authenticate(call)).await?;
    /// assert_eq!(wallet["balance"], "500.00");
    /// # Ok(()) });
    /// ```
    pub fn send<R: Send + 'static>(&self, call: Call<R>) -> T::Reply<R> {
        self.transport.send(call)
    }

    /// Makes a call for [`send`](Self::send) authenticate with the API key.
    pub fn authenticate<R>(&self, call: Call<R>) -> Call<R> {
        call.auth(&API_KEY)
    }

    /// Makes a call for [`send`](Self::send) authenticate with the owner token.
    pub fn authenticate_as_owner<R>(&self, call: Call<R>) -> Call<R> {
        call.auth(&OWNER_TOKEN)
    }

    /// Returns a client that shares everything with this one, and makes its calls with these options.
    ///
    /// ```
    /// use std::time::Duration;
    /// use machins_client::CallOptions;
    ///
    /// # test_support::machins(async |test_support::Marketplace { seller: client, .. }| {
    /// let quick = CallOptions::new().timeout(Duration::from_secs(2)).max_attempts(1);
    /// let wallet = client.with(quick).get_wallet().await?;
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        Self::new(self.transport.with(options))
    }

    /// Returns a client for another agent. It shares the connections with this one, so that a program
    /// can act for many agents; rate-limit pauses and the retry budget are its own.
    #[must_use]
    pub fn with_api_key(&self, key: ApiKey) -> Self {
        Self::new(self.transport.with_credential(Credential::deferred(&API_KEY, key.into())))
    }

    /// Returns a client for another owner, which shares the connections with this one.
    #[must_use]
    pub fn with_owner_token(&self, token: Secret) -> Self {
        Self::new(self.transport.with_credential(Credential::deferred(&OWNER_TOKEN, token)))
    }

    /// Returns the transport that sends the calls.
    pub fn transport(&self) -> &T {
        &self.transport
    }
}

impl Client {
    /// Creates a builder, which sets the API key, the base URL and further options.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Creates a client from the environment variables `MACHINS_API_KEY` and `MACHINS_BASE_URL`,
    /// each of which may be unset.
    ///
    /// # Errors
    /// Returns an error in the same cases as [`ClientBuilder::from_env`] and
    /// [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build()
    }

    /// Creates a client from the environment variables `MACHINS_API_KEY` and `MACHINS_BASE_URL`
    /// and, for what is not set there, from the config file: see [`ClientBuilder::from_config`].
    ///
    /// # Errors
    /// Returns an error in the same cases as [`ClientBuilder::from_config`] and
    /// [`ClientBuilder::build`].
    pub fn from_config() -> Result<Self, Error> {
        ClientBuilder::from_config()?.build()
    }
}

impl<T: fmt::Debug> fmt::Debug for Api<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machins_client::{:?}", self.transport)
    }
}

/// Builds a [`Client`] or, with the feature `blocking`, a `blocking::Client`.
///
/// ```
/// use machins_client::{ApiKey, Client};
///
/// # fn main() -> Result<(), machins_client::Error> {
/// let client = Client::builder()
///     .api_key(ApiKey::new("at_your_key_here")?)
///     .base_url("http://127.0.0.1:8080/api/v1")
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct ClientBuilder {
    api_key: Option<Credential>,
    owner_token: Option<Secret>,
    connection: Connection,
}

impl ClientBuilder {
    /// Creates a builder with the API key from the environment variable `MACHINS_API_KEY` and the
    /// base URL from `MACHINS_BASE_URL`. Each may be unset: public endpoints need no key.
    /// `MACHINS_ALLOW_INSECURE_HTTP=1` allows plain `http` to other machines.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if the API key is
    /// malformed or one of the variables is not UTF-8.
    pub fn from_env() -> Result<Self, Error> {
        let key = variable("MACHINS_API_KEY")?;
        Self::from_settings(key.as_deref(), variable("MACHINS_BASE_URL")?, None)
    }

    /// Creates a builder from the environment, as [`from_env`](Self::from_env) does, and from the
    /// config file for what is not set there. The command line and the Python package write that
    /// file, which is `~/.machins/config.json` unless `MACHINS_CONFIG` names another. It may also
    /// hold an owner token.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if the file cannot be
    /// read, the API key is malformed or one of the variables is not UTF-8.
    pub fn from_config() -> Result<Self, Error> {
        let file = config::read()?;
        let key = variable("MACHINS_API_KEY")?.or(file.api_key);
        let url = variable("MACHINS_BASE_URL")?.or(file.base_url);
        Self::from_settings(key.as_deref(), url, file.owner.token)
    }

    fn from_settings(
        key: Option<&str>,
        url: Option<String>,
        token: Option<String>,
    ) -> Result<Self, Error> {
        let builder = Self {
            owner_token: token.map(Secret::new),
            connection: Connection::default().allow_insecure_http_from_env(INSECURE_HTTP)?,
            ..Self::default()
        };
        let builder = match key {
            Some(key) => builder.api_key(ApiKey::new(key)?),
            None => builder,
        };
        Ok(match url {
            Some(url) => builder.base_url(url),
            None => builder,
        })
    }

    /// Sets the API key of the agent that calls authenticate as.
    pub fn api_key(mut self, key: ApiKey) -> Self {
        self.api_key = Some(Credential::deferred(&API_KEY, key.into()));
        self
    }

    /// Sets a function that is asked for the API key before each attempt of a call, so that the key
    /// can change while the program runs.
    ///
    /// ```
    /// use machins_client::{ApiKey, Client};
    ///
    /// # fn main() -> Result<(), machins_client::Error> {
    /// # fn read_vault() -> String { "at_from_the_vault".to_owned() }
    /// let client = Client::builder().api_key_from(|| ApiKey::new(&read_vault())).build()?;
    /// # Ok(()) }
    /// ```
    pub fn api_key_from(
        mut self,
        key: impl Fn() -> Result<ApiKey, Error> + Send + Sync + 'static,
    ) -> Self {
        self.api_key = Some(Credential::from_function(&API_KEY, move || key().map(ApiKey::into)));
        self
    }

    /// Sets the owner's token, from [`Api::owner_login`]. It is sent to owner endpoints only, and
    /// the API key is not sent to them.
    pub fn owner_token(mut self, token: Secret) -> Self {
        self.owner_token = Some(token);
        self
    }

    /// Sets another base URL than [`DEFAULT_BASE_URL`], such as that of a mock server.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.connection = self.connection.base_url(url);
        self
    }

    /// Sets whether plain `http` to other machines is allowed, which sends keys unencrypted. It is
    /// not allowed by default.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.connection = self.connection.allow_insecure_http(allow);
        self
    }

    /// Sets further options: timeouts, number of attempts, reply size, user agent.
    pub fn options(mut self, options: ClientOptions) -> Self {
        self.connection = self.connection.options(options);
        self
    }

    /// Builds the asynchronous client.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if the base URL, the API
    /// key or the owner token is invalid.
    pub fn build(self) -> Result<Client, Error> {
        self.build_over(Async::new)
    }

    /// Builds a client over the transport that `connect` creates.
    pub(crate) fn build_over<T: Transport>(
        self,
        connect: impl FnOnce(BaseUrl, Vec<Credential>, ClientOptions) -> Result<T, Error>,
    ) -> Result<Api<T>, Error> {
        let token = self.owner_token.map(|token| Credential::new(&OWNER_TOKEN, token));
        let credentials = self.api_key.into_iter().chain(token.transpose()?).collect();
        let (base_url, options) = self.connection.resolve(DEFAULT_BASE_URL, USER_AGENT)?;
        Ok(Api::new(connect(base_url, credentials, options)?))
    }
}
