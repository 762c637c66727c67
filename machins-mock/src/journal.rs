//! What was asked of a server, without secrets.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use http::Method;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::clock::Time;

/// The most requests that a server remembers; older ones are forgotten.
pub const MAX_REQUESTS: usize = 10_000;

/// The most of a path that is remembered, in bytes.
const MAX_PATH: usize = 512;

/// A request that a server got.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct RequestRecord {
    /// The HTTP method.
    pub method: String,
    /// The path without its query, keys and tokens in it masked.
    pub path: String,
    /// The reply's HTTP status; none while the request is under way or if no reply was sent.
    pub status: Option<u16>,
    /// The kind of fault that hit the request.
    pub fault: Option<&'static str>,
    /// When it arrived, in virtual time.
    #[serde(serialize_with = "time")]
    #[schemars(with = "Time")]
    pub received_at: SystemTime,
    /// How long the reply took, up to its first byte; none as long as there is no status.
    #[serde(rename = "latency_ms", serialize_with = "millis")]
    #[schemars(with = "Option<f64>")]
    pub latency: Option<Duration>,
}

fn time<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    Time::try_from(*time).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn millis<S: Serializer>(latency: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    latency.map(|it| it.as_secs_f64() * 1000.0).serialize(serializer)
}

/// The requests of one server, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    records: VecDeque<RequestRecord>,
    /// How many records came before the first one held.
    forgotten: u64,
}

/// Names a record while its request is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket(u64);

impl Journal {
    pub(crate) fn arrived(&mut self, method: &Method, path: &str, now: Time) -> Ticket {
        if self.records.len() == MAX_REQUESTS {
            self.records.pop_front();
            self.forgotten += 1;
        }
        self.records.push_back(RequestRecord {
            method: method.to_string(),
            path: mask(path),
            status: None,
            fault: None,
            received_at: now.into(),
            latency: None,
        });
        Ticket(self.forgotten + self.records.len() as u64 - 1)
    }

    /// The record of a request, if it is still held.
    pub(crate) fn record(&mut self, Ticket(number): Ticket) -> Option<&mut RequestRecord> {
        let index = number.checked_sub(self.forgotten)?;
        self.records.get_mut(usize::try_from(index).ok()?)
    }

    pub(crate) fn records(&self) -> impl ExactSizeIterator<Item = &RequestRecord> {
        self.records.iter()
    }

    pub(crate) fn clear(&mut self) {
        self.forgotten += self.records.len() as u64;
        self.records.clear();
    }
}

/// A path that can be shown: what looks like a key or a token is cut off after its prefix.
pub(crate) fn mask(path: &str) -> String {
    let path = &path[..path.floor_char_boundary(MAX_PATH)];
    let segments: Vec<_> = path.split('/').map(mask_segment).collect();
    segments.join("/")
}

fn mask_segment(segment: &str) -> &str {
    // Org keys, API keys, and JSON Web Tokens, which are base64 of `{"`.
    for (prefix, masked) in [("org_", "org_…"), ("at_", "at_…"), ("eyJ", "eyJ…")] {
        if segment.starts_with(prefix) {
            return masked;
        }
    }
    segment
}
