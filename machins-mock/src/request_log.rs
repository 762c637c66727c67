//! The log of requests, one line each, for whoever runs the server.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Method;
use serde::{Serialize, Serializer};

use crate::clock::Time;

/// A request as one line: [`Display`](fmt::Display) writes it for people, and it serializes to JSON.
/// Keys and tokens are masked in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RequestLine {
    /// The virtual time at which the request was received.
    #[serde(serialize_with = "time")]
    pub received_at: SystemTime,
    /// The name of the world; empty for the server's own.
    pub world: String,
    /// The HTTP method of the request.
    #[serde(serialize_with = "method")]
    pub method: Method,
    /// The path with its query, without the world's prefix.
    pub path: String,
    /// The HTTP status of the reply; `None` if no reply was sent.
    pub status: Option<u16>,
    /// The time until the first byte of the reply; in JSON in milliseconds.
    #[serde(rename = "latency_ms", serialize_with = "millis")]
    pub latency: Duration,
    /// The slug of the agent whose key came with the request; `None` if there was none.
    pub agent: Option<String>,
    /// The device id in the body; `None` if there is none.
    pub device: Option<String>,
    /// The kind of the fault that hit the request; `None` if none did.
    pub fault: Option<&'static str>,
}

/// A function that is called with every request.
pub(crate) type Logger = Arc<dyn Fn(&RequestLine) + Send + Sync>;

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.world.is_empty() {
            write!(f, "[{}] ", self.world)?;
        }
        write!(f, "{} {} ", self.method, self.path)?;
        match self.status {
            Some(status) => write!(f, "{status}")?,
            None => write!(f, "no reply")?,
        }
        write!(f, " {:.1} ms", self.latency.as_secs_f64() * 1000.0)?;
        let details = [
            ("agent", self.agent.as_deref()),
            ("device", self.device.as_deref()),
            ("fault", self.fault),
        ];
        for (name, value) in details {
            if let Some(value) = value {
                write!(f, " {name}={value}")?;
            }
        }
        Ok(())
    }
}

fn method<S: Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    method.as_str().serialize(serializer)
}

fn time<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    Time::try_from(*time).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

fn millis<S: Serializer>(latency: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    (latency.as_secs_f64() * 1000.0).serialize(serializer)
}
