//! The requests that a server received, without secrets.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use http::Method;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::clock::Time;
use crate::mask::mask;

/// The maximum number of requests that a server remembers; it forgets older ones.
pub const MAX_REQUESTS: usize = 10_000;

/// The length to which a remembered path is cut, in bytes.
const MAX_PATH: usize = 512;

/// A request that a server received.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct RequestRecord {
    /// The HTTP method of the request.
    #[serde(serialize_with = "method")]
    #[schemars(with = "String")]
    pub method: Method,
    /// The path without its query, with keys and tokens masked.
    pub path: String,
    /// The HTTP status of the reply; `None` (null in JSON) while the request is being answered, or
    /// if no reply was sent.
    pub status: Option<u16>,
    /// The kind of the fault that hit the request; `None` (null in JSON) if none did.
    pub fault: Option<&'static str>,
    /// The virtual time at which the request arrived.
    #[serde(serialize_with = "time")]
    #[schemars(with = "Time")]
    pub received_at: SystemTime,
    /// The time from the arrival of the request to the first byte of the reply, or to the closing
    /// of the connection without one; in JSON in milliseconds. `None` (null in JSON) while the
    /// request is being answered.
    #[serde(rename = "latency_ms", serialize_with = "millis")]
    #[schemars(with = "Option<f64>")]
    pub latency: Option<Duration>,
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

/// The requests of one server, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    records: VecDeque<RequestRecord>,
    /// How many records came before the first one held.
    forgotten: u64,
}

/// Identifies a record while its request is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordId(u64);

impl Journal {
    /// Records a request that has arrived.
    pub(crate) fn record(
        &mut self,
        method: &Method,
        path: &str,
        fault: Option<&'static str>,
        now: Time,
    ) -> RecordId {
        if self.records.len() == MAX_REQUESTS {
            self.records.pop_front();
            self.forgotten += 1;
        }
        self.records.push_back(RequestRecord {
            method: method.clone(),
            path: shown_path(path),
            status: None,
            fault,
            received_at: now.into(),
            latency: None,
        });
        RecordId(self.forgotten + self.records.len() as u64 - 1)
    }

    /// Returns the record of a request, if it is still held.
    pub(crate) fn record_mut(&mut self, RecordId(number): RecordId) -> Option<&mut RequestRecord> {
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

/// Returns the beginning of a path, with keys and tokens masked.
pub(crate) fn shown_path(path: &str) -> String {
    mask(&path[..path.floor_char_boundary(MAX_PATH)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn the_oldest_requests_are_forgotten() {
        let now = Clock::default().now();
        let mut journal = Journal::default();
        let ids: Vec<_> = (0..MAX_REQUESTS + 2)
            .map(|n| journal.record(&Method::GET, &format!("/{n}"), None, now))
            .collect();
        assert_eq!(journal.records().len(), MAX_REQUESTS);
        assert_eq!(journal.records().next().unwrap().path, "/2");
        assert!(journal.record_mut(ids[1]).is_none());
        assert_eq!(journal.record_mut(ids[2]).unwrap().path, "/2");
        journal.clear();
        assert!(ids.iter().all(|id| journal.record_mut(*id).is_none()));
        let id = journal.record(&Method::GET, "/new", None, now);
        assert_eq!(journal.record_mut(id).unwrap().path, "/new");
    }

    #[test]
    fn long_paths_are_cut() {
        let path = "é".repeat(MAX_PATH);
        assert_eq!(shown_path(&path).len(), MAX_PATH);
    }
}
