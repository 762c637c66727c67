//! The definition of a fault: what it does, and to which requests.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest time that a `delay` or a `slow_body` fault may take: ten minutes.
pub const MAX_FAULT_DELAY: Duration = Duration::from_mins(10);

/// A failure of the requests that it matches.
///
/// If several faults match a request, the one that was added first takes effect; one that does not
/// happen because of its [`probability`](Self::probability) is skipped. The mock's own routes
/// (`/_mock/…`, `/openapi.json`, `/docs`) are never hit.
///
/// ```
/// use machins_mock::Fault;
///
/// let fault = Fault::status(503).retry_after(2).method("POST").path("/api/v1/devices/*").times(1);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(
    description = "A failure of the requests that it matches. If several faults match a request, \
                   the one that was added first takes effect."
)]
pub struct Fault {
    /// The requests that the fault hits; every request by default.
    #[serde(rename = "match", default)]
    pub(super) matching: Matching,
    /// The number of requests that are hit before the fault ends; null if it does not end.
    #[serde(default)]
    pub(super) times: Option<u64>,
    /// The probability with which a matching request is hit, from 0 to 1.
    #[serde(default = "always")]
    pub(super) probability: f64,
    /// What happens to the request.
    #[serde(flatten)]
    pub(crate) kind: Kind,
}

/// The requests that a fault hits: those that match all given conditions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Matching {
    /// The HTTP method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    /// A glob over the path: `*` matches within a segment, `**` across segments, and `{a,b}`
    /// either alternative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
}

/// The kind of failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The request is not executed, and is answered with this status.
    Status {
        /// The status, from 200 to 599.
        status: u16,
        /// The body: a string is sent as plain text, any other value as JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
        /// The Retry-After header, in seconds or as an HTTP date.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
    },
    /// The execution of the request is delayed.
    Delay {
        /// The delay in milliseconds, at most 600000.
        millis: u64,
    },
    /// The connection is closed, and the request is not executed.
    DropBefore,
    /// The request is executed, then the connection is closed without a reply.
    DropAfter,
    /// The request is executed, and the connection is closed in the middle of the reply's body.
    Truncate,
    /// The request is executed, and the reply's body is replaced with bytes that are not JSON.
    Garbage,
    /// The request is executed, and the reply's body is sent piece by piece.
    SlowBody {
        /// The time that the whole body takes in milliseconds, at most 600000.
        #[serde(default = "slow_body_millis")]
        millis: u64,
    },
}

/// The value of a Retry-After header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RetryAfter {
    Seconds(u64),
    Text(String),
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => seconds.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

const fn always() -> f64 {
    1.0
}

const fn slow_body_millis() -> u64 {
    5000
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self { matching: Matching::default(), times: None, probability: always(), kind }
    }

    /// Creates a fault that answers with this status, from 200 to 599; the request is not executed.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::new(Kind::Status { status, body: None, retry_after: None })
    }

    /// Creates a fault that delays the execution of a request, by at most [`MAX_FAULT_DELAY`].
    #[must_use]
    pub fn delay(delay: Duration) -> Self {
        Self::new(Kind::Delay { millis: millis(delay) })
    }

    /// Creates a fault that closes the connection; the request is not executed.
    #[must_use]
    pub fn drop_before() -> Self {
        Self::new(Kind::DropBefore)
    }

    /// Creates a fault that executes the request and then closes the connection without a reply.
    #[must_use]
    pub fn drop_after() -> Self {
        Self::new(Kind::DropAfter)
    }

    /// Creates a fault that executes the request and closes the connection in the middle of the
    /// reply's body.
    #[must_use]
    pub fn truncate() -> Self {
        Self::new(Kind::Truncate)
    }

    /// Creates a fault that executes the request and replaces the reply's body with bytes that are
    /// not JSON.
    #[must_use]
    pub fn garbage() -> Self {
        Self::new(Kind::Garbage)
    }

    /// Creates a fault that executes the request and sends the reply's body piece by piece. The
    /// whole body takes the time `over`, at most [`MAX_FAULT_DELAY`].
    #[must_use]
    pub fn slow_body(over: Duration) -> Self {
        Self::new(Kind::SlowBody { millis: millis(over) })
    }

    /// Limits the fault to requests with this method. The default is every method.
    #[must_use]
    pub fn method(mut self, method: impl AsRef<str>) -> Self {
        self.matching.method = Some(method.as_ref().to_owned());
        self
    }

    /// Limits the fault to requests whose path matches this glob. The default is every path.
    ///
    /// `*` matches any text within a segment, a segment `**` matches any number of segments, and
    /// `{a,b}` matches either alternative: `/api/v1/devices/{list,validate}`. Other wildcards are
    /// refused.
    #[must_use]
    pub fn path(mut self, glob: impl Into<String>) -> Self {
        self.matching.path = Some(glob.into());
        self
    }

    /// Ends the fault after it has hit this many requests. By default it does not end.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Sets the probability with which a matching request is hit, from 0 to 1; the server's seed
    /// decides which ones are. The default is 1.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// Sets the body of a [`status`](Self::status) fault: a JSON string is sent as plain text, any
    /// other value as JSON. It has no effect on other faults.
    #[must_use]
    pub fn body(mut self, text: impl Into<Value>) -> Self {
        if let Kind::Status { body, .. } = &mut self.kind {
            *body = Some(text.into());
        }
        self
    }

    /// Sets the `Retry-After` header of a [`status`](Self::status) fault, in seconds or as an HTTP
    /// date. It has no effect on other faults.
    #[must_use]
    pub fn retry_after(mut self, value: impl fmt::Display) -> Self {
        if let Kind::Status { retry_after, .. } = &mut self.kind {
            *retry_after = Some(RetryAfter::Text(value.to_string()));
        }
        self
    }

    /// Returns the name of the kind of fault, as in JSON: `status`, `delay`, `drop_before`,
    /// `drop_after`, `truncate`, `garbage` or `slow_body`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Status { .. } => "status",
            Kind::Delay { .. } => "delay",
            Kind::DropBefore => "drop_before",
            Kind::DropAfter => "drop_after",
            Kind::Truncate => "truncate",
            Kind::Garbage => "garbage",
            Kind::SlowBody { .. } => "slow_body",
        }
    }
}
