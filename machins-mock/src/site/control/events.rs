//! A stream of server-sent events, which say what has changed.
//!
//! Nothing is queued for a reader: an event says that there were changes since the one before, so a
//! slow reader gets fewer events and costs no memory, and nobody waits for it.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;

use crate::http::CurrentApp;
use crate::state::App;

/// The least time between two events.
const PAUSE: Duration = Duration::from_millis(200);

/// How long there may be no event before one that says nothing, by which both sides learn whether
/// the other is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// Adds the stream. It is no part of the OpenAPI document, which cannot describe streams.
pub(crate) fn add(router: Router) -> Router {
    router.route("/_mock/events", get(events))
}

/// How often something has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    requests: u64,
    webhooks: u64,
    state: u64,
}

/// What has changed since the last event.
#[derive(Debug, Serialize)]
struct Event {
    changed: Vec<&'static str>,
    /// The number of the last request.
    requests: u64,
    /// The number of the last webhook attempt.
    webhooks: u64,
}

/// The events of one reader.
struct Events {
    app: App,
    /// What the reader knows; `None` before the first event.
    known: Option<Counts>,
}

async fn events(CurrentApp(app): CurrentApp) -> Response {
    let events = Events { app, known: None };
    let stream = stream::unfold(events, |mut events| async move {
        let event = events.next().await?;
        Some((Ok::<_, Infallible>(event), events))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Counts {
    fn of(app: &App) -> Self {
        Self {
            requests: app.answered.count(),
            webhooks: app.deliveries.logged.count(),
            state: app.touched.count(),
        }
    }
}

impl Events {
    /// Waits for the next event; `None` if the server stops or the world is removed.
    async fn next(&mut self) -> Option<Bytes> {
        let app = App::clone(&self.app);
        tokio::select! {
            event = self.wait() => Some(event),
            () = app.tasks.ending() => None,
        }
    }

    async fn wait(&mut self) -> Bytes {
        let Some(known) = self.known else {
            // A body whose beginning is there at once is taken for one that is there as a whole.
            tokio::task::yield_now().await;
            let counts = Counts::of(&self.app);
            self.known = Some(counts);
            return self.event(vec![]);
        };
        let app = &self.app;
        tokio::time::sleep(PAUSE).await;
        let changed = || Some(Counts::of(app)).filter(|counts| *counts != known);
        let counts = tokio::select! {
            counts = app.answered.until(changed) => counts,
            counts = app.deliveries.logged.until(changed) => counts,
            counts = app.touched.until(changed) => counts,
            () = tokio::time::sleep(SILENCE) => return Bytes::from_static(b": nothing has changed\n\n"),
        };
        self.known = Some(counts);
        let all = [
            ("requests", counts.requests != known.requests),
            ("webhooks", counts.webhooks != known.webhooks),
            ("state", counts.state != known.state),
        ];
        let changed = all.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name);
        self.event(changed.collect())
    }

    fn event(&self, changed: Vec<&'static str>) -> Bytes {
        let requests = self.app.controls().journal.last();
        let event = Event { changed, requests, webhooks: self.app.deliveries.last() };
        // A list of words and two numbers always become JSON.
        let json = serde_json::to_string(&event).unwrap_or_default();
        format!("event: change\nretry: 500\ndata: {json}\n\n").into()
    }
}
