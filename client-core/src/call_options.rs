//! What a caller changes for some of its calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Error, ErrorKind};
use crate::reply::Reply;

/// Headers that the client sets itself, or that would change where a request or its reply ends.
const RESERVED: [&str; 14] = [
    "accept",
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// What is different for some calls of a client: give them to the client's `with`.
///
/// Everything else stays as the client's [`ClientOptions`](crate::ClientOptions) say.
///
/// ```
/// use std::time::Duration;
/// use agent_client_core::CallOptions;
///
/// let quick = CallOptions::new().timeout(Duration::from_secs(2)).max_attempts(1);
/// let traced = CallOptions::new().header("x-correlation-id", "job-17");
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct CallOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) headers: HeaderMap,
    pub(crate) invalid: Option<Error>,
    pub(crate) on_reply: Option<Arc<OnReply>>,
}

type OnReply = dyn Fn(&Reply) + Send + Sync;

impl CallOptions {
    /// Creates options that change nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long a call may take in total: all attempts and the waits between them.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Sets how many times a call is sent at most. Zero counts as one.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts.max(1));
        self
    }

    /// Adds a header to each request. With a malformed name or value, or a name that the client sets
    /// itself or a key is sent under, calls return
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) and nothing is sent.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match parse(name, value) {
            Ok((name, value)) => {
                self.headers.insert(name, value);
            }
            Err(error) => self.invalid = Some(error),
        }
        self
    }

    /// Sets a function that is given each reply before it is decoded, for example to read a
    /// [header](Reply::headers).
    ///
    /// ```
    /// use agent_client_core::CallOptions;
    ///
    /// let options = CallOptions::new().on_reply(|reply| {
    ///     if let Some(left) = reply.headers().get("x-ratelimit-remaining") {
    ///         println!("{left:?} calls are left");
    ///     }
    /// });
    /// ```
    pub fn on_reply(mut self, function: impl Fn(&Reply) + Send + Sync + 'static) -> Self {
        self.on_reply = Some(Arc::new(function));
        self
    }
}

fn parse(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let refuse = |why: &str| {
        let name = name.escape_debug();
        Error::new(ErrorKind::InvalidInput, format!("the header {name} cannot be set: {why}"))
    };
    let Ok(parsed) = name.parse::<HeaderName>() else {
        return Err(refuse("its name is malformed"));
    };
    if RESERVED.contains(&parsed.as_str()) {
        return Err(refuse("the client sets it itself"));
    }
    let value = value.parse().map_err(|_| refuse("its value is malformed"))?;
    Ok((parsed, value))
}

impl fmt::Debug for CallOptions {
    /// Shows only the names of the headers, because a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOptions")
            .field("timeout", &self.timeout)
            .field("max_attempts", &self.max_attempts)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
