//! A request as it is shown, without secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::Method;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::clock::Time;
use crate::difference::Difference;
use crate::raw_json::RawJson;

/// A request that a server received. Keys, tokens and passwords are masked everywhere in it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct RequestRecord {
    /// The number of the request, which grows by one from request to request and is never repeated
    /// in a world.
    pub seq: u64,
    /// The HTTP method of the request.
    #[serde(serialize_with = "method")]
    #[schemars(with = "String")]
    pub method: Method,
    /// The path without its query, and without the world's prefix.
    pub path: String,
    /// The query parameters; of one that is repeated, the last value.
    pub query: BTreeMap<String, String>,
    /// The headers, by their names in lower case; the values of one that is repeated are joined
    /// with commas.
    pub headers: BTreeMap<String, String>,
    /// The body: JSON as it was sent, anything else as a string; `None` (null in JSON) without a
    /// body. Of a body over 64 KiB, the beginning as a string.
    pub body: Option<RawJson>,
    /// The slug of the agent whose key came with the request; `None` (null in JSON) if there was
    /// none, or if no agent has it.
    pub agent: Option<String>,
    /// The device id in the body; `None` (null in JSON) if there is none.
    pub device: Option<String>,
    /// The HTTP status of the reply; `None` (null in JSON) while the request is being answered, or
    /// if no reply was sent.
    pub status: Option<u16>,
    /// The body of the reply, in the same form as the body; `None` (null in JSON) if there was
    /// none.
    pub reply: Option<RawJson>,
    /// The kind of the fault that hit the request; `None` (null in JSON) if none did.
    pub fault: Option<&'static str>,
    /// The virtual time at which the request was received.
    #[serde(serialize_with = "time")]
    #[schemars(with = "Time")]
    pub received_at: SystemTime,
    /// The time from the arrival of the request to the first byte of the reply, or to the closing
    /// of the connection without one; in JSON in milliseconds. Zero if the virtual time stands still, so
    /// that two runs record the same. `None` (null in JSON) while the request is being answered.
    #[serde(rename = "latency_ms", serialize_with = "millis")]
    #[schemars(with = "Option<f64>")]
    pub latency: Option<Duration>,
    /// Where the reply of another server differs from what this server replies, see
    /// [`MockServerBuilder::upstream`](crate::MockServerBuilder::upstream); left out in JSON if
    /// there is no difference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        description = "Where the reply of the upstream server differs from what this server replies; \
                       left out if there is no difference."
    )]
    pub differences: Vec<Difference>,
}

/// One line for people: the method, the path, the status, and which fault hit the request.
impl fmt::Display for RequestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} → ", self.method, self.path)?;
        match self.status {
            Some(status) => write!(f, "{status}")?,
            None => write!(f, "no reply")?,
        }
        match self.fault {
            Some(fault) => write!(f, " (fault: {fault})"),
            None => Ok(()),
        }
    }
}

fn method<S: Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    method.as_str().serialize(serializer)
}

fn time<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    Time::try_from(*time).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn millis<S: Serializer>(latency: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    latency.map(|latency| latency.as_secs_f64() * 1000.0).serialize(serializer)
}
