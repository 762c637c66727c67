//! The options of a client: time limits, retries, reply size, user agent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "test-util")]
use crate::clock::MockClock;
use crate::clock::{Clock, SystemClock};
use crate::observer::{CallSummary, Observer};
use crate::pool::{ConnectSettings, HttpPool};
use crate::retry::{Budget, Policy};
#[cfg(feature = "test-util")]
use crate::script::Script;
use crate::total_timeout::TotalTimeout;
use crate::wire_message::{OnMessage, WireMessage};

/// The options of a client: time limits, retries, reply size, user agent.
///
/// | option | default |
/// |---|---|
/// | [`connect_timeout`](Self::connect_timeout) | 5 s |
/// | [`attempt_timeout`](Self::attempt_timeout) | 30 s |
/// | [`timeout`](Self::timeout) (all attempts and waits together) | 60 s |
/// | [`max_attempts`](Self::max_attempts) | 3 |
/// | [`retry_budget`](Self::retry_budget) | 10 retries, and one more for every 10 successes |
/// | [`max_reply_bytes`](Self::max_reply_bytes) | 8 MiB |
///
/// ```
/// use std::time::Duration;
/// use agent_client_core::ClientOptions;
///
/// let options = ClientOptions::new().timeout(Duration::from_secs(10)).max_attempts(2);
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientOptions {
    pub(crate) connect: ConnectSettings,
    pub(crate) retry: Policy,
    pub(crate) budget: Budget,
    pub(crate) max_reply_bytes: usize,
    pub(crate) user_agent: Option<String>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pool: Option<HttpPool>,
    pub(crate) observer: Option<Observer>,
    pub(crate) total_timeout: Option<TotalTimeout>,
    pub(crate) on_message: Option<OnMessage>,
    #[cfg(feature = "test-util")]
    pub(crate) script: Option<Script>,
}

/// See [`ClientOptions::pool`].
impl HttpPool {
    /// Creates a pool that connects as these options say: [`http`](ClientOptions::http) and
    /// [`connect_timeout`](ClientOptions::connect_timeout).
    #[must_use]
    pub fn new(options: &ClientOptions) -> Self {
        Self::with_settings(options.connect.clone())
    }
}

impl ClientOptions {
    /// Creates options with the default values.
    pub fn new() -> Self {
        Self {
            connect: ConnectSettings { timeout: Duration::from_secs(5), configure: None },
            retry: Policy::default(),
            budget: Budget::default(),
            max_reply_bytes: 8 * 1024 * 1024,
            user_agent: None,
            clock: Arc::new(SystemClock),
            pool: None,
            observer: None,
            total_timeout: None,
            on_message: None,
            #[cfg(feature = "test-util")]
            script: None,
        }
    }

    /// Creates options with the default values whose calls are answered by this script instead of a
    /// server, and whose waits take no time, for unit tests (feature `test-util`).
    #[cfg(feature = "test-util")]
    pub fn scripted(script: &Script) -> Self {
        let mut options = Self::new().clock(MockClock::new(0.5));
        options.script = Some(script.clone());
        options
    }

    /// Sets how long connecting may take.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect.timeout = limit;
        self
    }

    /// Sets how long one attempt may take, from connecting to the last byte of the reply.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.retry.attempt_timeout = limit;
        self
    }

    /// Sets how long a call may take in total: all attempts and the waits between them.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.retry.timeout = limit;
        self
    }

    /// Sets a time limit that this client's calls share with those of other clients.
    #[doc(hidden)]
    pub fn total_timeout(mut self, limit: &TotalTimeout) -> Self {
        self.total_timeout = Some(limit.clone());
        self
    }

    /// Sets how many times a call is sent at most. Zero counts as one.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.retry.max_attempts = attempts.max(1);
        self
    }

    /// Sets how many retries all calls of the client may make together: see [`Budget`].
    pub fn retry_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Sets how long the body of a reply may be, in bytes. A longer one is an error of kind
    /// [`ReplyTooLarge`](crate::ErrorKind::ReplyTooLarge).
    pub fn max_reply_bytes(mut self, bytes: usize) -> Self {
        self.max_reply_bytes = bytes;
        self
    }

    /// Sets the policy of retries: attempts, waits and time limits at once.
    pub fn retry(mut self, policy: Policy) -> Self {
        self.retry = policy;
        self.retry.max_attempts = self.retry.max_attempts.max(1);
        self
    }

    /// Sets a function that configures the HTTP client: proxies, certificates, a client identity,
    /// name resolution, a Unix socket, HTTP/2.
    ///
    /// The client's own rules are applied afterwards and cannot be undone: it follows no redirect,
    /// repeats nothing unseen, limits times and sizes, and uses no proxy for this machine. It does not
    /// decompress, and asks for no compression. Default headers are sent as they are, also an
    /// `Authorization`, and an `Accept-Encoding` makes replies unreadable.
    ///
    /// ```
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use agent_client_core::{ClientOptions, reqwest};
    ///
    /// let authority = reqwest::Certificate::from_pem(&std::fs::read("authority.pem")?)?;
    /// let options = ClientOptions::new()
    ///     .http(move |http| http.tls_certs_merge([authority.clone()]));
    /// # Ok(()) }
    /// ```
    pub fn http(
        mut self,
        configure: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.connect.configure = Some(Arc::new(configure));
        self
    }

    /// Sets the pool whose connections the client uses. How it connects
    /// ([`http`](Self::http), [`connect_timeout`](Self::connect_timeout)) is then up to the pool.
    pub fn pool(mut self, pool: HttpPool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Sets a function that is told about each call when it has ended, for metrics. It runs before
    /// the call returns, so it should be quick.
    ///
    /// A call that is dropped is reported too. One that could not be made, because its input is
    /// invalid, is not; nor is a call by which the client asks about the outcome of another.
    ///
    /// ```
    /// use agent_client_core::{CallSummary, ClientOptions};
    ///
    /// let options = ClientOptions::new().observer(|summary: &CallSummary| {
    ///     let CallSummary { operation, outcome, attempts, duration, .. } = summary;
    ///     println!("{operation} {outcome} after {attempts} attempts, {} ms", duration.as_millis());
    /// });
    /// ```
    pub fn observer(mut self, observer: impl Fn(&CallSummary) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Sets a function that is given each request before it is sent, and each reply.
    #[doc(hidden)]
    pub fn on_message(mut self, function: impl Fn(&WireMessage) + Send + Sync + 'static) -> Self {
        self.on_message = Some(Arc::new(function));
        self
    }

    /// Sets the `User-Agent` header. The default is the client crate's name and version.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Sets the `User-Agent` header if it has not been set.
    pub(crate) fn or_user_agent(mut self, user_agent: &str) -> Self {
        self.user_agent.get_or_insert_with(|| user_agent.to_owned());
        self
    }

    /// Sets the source of time and randomness for retries. Tests use a
    /// [`MockClock`](crate::MockClock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("connect_timeout", &self.connect.timeout)
            .field("retry", &self.retry)
            .field("retry_budget", &self.budget)
            .field("max_reply_bytes", &self.max_reply_bytes)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}
