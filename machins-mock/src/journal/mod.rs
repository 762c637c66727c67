//! The requests that a world received.

mod entry;
mod rate;
mod record;

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::entry::Entry;
pub(crate) use self::entry::{Arrival, shown_body, shown_path};
use self::rate::Rate;
pub use self::record::RequestRecord;
use crate::conditions::{Conditions, ConditionsError, Matcher, Purpose};
use crate::difference::Difference;
use crate::key_headers::ORG_KEY;

/// The maximum number of requests that a world remembers; it forgets older ones.
pub const MAX_REQUESTS: usize = 10_000;

/// The maximum size of all requests that a world remembers, in bytes.
const MAX_SIZE: usize = 64 * 1024 * 1024;

/// The requests of one world, oldest first.
#[derive(Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    /// How many requests came before the first one held.
    forgotten: u64,
    /// How many of them were forgotten because the journal was full.
    dropped: u64,
    size: usize,
    rate: Rate,
}

/// The requests at a glance.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RequestFigures {
    /// The number of all requests so far, forgotten ones included.
    received: u64,
    /// The number of requests that the server remembers.
    remembered: usize,
    /// The number of remembered requests without a reply or with a status from 400.
    failed: usize,
    /// The number of requests in each of the last 60 seconds of real time, the oldest first. The
    /// last one is still under way.
    per_second: Vec<u32>,
}

/// Identifies an entry while its request is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryId(u64);

/// Which requests of the journal are returned.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct RequestsQuery {
    /// The HTTP method.
    method: Option<String>,
    /// A glob over the path.
    path: Option<String>,
    /// The slug of the agent that sent the request, or a glob over it.
    agent: Option<String>,
    /// A device id in the body, or a glob over it.
    device: Option<String>,
    /// The HTTP status of the reply.
    status: Option<u16>,
    /// The key of the org that sent the request.
    org_key: Option<String>,
    /// Returns only requests without a reply or with a status from 400, or only the others.
    failed: Option<bool>,
    /// Text to find in the path, the query, the agent, the body or the reply, ignoring the case of
    /// ASCII letters.
    search: Option<String>,
    /// Returns only requests after the one with this `seq`.
    since: Option<u64>,
    /// Returns only requests before the one with this `seq`.
    before: Option<u64>,
    /// Whether to leave out headers, bodies and replies.
    brief: Option<bool>,
    /// The maximum number of requests: with `since` the oldest, otherwise the newest.
    #[schemars(range(min = 1))]
    limit: Option<usize>,
}

/// The requests so far, oldest first.
#[derive(Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the control API's name")]
pub(crate) struct Requests {
    requests: Vec<RequestRecord>,
    /// The number of remembered requests that match, whatever the limit.
    total: usize,
    /// The number of requests that were forgotten because too many came after them.
    dropped: u64,
}

impl Journal {
    /// Records a request that has arrived.
    pub(crate) fn record(&mut self, arrival: Arrival<'_>, fault: Option<&'static str>) -> EntryId {
        let index = self.forgotten + self.entries.len() as u64;
        let entry = Entry::new(index + 1, arrival, fault);
        self.size += entry.size();
        self.rate.count(Instant::now());
        self.entries.push_back(entry);
        self.shrink();
        EntryId(index)
    }

    /// Completes the record of a request, if it is still held.
    pub(crate) fn complete(
        &mut self,
        EntryId(index): EntryId,
        status: Option<u16>,
        reply: &[u8],
        latency: Duration,
        differences: Vec<Difference>,
    ) {
        let entry = index
            .checked_sub(self.forgotten)
            .and_then(|index| self.entries.get_mut(usize::try_from(index).ok()?));
        if let Some(entry) = entry {
            self.size -= entry.size();
            entry.status = status;
            entry.latency = Some(latency);
            entry.differences = differences.into();
            entry.set_reply(reply);
            self.size += entry.size();
            self.shrink();
        }
    }

    /// Returns the record of a request, if it is still held.
    pub(crate) fn get(&self, EntryId(index): EntryId) -> Option<RequestRecord> {
        let index = usize::try_from(index.checked_sub(self.forgotten)?).ok()?;
        self.entries.get(index).map(Entry::record)
    }

    fn shrink(&mut self) {
        while self.entries.len() > MAX_REQUESTS || (self.size > MAX_SIZE && self.entries.len() > 1)
        {
            if let Some(entry) = self.entries.pop_front() {
                self.size -= entry.size();
            }
            self.forgotten += 1;
            self.dropped += 1;
        }
    }

    /// Returns the number of the last request.
    pub(crate) fn last(&self) -> u64 {
        self.forgotten + self.entries.len() as u64
    }

    pub(crate) fn figures(&self) -> RequestFigures {
        RequestFigures {
            received: self.last(),
            remembered: self.entries.len(),
            failed: self.entries.iter().filter(|entry| entry.is_failed()).count(),
            per_second: self.rate.per_second(Instant::now()),
        }
    }

    /// Returns the request with this number, if it is remembered.
    pub(crate) fn with_seq(&self, seq: u64) -> Option<RequestRecord> {
        let index = usize::try_from(seq.checked_sub(self.forgotten + 1)?).ok()?;
        self.entries.get(index).map(Entry::record)
    }

    /// Returns the requests, oldest first.
    pub(crate) fn records(&self) -> impl ExactSizeIterator<Item = RequestRecord> {
        self.entries.iter().map(Entry::record)
    }

    /// Returns the requests that a query asks for.
    pub(crate) fn find(&self, query: RequestsQuery) -> Result<Requests, ConditionsError> {
        let RequestsQuery { method, path, agent, device, status, since, before, limit, .. } = query;
        let RequestsQuery { org_key, failed, search, brief, .. } = query;
        let mut conditions =
            Conditions { method, path, agent, device, status, ..Conditions::default() };
        if let Some(key) = org_key {
            conditions.header.insert(ORG_KEY.as_str().to_owned(), key);
        }
        let matcher = Matcher::new(conditions, Purpose::Requests)?;
        let mut found: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| since.is_none_or(|since| entry.seq > since))
            .filter(|entry| before.is_none_or(|before| entry.seq < before))
            .filter(|entry| failed.is_none_or(|failed| entry.is_failed() == failed))
            .filter(|entry| search.as_deref().is_none_or(|text| entry.contains(text)))
            .filter(|entry| entry.matches(&matcher))
            .collect();
        let total = found.len();
        if let Some(limit) = limit.filter(|limit| *limit < total) {
            if since.is_some() {
                found.truncate(limit);
            } else {
                found.drain(..total - limit);
            }
        }
        let record = if brief == Some(true) { Entry::brief } else { Entry::record };
        let requests = found.into_iter().map(record).collect();
        Ok(Requests { requests, total, dropped: self.dropped })
    }

    pub(crate) fn clear(&mut self) {
        self.forgotten += self.entries.len() as u64;
        self.entries.clear();
        self.size = 0;
        self.dropped = 0;
    }
}

/// A search for requests that is continued when further ones have been answered.
pub(crate) struct Search {
    matcher: Matcher,
    /// Only requests after this one count.
    since: u64,
    /// Every request up to this one has been looked at, answered.
    seen: u64,
    found: BTreeSet<u64>,
}

impl Search {
    pub(crate) fn new(conditions: Conditions, since: u64) -> Result<Self, ConditionsError> {
        let matcher = Matcher::new(conditions, Purpose::Requests)?;
        Ok(Self { matcher, since, seen: since, found: BTreeSet::new() })
    }

    /// Looks at the requests that were answered since the last time, and returns those that match
    /// if there are enough of them.
    pub(crate) fn go_on(&mut self, journal: &Journal, count: usize) -> Option<Vec<RequestRecord>> {
        let mut all_answered = true;
        let first = usize::try_from(self.seen.saturating_sub(journal.forgotten)).unwrap_or(0);
        for entry in journal.entries.iter().skip(first) {
            let answered = entry.latency.is_some();
            all_answered &= answered;
            if all_answered {
                self.seen = entry.seq;
            }
            if answered && entry.seq > self.since && entry.matches(&self.matcher) {
                self.found.insert(entry.seq);
            }
        }
        (self.found.len() >= count).then(|| self.found(journal))
    }

    /// Returns the requests that match and are still remembered.
    fn found(&self, journal: &Journal) -> Vec<RequestRecord> {
        let entries = self.found.iter().filter_map(|seq| {
            let index = usize::try_from(seq.checked_sub(journal.forgotten + 1)?).ok()?;
            journal.entries.get(index)
        });
        entries.map(Entry::record).collect()
    }

    /// Returns the requests that match, and those that came instead.
    pub(crate) fn sort(&self, journal: &Journal) -> (Vec<RequestRecord>, Vec<RequestRecord>) {
        let entries = journal.entries.iter().filter(|entry| entry.seq > self.since);
        let (found, others): (Vec<_>, Vec<_>) =
            entries.partition(|entry| self.found.contains(&entry.seq));
        let record = |entries: Vec<&Entry>| entries.into_iter().map(Entry::record).collect();
        (record(found), record(others))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, Uri};

    use super::*;
    use crate::clock::Clock;

    fn record(journal: &mut Journal, path: &str, body: &[u8]) -> EntryId {
        let arrival = Arrival {
            method: &Method::GET,
            uri: &Uri::try_from(path).unwrap(),
            headers: &HeaderMap::new(),
            body,
            agent: None,
            now: Clock::default().now(),
        };
        journal.record(arrival, None)
    }

    #[test]
    fn the_oldest_requests_are_forgotten() {
        let mut journal = Journal::default();
        let ids: Vec<_> =
            (0..MAX_REQUESTS + 2).map(|n| record(&mut journal, &format!("/{n}"), b"")).collect();
        assert_eq!(journal.records().len(), MAX_REQUESTS);
        let first = journal.records().next().unwrap();
        assert_eq!((first.path.as_str(), first.seq), ("/2", 3));
        journal.complete(ids[1], Some(200), b"", Duration::ZERO, Vec::new());
        journal.complete(ids[2], Some(201), b"", Duration::ZERO, Vec::new());
        assert_eq!(journal.records().next().unwrap().status, Some(201));
        assert_eq!(journal.find(RequestsQuery::default()).unwrap().dropped, 2);
        journal.clear();
        for id in ids {
            journal.complete(id, Some(200), b"", Duration::ZERO, Vec::new());
        }
        record(&mut journal, "/new", b"");
        let records: Vec<_> = journal.records().collect();
        assert_eq!((records.len(), records[0].seq), (1, MAX_REQUESTS as u64 + 3));
    }

    #[test]
    fn large_bodies_are_forgotten_before_many_small_ones() {
        let mut journal = Journal::default();
        let body = vec![b'1'; 64 * 1024];
        for _ in 0..2000 {
            let id = record(&mut journal, "/", &body);
            journal.complete(id, Some(200), &body, Duration::ZERO, Vec::new());
        }
        assert!(journal.size <= MAX_SIZE);
        let held: usize = journal.entries.iter().map(Entry::size).sum();
        assert_eq!(journal.size, held);
        assert!(journal.records().len() > 400);
    }

    #[test]
    fn long_paths_are_cut() {
        let path = "é".repeat(512);
        assert_eq!(shown_path(&path).len(), 512);
    }
}
