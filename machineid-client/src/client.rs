//! The client: the API over a transport, and its builder.

use std::fmt;

use agent_client_core::{
    Async, BaseUrl, Call, CallOptions, ClientOptions, ConfigFile, Connection, Credential, Error,
    ErrorKind, Transport, variable,
};

use crate::auth::{ORG_KEY, OrgKey};

/// The base URL of MachineID's service.
pub const DEFAULT_BASE_URL: &str = "https://machineid.io";

const INSECURE_HTTP: &str = "MACHINEID_ALLOW_INSECURE_HTTP";
const USER_AGENT: &str = concat!("machineid-client/", env!("CARGO_PKG_VERSION"));

/// The MachineID API over a transport, with a method for each endpoint.
///
/// Use it as [`Client`] or, with the feature `blocking`, as `blocking::Client`. The
/// [front page](crate#manage-devices) lists the methods by subject.
///
/// A clone is one pointer, and all clones share connections, rate-limit pauses and retry budget.
///
/// # Signatures
///
/// A method that returns `T::Reply<Decision>` is an `async fn` of [`Client`] that returns
/// `Result<Decision, Error>`; `blocking::Client` returns that result itself.
///
/// A function over `Api<T>` serves both kinds of callers, and may make several calls:
///
/// ```
/// use machineid_client::{AndThen, Api, Decision, DeviceId, Transport};
///
/// fn register_and_validate<T: Transport>(api: &Api<T>, device: &DeviceId) -> T::Reply<Decision> {
///     let (next, asked) = (api.clone(), device.clone());
///     api.register(device).and_then(move |_registration| next.validate(&asked))
/// }
///
/// # test_support::machineid(async |client| {
/// let decision = register_and_validate(&client, &DeviceId::new("agent-01")?).await?;
/// assert!(decision.is_allowed());
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct Api<T> {
    transport: T,
}

/// The asynchronous client. Its calls must be awaited inside a tokio runtime.
///
/// ```
/// use machineid_client::DeviceId;
///
/// # test_support::machineid(async |client| {
/// let device = DeviceId::new("agent-01")?;
/// client.register(&device).await?;
/// let decision = client.validate(&device).await?;
/// if !decision.is_allowed() {
///     eprintln!("denied: {}", decision.code());
/// }
/// # Ok(()) });
/// ```
pub type Client = Api<Async>;

impl<T: Transport> Api<T> {
    pub(crate) fn over(transport: T) -> Self {
        Self { transport }
    }

    /// Sends any call, for an endpoint that this crate does not know yet. The call carries the org
    /// key only if it was passed through [`authenticate`](Self::authenticate).
    ///
    /// ```
    /// use machineid_client::Call;
    ///
    /// # test_support::machineid(async |client| {
    /// let call = Call::get("/api/v1/usage").json::<serde_json::Value>();
    /// let reply = client.send(client.authenticate(call)).await?;
    /// assert_eq!(reply["planTier"], "free");
    /// # Ok(()) });
    /// ```
    pub fn send<R: Send + 'static>(&self, call: Call<R>) -> T::Reply<R> {
        self.transport.send(call)
    }

    /// Returns the call with the client's org key, for [`send`](Self::send).
    pub fn authenticate<R>(&self, call: Call<R>) -> Call<R> {
        call.auth(&ORG_KEY)
    }

    /// Returns a client that shares everything with this one, and makes its calls with these options.
    ///
    /// ```
    /// use std::time::Duration;
    /// use machineid_client::CallOptions;
    ///
    /// # test_support::machineid(async |client| {
    /// let quick = CallOptions::new().timeout(Duration::from_secs(2)).max_attempts(1);
    /// let usage = client.with(quick).usage().await?;
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        Self::over(self.transport.with(options))
    }

    /// Returns a client for another org. It shares the connections with this one, so that a program
    /// can serve many orgs; rate-limit pauses and the retry budget are its own.
    #[must_use]
    pub fn with_org_key(&self, key: OrgKey) -> Self {
        Self::over(self.transport.with_credential(Credential::deferred(&ORG_KEY, key.into())))
    }

    /// Returns the transport that sends the calls.
    pub fn transport(&self) -> &T {
        &self.transport
    }
}

impl Client {
    /// Returns a builder to configure a client with.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Creates a client with the org key in the environment variable `MACHINEID_ORG_KEY` and, if it
    /// is set, the base URL in `MACHINEID_BASE_URL`.
    ///
    /// # Errors
    /// Returns an error in the same cases as [`ClientBuilder::from_env`] and
    /// [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build()
    }

    /// Creates a client with the org key and the base URL from the environment and, for what is not
    /// set there, from the config file: see [`ClientBuilder::from_config`].
    ///
    /// # Errors
    /// Returns an error in the same cases as [`ClientBuilder::from_config`] and
    /// [`ClientBuilder::build`].
    pub fn from_config() -> Result<Self, Error> {
        ClientBuilder::from_config()?.build()
    }

    /// Creates a client as [`from_config`](Self::from_config) does, with this profile of the config
    /// file: see [`ClientBuilder::from_profile`].
    ///
    /// # Errors
    /// Returns an error in the same cases as [`ClientBuilder::from_profile`] and
    /// [`ClientBuilder::build`].
    pub fn from_profile(name: &str) -> Result<Self, Error> {
        ClientBuilder::from_profile(name)?.build()
    }
}

impl<T: fmt::Debug> fmt::Debug for Api<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machineid_client::{:?}", self.transport)
    }
}

/// Configures and builds a client.
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
    org_key: Option<Credential>,
    connection: Connection,
}

impl ClientBuilder {
    /// Creates a builder with the org key in the environment variable `MACHINEID_ORG_KEY` and, if
    /// it is set, the base URL in `MACHINEID_BASE_URL`. `MACHINEID_ALLOW_INSECURE_HTTP=1` allows plain
    /// `http` to other machines.
    ///
    /// # Errors
    /// Returns [`ErrorKind::MissingCredential`] if `MACHINEID_ORG_KEY` is not set, and
    /// [`ErrorKind::InvalidInput`] if it is not a valid org key or one of the variables is not UTF-8.
    pub fn from_env() -> Result<Self, Error> {
        let missing = "MACHINEID_ORG_KEY is not set; get an org key at machineid.io and export it";
        Self::from_settings(
            variable("MACHINEID_ORG_KEY")?,
            variable("MACHINEID_BASE_URL")?,
            missing,
        )
    }

    /// Creates a builder from the environment, as [`from_env`](Self::from_env) does, and from the
    /// config file of the command line for what is not set there: `machineid.org_key` and
    /// `machineid.base_url` in `~/.machins/config.json`, or in the file that `MACHINS_CONFIG` names.
    /// `MACHINS_PROFILE` names a profile of the file to prefer.
    ///
    /// # Errors
    /// Returns [`ErrorKind::MissingCredential`] if there is no org key, and
    /// [`ErrorKind::InvalidInput`] if it is not valid, if one of the variables is not UTF-8, or if
    /// the file cannot be read, belongs to neither this user nor root, can be written to by others or
    /// has no such profile.
    pub fn from_config() -> Result<Self, Error> {
        Self::from_file(&ConfigFile::read(None)?)
    }

    /// Creates a builder as [`from_config`](Self::from_config) does, with this profile of the config
    /// file. As on the command line, the environment comes first, then the profile, then the top
    /// level of the file.
    ///
    /// # Errors
    /// Returns an error in the same cases as [`from_config`](Self::from_config).
    pub fn from_profile(name: &str) -> Result<Self, Error> {
        Self::from_file(&ConfigFile::read(Some(name))?)
    }

    fn from_file(file: &ConfigFile) -> Result<Self, Error> {
        let missing =
            "there is no org key in MACHINEID_ORG_KEY or the config file; get one at machineid.io";
        Self::from_settings(
            variable("MACHINEID_ORG_KEY")?.or_else(|| file.org_key()),
            variable("MACHINEID_BASE_URL")?.or_else(|| file.machineid_base_url()),
            missing,
        )
    }

    fn from_settings(
        key: Option<String>,
        url: Option<String>,
        missing: &str,
    ) -> Result<Self, Error> {
        let key = key.ok_or_else(|| Error::new(ErrorKind::MissingCredential, missing))?;
        let mut builder = Self::default().org_key(OrgKey::new(&key)?);
        builder.connection = builder.connection.allow_insecure_http_from_env(INSECURE_HTTP)?;
        Ok(match url {
            Some(url) => builder.base_url(url),
            None => builder,
        })
    }

    /// Sets the org key. Every endpoint but [`Api::create_org`] needs it.
    pub fn org_key(mut self, key: OrgKey) -> Self {
        self.org_key = Some(Credential::deferred(&ORG_KEY, key.into()));
        self
    }

    /// Sets a function that is asked for the org key before each attempt of a call, so that the key
    /// can change while the program runs.
    ///
    /// ```
    /// use machineid_client::{Client, OrgKey};
    ///
    /// # fn main() -> Result<(), machineid_client::Error> {
    /// # fn read_vault() -> String { "org_from_the_vault".to_owned() }
    /// let client = Client::builder().org_key_from(|| OrgKey::new(&read_vault())).build()?;
    /// # Ok(()) }
    /// ```
    pub fn org_key_from(
        mut self,
        key: impl Fn() -> Result<OrgKey, Error> + Send + Sync + 'static,
    ) -> Self {
        self.org_key = Some(Credential::from_function(&ORG_KEY, move || key().map(OrgKey::into)));
        self
    }

    /// Sets the base URL, for example that of a mock server. The default is [`DEFAULT_BASE_URL`].
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.connection = self.connection.base_url(url);
        self
    }

    /// Sets whether plain `http` to other machines is allowed, which exposes the org key. The
    /// default is `false`.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.connection = self.connection.allow_insecure_http(allow);
        self
    }

    /// Sets the options of the client: time limits, retries, reply size, user agent.
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
        let credentials = self.org_key.into_iter().collect();
        let (base_url, options) = self.connection.resolve(DEFAULT_BASE_URL, USER_AGENT)?;
        Ok(Api::over(connect(base_url, credentials, options)?))
    }
}
