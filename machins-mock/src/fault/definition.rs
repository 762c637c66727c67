//! What a fault does, and to which requests.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest that a `delay` or a `slow_body` may take: ten minutes.
pub const MAX_FAULT_DELAY: Duration = Duration::from_mins(10);

/// Something that goes wrong with the requests it matches.
///
/// Of several faults that match a request, the first one added that happens (see
/// [`probability`](Self::probability)) is the only one that takes effect. The mock's own routes
/// (`/_mock/…`, `/openapi.json`, `/docs`) are never hit.
///
/// ```
/// use machins_mock::Fault;
///
/// let fault = Fault::status(503).retry_after(2).method("POST").path("/api/v1/devices/*").times(1);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(
    description = "Something that goes wrong with the requests it matches. Of several that \
                          match, the first one added that happens is the only one."
)]
pub struct Fault {
    /// Which requests are hit.
    #[serde(rename = "match", default)]
    pub(super) matching: Matching,
    /// How many requests are hit before the fault is over; null for no end.
    #[serde(default)]
    pub(super) times: Option<u64>,
    /// How likely a matching request is hit, from 0 to 1.
    #[serde(default = "always")]
    pub(super) probability: f64,
    /// What happens.
    #[serde(flatten)]
    pub(crate) kind: Kind,
}

/// The requests that a fault hits: all that have what is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Matching {
    /// The HTTP method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    /// A glob over the path: `*` within a segment, `**` across segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Nothing is done, and this status is the reply.
    Status {
        /// From 200 to 599.
        status: u16,
        /// Text is sent as it is, anything else as JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
        /// The Retry-After header: seconds or an HTTP date.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
    },
    /// The request waits before it is done.
    Delay {
        /// How long, at most 600000.
        millis: u64,
    },
    /// The connection is closed and nothing is done.
    DropBefore,
    /// The request is done, then the connection is closed without a reply.
    DropAfter,
    /// The request is done and the connection closed in the middle of the reply's body.
    Truncate,
    /// The request is done and the reply's body replaced by something that is not JSON.
    Garbage,
    /// The request is done and the reply's body sent piece by piece.
    SlowBody {
        /// How long the whole body takes, at most 600000.
        #[serde(default = "slow_body_millis")]
        millis: u64,
    },
}

/// A Retry-After header.
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

    /// Nothing is done, and the reply has this status, from 200 to 599.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::new(Kind::Status { status, body: None, retry_after: None })
    }

    /// The request waits before it is done, at most [`MAX_FAULT_DELAY`].
    #[must_use]
    pub fn delay(delay: Duration) -> Self {
        Self::new(Kind::Delay { millis: millis(delay) })
    }

    /// The connection is closed and nothing is done.
    #[must_use]
    pub fn drop_before() -> Self {
        Self::new(Kind::DropBefore)
    }

    /// The request is done, then the connection is closed without a reply.
    #[must_use]
    pub fn drop_after() -> Self {
        Self::new(Kind::DropAfter)
    }

    /// The request is done and the connection closed in the middle of the reply's body.
    #[must_use]
    pub fn truncate() -> Self {
        Self::new(Kind::Truncate)
    }

    /// The request is done and the reply's body replaced by something that is not JSON.
    #[must_use]
    pub fn garbage() -> Self {
        Self::new(Kind::Garbage)
    }

    /// The request is done and the reply's body sent piece by piece over this long, at most
    /// [`MAX_FAULT_DELAY`].
    #[must_use]
    pub fn slow_body(over: Duration) -> Self {
        Self::new(Kind::SlowBody { millis: millis(over) })
    }

    /// Hits only requests with this method; every method by default.
    #[must_use]
    pub fn method(mut self, method: impl AsRef<str>) -> Self {
        self.matching.method = Some(method.as_ref().to_owned());
        self
    }

    /// Hits only requests whose path matches this glob (`*` within a segment, `**` across
    /// segments); every path by default.
    #[must_use]
    pub fn path(mut self, glob: impl Into<String>) -> Self {
        self.matching.path = Some(glob.into());
        self
    }

    /// Is over after it has hit this many requests; never by default.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Hits a matching request with this probability, from 0 to 1; always by default. The
    /// server's seed decides which ones.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// The body of a [`status`](Self::status) fault: a JSON string is sent as plain text, anything
    /// else as JSON. Other kinds have none.
    #[must_use]
    pub fn body(mut self, text: impl Into<Value>) -> Self {
        if let Kind::Status { body, .. } = &mut self.kind {
            *body = Some(text.into());
        }
        self
    }

    /// The `Retry-After` header of a [`status`](Self::status) fault: seconds or an HTTP date.
    /// Other kinds have none.
    #[must_use]
    pub fn retry_after(mut self, value: impl fmt::Display) -> Self {
        if let Kind::Status { retry_after, .. } = &mut self.kind {
            *retry_after = Some(RetryAfter::Text(value.to_string()));
        }
        self
    }

    /// The kind's name, as in JSON.
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
