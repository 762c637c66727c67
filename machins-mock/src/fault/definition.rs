//! The definition of a fault: what it does, and to which requests.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::conditions::Conditions;
use crate::raw_json::RawJson;

/// The longest time that a `delay` or a `slow_body` fault may take: ten minutes.
pub const MAX_FAULT_DELAY: Duration = Duration::from_secs(10 * 60);

/// A failure of the requests, or of the webhooks, that it matches.
///
/// If several faults match one, the one that was added first takes effect; one that does not
/// happen because of its [`probability`](Self::probability) is skipped. The mock's own routes
/// (`/_mock/…`, `/openapi.json`, `/docs`) are never hit.
///
/// ```
/// use machins_mock::Fault;
///
/// let fault = Fault::status(503).retry_after(2).method("POST").path("/api/v1/devices/*").times(1);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(
    description = "A failure of the requests or webhooks that it matches. If several faults match \
                   one, the one that was added first takes effect.",
    example = serde_json::json!({
        "match": {"method": "POST", "path": "/api/v1/devices/*"},
        "kind": "status", "status": 503, "retry_after": 2, "times": 1,
    })
)]
pub struct Fault {
    /// The requests or webhooks that the fault hits; every one by default.
    #[serde(rename = "match", default)]
    pub(super) conditions: Conditions,
    /// Whether the fault hits requests to the server or webhooks from it.
    #[serde(default)]
    pub(crate) on: Target,
    /// The number of matching requests or webhooks that are let through before the first hit.
    #[serde(default)]
    pub(super) after: u64,
    /// The number of hits after which the fault ends; null if it does not end.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(super) times: Option<u64>,
    /// The probability with which a match is hit, from 0 to 1.
    #[serde(default = "always")]
    #[schemars(range(min = 0, max = 1))]
    pub(super) probability: f64,
    /// What happens.
    #[serde(flatten)]
    pub(crate) kind: Kind,
}

/// What a fault hits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Target {
    #[default]
    Request,
    Webhook,
}

/// A fault as it is read: the fields of every kind side by side, because JSON that is kept as text
/// cannot be read from the fields of an alternative.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "match", default)]
    conditions: Conditions,
    #[serde(default)]
    on: Target,
    #[serde(default)]
    after: u64,
    #[serde(default)]
    times: Option<u64>,
    #[serde(default = "always")]
    probability: f64,
    kind: Name,
    status: Option<u16>,
    body: Option<RawJson>,
    retry_after: Option<RetryAfter>,
    millis: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    Status,
    Delay,
    DropBefore,
    DropAfter,
    Truncate,
    Garbage,
    SlowBody,
    Duplicate,
    Drop,
    Reorder,
    BadSignature,
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        let Fields { status, body, retry_after, millis, .. } = fields;
        let kind = match fields.kind {
            Name::Status => {
                let status = status.ok_or_else(|| D::Error::missing_field("status"))?;
                Kind::Status { status, body, retry_after }
            }
            Name::Delay => {
                Kind::Delay { millis: millis.ok_or_else(|| D::Error::missing_field("millis"))? }
            }
            Name::DropBefore => Kind::DropBefore,
            Name::DropAfter => Kind::DropAfter,
            Name::Truncate => Kind::Truncate,
            Name::Garbage => Kind::Garbage,
            Name::SlowBody => Kind::SlowBody { millis: millis.unwrap_or_else(slow_body_millis) },
            Name::Duplicate => Kind::Duplicate,
            Name::Drop => Kind::Drop,
            Name::Reorder => Kind::Reorder { millis: millis.unwrap_or_else(reorder_millis) },
            Name::BadSignature => Kind::BadSignature,
        };
        let Fields { conditions, on, after, times, probability, .. } = fields;
        Ok(Self { conditions, on, after, times, probability, kind })
    }
}

/// The kind of failure.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The request is not executed, and is answered with this status.
    Status {
        /// The status, from 200 to 599.
        status: u16,
        /// The body, at most 64 KiB: a string is sent as plain text, any other value as JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<RawJson>,
        /// The Retry-After header, in seconds or as an HTTP date.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
    },
    /// The execution of the request, or the webhook, is delayed.
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
    /// The webhook is posted twice.
    Duplicate,
    /// The webhook is not posted.
    Drop,
    /// The webhook is posted after the next one of the same subscription.
    Reorder {
        /// How long the next one is waited for in milliseconds, at most 600000.
        #[serde(default = "reorder_millis")]
        millis: u64,
    },
    /// The webhook is posted with a signature that is wrong.
    BadSignature,
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

const fn reorder_millis() -> u64 {
    1000
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self {
            conditions: Conditions::default(),
            on: Target::Request,
            after: 0,
            times: None,
            probability: always(),
            kind,
        }
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

    fn on_webhooks(kind: Kind) -> Self {
        Self { on: Target::Webhook, ..Self::new(kind) }
    }

    /// Creates a fault that posts a webhook twice.
    #[must_use]
    pub fn duplicate_webhook() -> Self {
        Self::on_webhooks(Kind::Duplicate)
    }

    /// Creates a fault that delays a webhook, and those of the same subscription behind it, by at
    /// most [`MAX_FAULT_DELAY`].
    #[must_use]
    pub fn delay_webhook(delay: Duration) -> Self {
        Self::on_webhooks(Kind::Delay { millis: millis(delay) })
    }

    /// Creates a fault that does not post a webhook.
    #[must_use]
    pub fn drop_webhook() -> Self {
        Self::on_webhooks(Kind::Drop)
    }

    /// Creates a fault that posts a webhook after the next one of the same subscription, or after a
    /// second if none follows.
    #[must_use]
    pub fn reorder_webhook() -> Self {
        Self::on_webhooks(Kind::Reorder { millis: reorder_millis() })
    }

    /// Creates a fault that posts a webhook with a signature that is wrong.
    #[must_use]
    pub fn bad_webhook_signature() -> Self {
        Self::on_webhooks(Kind::BadSignature)
    }

    /// Limits the fault to requests or webhooks that meet these conditions, instead of those set
    /// before.
    #[must_use]
    pub fn matching(mut self, conditions: Conditions) -> Self {
        self.conditions = conditions;
        self
    }

    /// Limits the fault to requests with this method. The default is every method.
    #[must_use]
    pub fn method(mut self, method: impl AsRef<str>) -> Self {
        self.conditions = self.conditions.method(method);
        self
    }

    /// Limits the fault to the agent with this slug: to its requests, or to webhooks for it.
    #[must_use]
    pub fn agent(mut self, slug: impl Into<String>) -> Self {
        self.conditions = self.conditions.agent(slug);
        self
    }

    /// Limits the fault to requests about this device.
    #[must_use]
    pub fn device(mut self, id: impl Into<String>) -> Self {
        self.conditions = self.conditions.device(id);
        self
    }

    /// Lets this many matching requests or webhooks through before the first hit. The default is 0.
    #[must_use]
    pub fn after(mut self, matches: u64) -> Self {
        self.after = matches;
        self
    }

    /// Limits the fault to requests whose path matches this glob. The default is every path.
    ///
    /// The glob is for the whole path, without the query: `/api/v1/trades`, not `/trades`. In a world
    /// of its own, the path begins after `/_world/NAME`.
    ///
    /// `*` matches any text within a segment, a segment `**` matches any number of segments, and
    /// `{a,b}` matches either alternative: `/api/v1/devices/{list,validate}`. Other wildcards are
    /// refused.
    #[must_use]
    pub fn path(mut self, glob: impl Into<String>) -> Self {
        self.conditions = self.conditions.path(glob);
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
            *body = Some(RawJson::new(&text.into()));
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
    /// `drop_after`, `truncate`, `garbage` or `slow_body`; for webhooks `duplicate`, `delay`,
    /// `drop`, `reorder` or `bad_signature`.
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
            Kind::Duplicate => "duplicate",
            Kind::Drop => "drop",
            Kind::Reorder { .. } => "reorder",
            Kind::BadSignature => "bad_signature",
        }
    }
}
