//! The options of a client: time limits, retries, reply size, user agent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::retry::{Budget, Policy};

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
    pub(crate) connect_timeout: Duration,
    pub(crate) retry: Policy,
    pub(crate) budget: Budget,
    pub(crate) max_reply_bytes: usize,
    pub(crate) user_agent: Option<String>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl ClientOptions {
    /// Creates options with the default values.
    pub fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            retry: Policy::default(),
            budget: Budget::default(),
            max_reply_bytes: 8 * 1024 * 1024,
            user_agent: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Sets how long connecting may take.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
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
            .field("connect_timeout", &self.connect_timeout)
            .field("retry", &self.retry)
            .field("retry_budget", &self.budget)
            .field("max_reply_bytes", &self.max_reply_bytes)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}
