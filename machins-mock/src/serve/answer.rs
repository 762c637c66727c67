//! Answering one request.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::Request;
use hyper::body::Incoming;
use tower_service::Service;

use super::body::receive;
use super::effect::{ConnectionLost, apply};
use crate::fault::Fault;
use crate::http::{Problem, Received};
use crate::journal::{RecordId, shown_path};
use crate::site::{enter_world, is_cross_origin, is_machins, is_own_route, refuse_extras};
use crate::state::App;
use crate::worlds::Worlds;

/// Answers one request, faults included, and records it in the journal of its world.
pub(super) async fn answer(
    worlds: &Arc<Worlds>,
    mut router: Router,
    request: Request<Incoming>,
) -> Result<Response, ConnectionLost> {
    let (mut parts, body) = request.into_parts();
    let app = match enter_world(worlds, &mut parts.uri) {
        Ok(app) => app,
        Err(problem) => return Ok(problem.into_response()),
    };
    let is_own = is_own_route(parts.uri.path());
    if is_own && is_cross_origin(&parts.headers) {
        let detail = "web pages of other origins cannot use the mock's own routes";
        return Ok(Problem::new(403, "CROSS_ORIGIN", detail).into_response());
    }
    let body = receive(&app.server, &parts, body).await;
    if is_own && let Ok(body) = &body {
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        if let Err(error) = refuse_extras(&parts.method, path, query, body) {
            return Ok(Problem::from(error).into_response());
        }
    }
    let is_strict = is_own || app.server.is_strict;
    let worlds = Arc::clone(worlds);
    let received = Received { app: Arc::clone(&app), worlds, body, is_own, is_strict };
    parts.extensions.insert(received);
    let request = Request::from_parts(parts, Body::empty());
    if is_own {
        let Ok(response) = router.call(request).await;
        return Ok(response);
    }
    let (exchange, fault) = Exchange::record(&app, &request);
    let about_machins = fault.is_some() && is_machins(request.uri().path());
    let reply = pin!(router.call(request));
    let result = match fault {
        None => {
            let Ok(response) = reply.await;
            Ok(response)
        }
        // Boxed, because most requests have none, and all would reserve the space for it.
        Some(fault) => Box::pin(apply(fault, about_machins, reply)).await,
    };
    exchange.answered(result.as_ref().ok());
    result
}

/// A request under way, which the journal has a record of.
struct Exchange<'a> {
    app: &'a App,
    record: RecordId,
    started: Instant,
}

impl<'a> Exchange<'a> {
    /// Records a request, and returns the fault that hits it, if any.
    fn record(app: &'a App, request: &Request<Body>) -> (Self, Option<Fault>) {
        let started = Instant::now();
        let (method, path) = (request.method(), request.uri().path());
        let now = app.world().clock.now();
        let (fault, record) = app.controls().record_request(method, path, now);
        let kind = fault.as_ref().map(Fault::kind);
        tracing::debug!(%method, path = shown_path(path), fault = kind, "request");
        (Self { app, record, started }, fault)
    }

    fn answered(&self, response: Option<&Response>) {
        let status = response.map(|response| response.status().as_u16());
        let latency = self.started.elapsed();
        if let Some(record) = self.app.controls().journal.record_mut(self.record) {
            record.status = status;
            record.latency = Some(latency);
        }
        tracing::debug!(status, ?latency, "reply");
    }
}
