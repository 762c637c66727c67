//! Answering one request.

use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{Method, Request};
use hyper::body::Incoming;
use tower_service::Service;

use super::body::receive;
use super::date::set_date;
use super::effect::{ConnectionLost, apply};
use super::exchange::Exchange;
use super::reply_body::{ReplyBody, send_whole};
use super::upstream::{send_on, take_differences};
use crate::http::{Problem, ReadError, Received};
use crate::reading::FieldError;
use crate::site::{Admission, admit, enter_world, is_machins, is_own_route, refuse_extras};
use crate::state::App;
use crate::worlds::Worlds;

type Answer = Result<http::Response<ReplyBody>, ConnectionLost>;

/// Answers one request, faults included, and records it.
pub(super) async fn answer(
    worlds: &Arc<Worlds>,
    router: Router,
    request: Request<Incoming>,
) -> Answer {
    let (mut parts, body) = request.into_parts();
    let app = match enter_world(worlds, &mut parts.uri) {
        Ok(app) => app,
        Err(problem) => return Ok(send_whole(problem.into_response(), |_, _| ())),
    };
    let cors = match admit(&app.server.access, &parts) {
        Admission::Admitted(cors) => cors,
        Admission::Answered(response) => return Ok(send_whole(response, |_, _| ())),
    };
    let is_own = is_own_route(parts.uri.path());
    let is_reading = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let body = receive(&app.server, &parts, body).await;
    let answer = if is_own {
        Ok(answer_own(worlds, &app, router, parts, body).await)
    } else {
        answer_vendor(worlds, &app, router, parts, body).await
    };
    if !is_reading {
        app.touch();
    }
    let mut response = answer?;
    cors.apply(response.headers_mut());
    Ok(response)
}

/// Answers a request to the mock's own routes, which no fault hits.
async fn answer_own(
    worlds: &Arc<Worlds>,
    app: &App,
    mut router: Router,
    mut parts: Parts,
    body: Result<Bytes, ReadError>,
) -> http::Response<ReplyBody> {
    let exchange = Exchange::unrecorded(app, &parts);
    let response = if let Some(error) = find_extra(&parts, &body) {
        Problem::from(error).into_response()
    } else {
        let (app, worlds) = (Arc::clone(app), Arc::clone(worlds));
        let received = Received { app, worlds, body, is_own: true, is_strict: true };
        parts.extensions.insert(received);
        let Ok(response) = router.call(Request::from_parts(parts, Body::empty())).await;
        response
    };
    let now = exchange.shifted_now;
    let mut response = send_whole(response, |status, _| exchange.answered(Some(status), &[]));
    set_date(response.headers_mut(), now);
    protect(response.headers_mut());
    response
}

/// Answers a request to a vendor's routes.
async fn answer_vendor(
    worlds: &Arc<Worlds>,
    app: &App,
    mut router: Router,
    mut parts: Parts,
    body: Result<Bytes, ReadError>,
) -> Answer {
    let (mut exchange, fault) = Exchange::record(app, &parts, body.as_deref().unwrap_or_default());
    let about_machins = fault.is_some() && is_machins(parts.uri.path());
    let is_strict = app.server.is_strict;
    let (app, worlds) = (Arc::clone(app), Arc::clone(worlds));
    // `*` is no path: it would be taken for a part of the upstream's host.
    let upstream = app.server.upstream.clone().filter(|_| parts.uri.path().starts_with('/'));
    let extra = if is_strict && upstream.is_none() { find_extra(&parts, &body) } else { None };
    let reply = pin!(async move {
        if let Some(error) = extra {
            let mut problem = Problem::from(error);
            problem.request_id = Some(app.new_request_id(false));
            return Ok(problem.into_response());
        }
        match upstream {
            None => {
                parts.extensions.insert(Received { app, worlds, body, is_own: false, is_strict });
                router.call(Request::from_parts(parts, Body::empty())).await
            }
            // Boxed for the same reason as faults below.
            Some(upstream) => Ok(Box::pin(send_on(&upstream, parts, body)).await),
        }
    });
    let result: Result<Response, ConnectionLost> = match fault {
        None => {
            let Ok(response) = reply.await;
            Ok(response)
        }
        // Boxed, because most requests have none, and all would reserve the space for it.
        Some(fault) => Box::pin(apply(fault, about_machins, reply)).await,
    };
    match result {
        Ok(mut response) => {
            exchange.differences = take_differences(&mut response);
            let now = exchange.shifted_now;
            let record = |status, reply: &[u8]| exchange.answered(Some(status), reply);
            let mut response = send_whole(response, record);
            set_date(response.headers_mut(), now);
            Ok(response)
        }
        Err(lost) => {
            exchange.answered(None, &[]);
            Err(lost)
        }
    }
}

/// Returns why a request is refused that has a parameter or a body which its route does not take.
fn find_extra(parts: &Parts, body: &Result<Bytes, ReadError>) -> Option<FieldError> {
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    refuse_extras(&parts.method, path, query, body.as_ref().ok()?).err()
}

/// What a page for people may load and do.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; form-action 'self'; \
                           base-uri 'none'; frame-ancestors 'none'";

/// Tells a browser to take a reply for nothing but what it is.
fn protect(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_page = content_type.is_some_and(|content_type| content_type.starts_with(b"text/html"));
    // A page that states its own policy needs less.
    if is_page && !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    }
}
