//! Answering one request.

use std::pin::pin;
use std::time::Instant;

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::Request;
use hyper::body::Incoming;
use tower_service::Service;

use super::effect::{ConnectionLost, apply};
use crate::fault::Fault;
use crate::http::Problem;
use crate::journal::{RecordId, mask};
use crate::site::{is_cross_origin, is_machins, is_own_route};
use crate::state::App;

/// Answers one request, faults included, and records it in the journal.
pub(super) async fn answer(
    app: &App,
    mut router: Router,
    request: Request<Incoming>,
) -> Result<Response, ConnectionLost> {
    let path = request.uri().path();
    if is_own_route(path) {
        if is_cross_origin(request.headers()) {
            let detail = "web pages of other origins cannot use the mock's own routes";
            return Ok(Problem::new(403, "CROSS_ORIGIN", detail).into_response());
        }
        let Ok(response) = router.call(request).await;
        return Ok(response);
    }
    let (exchange, fault) = Exchange::record(app, &request);
    let about_machins = fault.is_some() && is_machins(path);
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
    fn record(app: &'a App, request: &Request<Incoming>) -> (Self, Option<Fault>) {
        let started = Instant::now();
        let (method, path) = (request.method(), request.uri().path());
        let now = app.world().clock.now();
        let (fault, record) = app.controls().record_request(method, path, now);
        let kind = fault.as_ref().map(Fault::kind);
        tracing::debug!(%method, path = mask(path), fault = kind, "request");
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
