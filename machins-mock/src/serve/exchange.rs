//! A request under way, and its entries in the journal and in the log.

use std::time::{Duration, Instant};

use http::request::Parts;
use http::{Method, StatusCode};

use crate::clock::Time;
use crate::conditions::device;
use crate::difference::Difference;
use crate::fault::Fault;
use crate::journal::{Arrival, EntryId, shown_path};
use crate::key_headers::API_KEY;
use crate::mask::mask;
use crate::request_log::{Logger, RequestLine};
use crate::site::is_page;
use crate::state::App;

/// A request under way. When it is dropped, its entry is completed: the caller may have gone before
/// there was a reply.
pub(super) struct Exchange<'a> {
    app: &'a App,
    /// `None` for a request that the journal does not hold, and once the entry is complete.
    entry: Option<EntryId>,
    started: Instant,
    /// Whether the clock stands still: then the journal says that requests take no time, so that two runs
    /// record the same.
    is_frozen: bool,
    /// The virtual time at which the request was received, if it is not the real time.
    pub(super) shifted_now: Option<Time>,
    line: Option<(&'a Logger, Line)>,
    /// Where the reply of another server differs from that of this one.
    pub(super) differences: Vec<Difference>,
}

/// What a line in the log is made of.
struct Line {
    now: Time,
    method: Method,
    path: String,
    agent: Option<String>,
    device: Option<String>,
    fault: Option<&'static str>,
}

impl<'a> Exchange<'a> {
    /// Records a request, and returns the fault that hits it, if any.
    pub(super) fn record(app: &'a App, parts: &Parts, body: &[u8]) -> (Self, Option<Fault>) {
        let started = Instant::now();
        let Parts { method, uri, headers, .. } = parts;
        let key = headers.get(&API_KEY).and_then(|key| key.to_str().ok());
        let (clock, agent) = {
            let world = app.world();
            let slug = key.and_then(|key| world.machins.slug_of_key(key.trim()));
            (world.clock, slug.map(ToOwned::to_owned))
        };
        let now = clock.now();
        let (shifted_now, is_frozen) = (clock.shifted(now), clock.is_frozen());
        let logged_agent = app.server.logger.as_ref().map(|_| agent.clone());
        let arrival = Arrival { method, uri, headers, body, agent, now };
        let (fault, entry) = {
            // The benchmarks measure it.
            let _journal = tracing::trace_span!("journal").entered();
            app.controls().record_request(arrival)
        };
        let kind = fault.as_ref().map(Fault::kind);
        tracing::debug!(%method, path = shown_path(uri.path()), fault = kind, "request");
        let line = app.server.logger.as_ref().map(|logger| {
            let mut line = Line::new(now, parts);
            line.agent = logged_agent.flatten();
            line.device = device(body).map(|device| mask(&device).into_owned());
            line.fault = kind;
            (logger, line)
        });
        let (entry, differences) = (Some(entry), Vec::new());
        (Self { app, entry, started, is_frozen, shifted_now, line, differences }, fault)
    }

    /// Begins an exchange that the journal does not hold.
    pub(super) fn unrecorded(app: &'a App, parts: &Parts) -> Self {
        let clock = app.world().clock;
        let now = clock.now();
        // A page that is open is fetched again with every change.
        let logger = app.server.logger.as_ref().filter(|_| !is_page(parts.uri.path()));
        let line = logger.map(|logger| (logger, Line::new(now, parts)));
        let shifted_now = clock.shifted(now);
        let (entry, started, differences) = (None, Instant::now(), Vec::new());
        let is_frozen = clock.is_frozen();
        Self { app, entry, started, is_frozen, shifted_now, line, differences }
    }

    /// Completes the entries of a request.
    pub(super) fn answered(mut self, status: Option<StatusCode>, reply: &[u8]) {
        self.complete(status.map(|status| status.as_u16()), reply);
    }

    fn complete(&mut self, status: Option<u16>, reply: &[u8]) {
        let latency = self.started.elapsed();
        if let Some(entry) = self.entry.take() {
            let differences = std::mem::take(&mut self.differences);
            let recorder = self.app.server.recorder.as_ref();
            let record = {
                let _journal = tracing::trace_span!("journal").entered();
                let journal = &mut self.app.controls().journal;
                let shown = if self.is_frozen { Duration::ZERO } else { latency };
                journal.complete(entry, status, reply, shown, differences);
                recorder.and_then(|_| journal.get(entry))
            };
            self.app.answered.announce();
            if let (Some(recorder), Some(record)) = (recorder, record) {
                recorder(&record);
            }
            tracing::debug!(status, ?latency, "reply");
        }
        if let Some((logger, line)) = self.line.take() {
            logger(&line.finish(&self.app.name, status, latency));
        }
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.complete(None, &[]);
    }
}

impl Line {
    fn new(now: Time, parts: &Parts) -> Self {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let path = shown_path(path);
        Self { now, method: parts.method.clone(), path, agent: None, device: None, fault: None }
    }

    fn finish(self, world: &str, status: Option<u16>, latency: Duration) -> RequestLine {
        let Self { now, method, path, agent, device, fault } = self;
        let (received_at, world) = (now.into(), world.to_owned());
        RequestLine { received_at, world, method, path, status, latency, agent, device, fault }
    }
}
