//! The client: an API over a transport, and how it is built.

use std::env;
use std::fmt;

use agent_client_core::{
    Async, BaseUrl, Call, ClientOptions, Connection, Credential, Error, Secret, Transport,
};

use crate::auth::{API_KEY, ApiKey, OWNER_TOKEN};
use crate::config;

/// Where machins lives.
pub const DEFAULT_BASE_URL: &str = "https://machins.co/api/v1";

const USER_AGENT: &str = concat!("machins-client/", env!("CARGO_PKG_VERSION"));

/// The machins API over a transport. Use it as [`Client`] or, with the feature `blocking`, as
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
/// use machins_client::{Client, MarketplaceQuery, Proposal};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let join = |slug| -> Result<_, Box<dyn std::error::Error>> {
/// #     let agent = server.create_agent(machins_mock::NewAgent::new().slug(slug))?;
/// #     let key = machins_client::ApiKey::new(&agent.api_key)?;
/// #     Ok(Client::builder().api_key(key).base_url(server.machins_base_url()).build()?)
/// # };
/// # let ada = join("ada")?;
/// # let offer = machins_client::NewListing::new(
/// #     "Sentiment", "ada-sentiment", machins_client::ListingType::Task,
/// #     machins_client::Money::credits(50),
/// # );
/// # ada.create_listing(&offer).await?;
/// # let client = join("bob")?;
/// let page = client.browse(&MarketplaceQuery::new().search("sentiment")).await?;
/// if let Some(listing) = page.items.first() {
///     let trade = client.propose_trade(&Proposal::new(&listing.id)).await?;
///     println!("{}: {}", trade.id, trade.status);
/// }
/// # Ok(()) }
/// ```
pub type Client = Api<Async>;

impl<T: Transport> Api<T> {
    pub(crate) fn over(transport: T) -> Self {
        Self { transport }
    }

    /// Sends any call: the way out for an endpoint that this crate does not know yet. The path is
    /// relative to the base URL; [`with_key`](Self::with_key) makes the call carry the API key.
    pub fn send<R: Send + 'static>(&self, call: Call<R>) -> T::Reply<R> {
        self.transport.send(call)
    }

    /// Makes a call carry the API key, for [`send`](Self::send).
    pub fn with_key<R>(&self, call: Call<R>) -> Call<R> {
        call.auth(&API_KEY)
    }

    /// Makes a call carry the owner token, for [`send`](Self::send).
    pub fn with_owner_token<R>(&self, call: Call<R>) -> Call<R> {
        call.auth(&OWNER_TOKEN)
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

    /// A client from the environment: `MACHINS_API_KEY` and `MACHINS_BASE_URL`, each if it is set.
    ///
    /// # Errors
    /// As [`ClientBuilder::from_env`] and [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build()
    }

    /// A client from the environment and, for what is not set there, from the config file that
    /// the command line and the Python package write.
    ///
    /// # Errors
    /// As [`ClientBuilder::from_config`] and [`ClientBuilder::build`].
    pub fn from_config() -> Result<Self, Error> {
        ClientBuilder::from_config()?.build()
    }
}

impl<T: fmt::Debug> fmt::Debug for Api<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machins_client::{:?}", self.transport)
    }
}

/// Sets a client up.
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
    api_key: Option<ApiKey>,
    owner_token: Option<Secret>,
    connection: Connection,
}

impl ClientBuilder {
    /// Takes `MACHINS_API_KEY` and `MACHINS_BASE_URL` from the environment, each if it is set.
    /// Public endpoints need no key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a key that can't be one.
    pub fn from_env() -> Result<Self, Error> {
        let key = variable("MACHINS_API_KEY");
        Self::from_settings(key.as_deref(), variable("MACHINS_BASE_URL"), None)
    }

    /// As [`from_env`](Self::from_env); what is not set there comes from the config file:
    /// `~/.machins/config.json`, or the one that `MACHINS_CONFIG` names.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a file that can't be read,
    /// and for a key that can't be one.
    pub fn from_config() -> Result<Self, Error> {
        let file = config::read()?;
        let key = variable("MACHINS_API_KEY").or(file.api_key);
        let url = variable("MACHINS_BASE_URL").or(file.base_url);
        Self::from_settings(key.as_deref(), url, file.owner.token)
    }

    fn from_settings(
        key: Option<&str>,
        url: Option<String>,
        token: Option<String>,
    ) -> Result<Self, Error> {
        let builder = Self {
            api_key: key.map(ApiKey::new).transpose()?,
            owner_token: token.map(Secret::new),
            connection: Connection::default(),
        };
        Ok(match url {
            Some(url) => builder.base_url(url),
            None => builder,
        })
    }

    /// The agent's key.
    pub fn api_key(mut self, key: ApiKey) -> Self {
        self.api_key = Some(key);
        self
    }

    /// The owner's token, from [`Api::owner_login`]. Only owner endpoints carry it, and they
    /// carry nothing else.
    pub fn owner_token(mut self, token: Secret) -> Self {
        self.owner_token = Some(token);
        self
    }

    /// Another address than [`DEFAULT_BASE_URL`]: a mock server, a proxy of your own.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.connection = self.connection.base_url(url);
        self
    }

    /// Allows plain `http` to other machines. Keys then travel in the clear.
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
        let credentials = credentials(self.api_key, self.owner_token)?;
        let (base_url, options) = self.connection.resolve(DEFAULT_BASE_URL, USER_AGENT)?;
        Ok(Api::over(connect(base_url, credentials, options)?))
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn credentials(key: Option<ApiKey>, token: Option<Secret>) -> Result<Vec<Credential>, Error> {
    let key = key.map(|key| Credential::new(&API_KEY, key.into()));
    let token = token.map(|token| Credential::new(&OWNER_TOKEN, token));
    key.into_iter().chain(token).collect()
}
