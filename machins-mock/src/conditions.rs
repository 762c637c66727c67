//! Conditions on requests and webhooks: which ones a fault hits, and which ones are waited for.

use std::collections::BTreeMap;
use std::fmt;

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::glob::{Glob, InvalidGlob};
use crate::mask::{mask_json, mask_value};
use crate::raw_json::{RawJson, depth};

/// The maximum size of the JSON that a body is compared with, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// How deep the JSON that a body is compared with may be nested.
const MAX_DEPTH: usize = 64;

/// Conditions on a request or on a webhook, all of which must be met. Without any, every one
/// matches.
///
/// ```
/// use machins_mock::Conditions;
///
/// let accepted = Conditions::new().method("POST").path("/api/v1/trades/*/accept").agent("seller");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(
    description = "Conditions on a request or on a webhook, all of which must be met.",
    example = serde_json::json!({"path": "/api/v1/trades/*/accept", "agent": "a-seller"})
)]
pub struct Conditions {
    /// The HTTP method; requests only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// A glob over the path: `*` matches within a segment, `**` across segments, and `{a,b}`
    /// either alternative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// The slug of the agent that sends the request or receives the webhook, or a glob over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<String>,
    /// A device id in the body, or a glob over it; requests only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<String>,
    /// Headers and their values; requests only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) header: BTreeMap<String, String>,
    /// Query parameters and their values; requests only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) query: BTreeMap<String, String>,
    /// What the JSON body must contain: an object matches if each of its fields does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<RawJson>,
    /// The HTTP status of the reply; not for faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// The type of the event; webhooks only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
}

/// The reason why [`Conditions`] are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionsError {
    /// The method is not a valid HTTP method.
    #[error("`match.method`: must be an HTTP method, not `{0}`")]
    Method(String),
    /// The path, agent or device is not a valid glob.
    #[error("`match.{0}`: {1}")]
    Glob(&'static str, InvalidGlob),
    /// The JSON that the body is compared with is larger than 64 KiB, or nested more than 64 deep.
    #[error(
        "`match.body`: must be at most {MAX_BODY} bytes of JSON, nested at most {MAX_DEPTH} deep"
    )]
    Body,
    /// The condition has no meaning for what the conditions are used for.
    #[error("`match.{0}`: has no meaning for {1}")]
    Meaningless(&'static str, &'static str),
}

/// What conditions are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    RequestFault,
    WebhookFault,
    Requests,
    Webhooks,
    Expectation,
}

/// Valid conditions, ready to be compared.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    conditions: Conditions,
    method: Option<Method>,
    path: Option<Glob>,
    agent: Option<Glob>,
    device: Option<Glob>,
}

/// What is compared with conditions: a request or a webhook.
pub(crate) struct Candidate<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) agent: Option<&'a str>,
    pub(crate) status: Option<u16>,
    pub(crate) event: Option<&'a str>,
    /// Returns whether a header has a value.
    pub(crate) has_header: &'a dyn Fn(&str, &str) -> bool,
}

impl Conditions {
    /// Creates conditions that every request and every webhook meets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires this HTTP method. It has no meaning for webhooks.
    #[must_use]
    pub fn method(mut self, method: impl AsRef<str>) -> Self {
        self.method = Some(method.as_ref().to_owned());
        self
    }

    /// Requires a path that matches this glob, see [`Fault::path`](crate::Fault::path).
    #[must_use]
    pub fn path(mut self, glob: impl Into<String>) -> Self {
        self.path = Some(glob.into());
        self
    }

    /// Requires the agent with this slug: the one that sends the request or receives the webhook.
    #[must_use]
    pub fn agent(mut self, slug: impl Into<String>) -> Self {
        self.agent = Some(slug.into());
        self
    }

    /// Requires this device id in the body. It has no meaning for webhooks.
    #[must_use]
    pub fn device(mut self, id: impl Into<String>) -> Self {
        self.device = Some(id.into());
        self
    }

    /// Requires a header with this value. It has no meaning for webhooks.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.header.insert(name.into(), value.into());
        self
    }

    /// Requires a query parameter with this value. It has no meaning for webhooks.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.insert(name.into(), value.into());
        self
    }

    /// Requires a JSON body that contains this value: an object if each of its fields is contained,
    /// any other value if it is equal.
    #[must_use]
    pub fn body(mut self, value: impl Into<Value>) -> Self {
        self.body = Some(RawJson::new(&value.into()));
        self
    }

    /// Requires this HTTP status of the reply. It has no meaning for faults, which are decided
    /// before there is a reply.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Requires this type of event, such as `trade_proposed`. It has no meaning for requests.
    #[must_use]
    pub fn event(mut self, event_type: impl Into<String>) -> Self {
        self.event = Some(event_type.into());
        self
    }
}

/// The conditions in words, such as `POST /api/v1/trades with agent ada`.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, agent, device, header, query, body, status, event } = self;
        let (method, path) = (method.as_deref(), path.as_deref());
        write!(f, "{} {}", method.unwrap_or("any method"), path.unwrap_or("any path"))?;
        let one = |name: &str, value: Option<&str>| value.map(|value| format!("{name} {value}"));
        let mut all = vec![
            one("agent", agent.as_deref()),
            one("device", device.as_deref()),
            one("event", event.as_deref()),
            status.map(|status| format!("status {status}")),
            body.as_ref().map(|body| match mask_json(body.as_str()) {
                Some(body) => format!("body {}", body.as_str()),
                None => "body".to_owned(),
            }),
        ];
        all.extend(
            query
                .iter()
                .map(|(name, value)| Some(format!("query {name}={}", mask_value(name, value)))),
        );
        // The value of a header may be a key.
        all.extend(header.keys().map(|name| Some(format!("header {name}"))));
        for (n, condition) in all.into_iter().flatten().enumerate() {
            write!(f, "{}{condition}", if n == 0 { " with " } else { ", " })?;
        }
        Ok(())
    }
}

impl Matcher {
    pub(crate) fn new(conditions: Conditions, purpose: Purpose) -> Result<Self, ConditionsError> {
        refuse_meaningless(&conditions, purpose)?;
        let is_too_large =
            |body: &RawJson| body.as_str().len() > MAX_BODY || depth(body.as_str()) > MAX_DEPTH;
        if conditions.body.as_ref().is_some_and(is_too_large) {
            return Err(ConditionsError::Body);
        }
        let method = conditions.method.as_deref().map(|method| {
            let valid = Method::try_from(method.to_ascii_uppercase().as_str());
            valid.map_err(|_| ConditionsError::Method(method.to_owned()))
        });
        let glob = |name, glob: Option<&str>| {
            let glob = glob.map(Glob::new).transpose();
            glob.map_err(|error| ConditionsError::Glob(name, error))
        };
        Ok(Self {
            method: method.transpose()?,
            path: glob("path", conditions.path.as_deref())?,
            agent: glob("agent", conditions.agent.as_deref())?,
            device: glob("device", conditions.device.as_deref())?,
            conditions,
        })
    }

    pub(crate) fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let Conditions { header, query, body, status, event, .. } = &self.conditions;
        self.method.as_ref().is_none_or(|method| method == candidate.method)
            && self.path.as_ref().is_none_or(|glob| glob.matches(candidate.path))
            && self
                .agent
                .as_ref()
                .is_none_or(|glob| candidate.agent.is_some_and(|agent| glob.matches(agent)))
            && event.as_deref().is_none_or(|event| candidate.event == Some(event))
            && status.is_none_or(|status| candidate.status == Some(status))
            && header.iter().all(|(name, value)| (candidate.has_header)(name, value))
            && query.iter().all(|(name, value)| {
                form_urlencoded::parse(candidate.query.as_bytes())
                    .any(|(other, given)| other == *name && given == *value)
            })
            && self.device.as_ref().is_none_or(|glob| {
                devices(candidate.body).iter().any(|device| glob.matches(device))
            })
            && body.as_ref().is_none_or(|wanted| body_contains(candidate.body, wanted))
    }
}

fn refuse_meaningless(conditions: &Conditions, purpose: Purpose) -> Result<(), ConditionsError> {
    let Conditions { method, device, header, query, status, event, .. } = conditions;
    let webhooks = matches!(purpose, Purpose::WebhookFault | Purpose::Webhooks);
    let faults = matches!(purpose, Purpose::RequestFault | Purpose::WebhookFault);
    let meaningless = [
        ("method", method.is_some() && webhooks, "webhooks"),
        ("device", device.is_some() && webhooks, "webhooks"),
        ("header", !header.is_empty() && webhooks, "webhooks"),
        ("query", !query.is_empty() && webhooks, "webhooks"),
        ("event", event.is_some() && !webhooks, "requests"),
        ("status", status.is_some() && faults, "faults, which are decided before the reply"),
        (
            "status",
            status.is_some() && purpose == Purpose::Expectation,
            "expectations, which count requests as they arrive",
        ),
    ];
    match meaningless.into_iter().find(|(_, given, _)| *given) {
        None => Ok(()),
        Some((name, _, what)) => Err(ConditionsError::Meaningless(name, what)),
    }
}

/// The device ids in the body of a request to MachineID.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Devices {
    #[serde(default)]
    device_id: Option<Value>,
    #[serde(default)]
    device_ids: Option<Vec<Value>>,
}

/// Returns the device ids that a body names.
fn devices(body: &[u8]) -> Vec<String> {
    let Ok(Devices { device_id, device_ids }) = serde_json::from_slice(body) else {
        return Vec::new();
    };
    let all = device_id.into_iter().chain(device_ids.into_iter().flatten());
    all.filter_map(|id| id.as_str().map(|id| id.trim().to_owned())).collect()
}

/// Returns the one device id that a body names.
pub(crate) fn device(body: &[u8]) -> Option<String> {
    let Devices { device_id, .. } = serde_json::from_slice(body).ok()?;
    device_id.as_ref().and_then(Value::as_str).map(|id| id.trim().to_owned())
}

fn body_contains(body: &[u8], wanted: &RawJson) -> bool {
    match (serde_json::from_slice(body), wanted.parse()) {
        (Ok(body), Ok(wanted)) => contains(&body, &wanted),
        _ => false,
    }
}

fn contains(given: &Value, wanted: &Value) -> bool {
    match (given, wanted) {
        (Value::Object(given), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, value)| given.get(name).is_some_and(|given| contains(given, value))),
        _ => given == wanted,
    }
}
