//! A request as the journal keeps it: the bytes as they were received, which are read only when
//! somebody looks.

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::HeaderMap;
use http::{HeaderValue, Method, Uri};

use super::record::RequestRecord;
use crate::clock::Time;
use crate::conditions::{Candidate, Matcher, device};
use crate::difference::Difference;
use crate::mask::{
    HIDDEN, is_secret_header, mask, mask_header, mask_json, mask_target, mask_text, mask_value,
};
use crate::raw_json::RawJson;
use crate::search::contains;
use crate::text::{beginning, beginning_of_bytes};

/// The length to which a path is cut, in bytes.
const MAX_PATH: usize = 512;

/// The length to which a query, and all headers together, are cut, in bytes.
const MAX_HEAD: usize = 8 * 1024;

/// About how much memory a difference takes, in bytes.
const DIFFERENCE: usize = 400;

/// The size of the largest body that is kept whole, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// A request that has arrived.
pub(crate) struct Arrival<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) agent: Option<String>,
    pub(crate) now: Time,
}

/// A request in the journal.
pub(super) struct Entry {
    pub(super) seq: u64,
    method: Method,
    /// The path, the query, the headers and the body, one after the other.
    text: Box<[u8]>,
    query_at: usize,
    headers_at: usize,
    body_at: usize,
    agent: Option<String>,
    fault: Option<&'static str>,
    received_at: Time,
    pub(super) status: Option<u16>,
    reply: Box<[u8]>,
    pub(super) latency: Option<Duration>,
    pub(super) differences: Box<[Difference]>,
}

impl Arrival<'_> {
    /// Returns what conditions are compared with.
    pub(crate) fn candidate<'a>(
        &'a self,
        has_header: &'a dyn Fn(&str, &str) -> bool,
    ) -> Candidate<'a> {
        Candidate {
            method: self.method,
            path: self.uri.path(),
            query: self.uri.query().unwrap_or_default(),
            body: self.body,
            agent: self.agent.as_deref(),
            status: None,
            event: None,
            has_header,
        }
    }

    /// Returns whether a header has this value.
    pub(crate) fn has_header(&self, name: &str, value: &str) -> bool {
        self.headers.get_all(name).iter().any(|given| given.as_bytes() == value.as_bytes())
    }
}

impl Entry {
    pub(super) fn new(seq: u64, arrival: Arrival<'_>, fault: Option<&'static str>) -> Self {
        let Arrival { method, uri, headers, body, agent, now } = arrival;
        let path = beginning(uri.path(), MAX_PATH).as_bytes();
        let query = beginning(uri.query().unwrap_or_default(), MAX_HEAD).as_bytes();
        // One byte more shows that the body was cut.
        let body = cut(body, MAX_BODY + 1);
        let head: usize =
            headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 2).sum();
        let head = head.min(MAX_HEAD);
        let mut text = Vec::with_capacity(path.len() + query.len() + head + body.len());
        text.extend_from_slice(path);
        let query_at = text.len();
        text.extend_from_slice(query);
        let headers_at = text.len();
        for (name, value) in headers {
            if text.len() - headers_at + name.as_str().len() + value.len() + 2 > MAX_HEAD {
                break;
            }
            text.extend_from_slice(name.as_str().as_bytes());
            text.push(0);
            text.extend_from_slice(value.as_bytes());
            text.push(0);
        }
        let body_at = text.len();
        text.extend_from_slice(body);
        Self {
            seq,
            method: method.clone(),
            text: text.into_boxed_slice(),
            query_at,
            headers_at,
            body_at,
            agent,
            fault,
            received_at: now,
            status: None,
            reply: Box::default(),
            latency: None,
            differences: Box::default(),
        }
    }

    /// Returns how much memory the entry takes, in bytes.
    pub(super) fn size(&self) -> usize {
        let differences = self.differences.len() * DIFFERENCE;
        size_of::<Self>() + self.text.len() + self.reply.len() + differences
    }

    pub(super) fn set_reply(&mut self, reply: &[u8]) {
        self.reply = cut(reply, MAX_BODY + 1).into();
    }

    pub(super) fn matches(&self, matcher: &Matcher) -> bool {
        let has_header = |name: &str, value: &str| {
            self.headers()
                .any(|(other, given)| other.eq_ignore_ascii_case(name) && given == value.as_bytes())
        };
        matcher.matches(&Candidate {
            method: &self.method,
            path: self.path(),
            query: self.query(),
            body: self.body(),
            agent: self.agent.as_deref(),
            status: self.status,
            event: None,
            has_header: &has_header,
        })
    }

    fn path(&self) -> &str {
        std::str::from_utf8(&self.text[..self.query_at]).unwrap_or_default()
    }

    fn query(&self) -> &str {
        std::str::from_utf8(&self.text[self.query_at..self.headers_at]).unwrap_or_default()
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut parts = self.text[self.headers_at..self.body_at].split(|byte| *byte == 0);
        std::iter::from_fn(move || Some((std::str::from_utf8(parts.next()?).ok()?, parts.next()?)))
    }

    fn body(&self) -> &[u8] {
        &self.text[self.body_at..]
    }

    /// Returns whether the request was answered with a status from 400, or not at all.
    pub(super) fn is_failed(&self) -> bool {
        self.latency.is_some() && self.status.is_none_or(|status| status >= 400)
    }

    /// Returns whether the path, the query, the agent, the body or the reply contains a text.
    pub(super) fn contains(&self, searched: &str) -> bool {
        let agent = self.agent.as_deref().unwrap_or_default();
        let head = &self.text[..self.headers_at];
        [head, self.body(), &self.reply, agent.as_bytes(), self.method.as_str().as_bytes()]
            .iter()
            .any(|text| contains(text, searched))
    }

    /// Returns the request as it is shown in a list, without headers, body and reply.
    pub(super) fn brief(&self) -> RequestRecord {
        self.shown(BTreeMap::new(), None, None)
    }

    /// Returns the request as it is shown.
    pub(super) fn record(&self) -> RequestRecord {
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in self.headers() {
            let value = shown_header(name, value);
            let known = headers.entry(name.to_owned()).or_default();
            if !known.is_empty() {
                known.push_str(", ");
            }
            known.push_str(&value);
        }
        self.shown(headers, shown_body(self.body()), shown_body(&self.reply))
    }

    fn shown(
        &self,
        headers: BTreeMap<String, String>,
        body: Option<RawJson>,
        reply: Option<RawJson>,
    ) -> RequestRecord {
        let query = form_urlencoded::parse(self.query().as_bytes());
        RequestRecord {
            seq: self.seq,
            method: self.method.clone(),
            path: mask(self.path()).into_owned(),
            query: query
                .map(|(name, value)| {
                    (mask(&name).into_owned(), mask_value(&name, &value).into_owned())
                })
                .collect(),
            headers,
            body,
            agent: self.agent.clone(),
            device: device(self.body()).map(|device| mask(&device).into_owned()),
            status: self.status,
            reply,
            fault: self.fault,
            received_at: self.received_at.into(),
            latency: self.latency,
            differences: self.differences.to_vec(),
        }
    }
}

fn cut(bytes: &[u8], most: usize) -> &[u8] {
    &bytes[..bytes.len().min(most)]
}

/// Returns the beginning of a path, with or without its query, with keys and tokens masked.
pub(crate) fn shown_path(path: &str) -> String {
    mask_target(beginning(path, MAX_PATH))
}

fn shown_header(name: &str, value: &[u8]) -> String {
    let text = HeaderValue::from_bytes(value).ok();
    let text = text.as_ref().and_then(|value| value.to_str().ok()).unwrap_or("…");
    if is_secret_header(name) { mask_header(text) } else { mask(text).into_owned() }
}

/// Returns a body as it is shown: JSON as it is, anything else as a string.
pub(crate) fn shown_body(body: &[u8]) -> Option<RawJson> {
    if body.is_empty() {
        return None;
    }
    let is_whole = body.len() <= MAX_BODY;
    let text = String::from_utf8_lossy(beginning_of_bytes(body, MAX_BODY));
    let json = is_whole.then(|| mask_json(&text)).flatten();
    json.or_else(|| {
        let text = mask_text(&text);
        let text = if is_whole || text == HIDDEN { text } else { format!("{text}…").into() };
        Some(RawJson::new(&text))
    })
}
