//! The responses: those that the gate itself gives, and those of the server that it passes on.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::Value;

use super::in_use::Claim;
use super::upstream::passed_on;
use crate::message::{Id, Refusal};
use crate::reply::{self, INTERNAL_ERROR};

/// JSON-RPC: not a valid request.
const INVALID_REQUEST: i32 = -32600;

/// Why the body of a response breaks off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the connection to the server broke")]
    Upstream(#[from] reqwest::Error),
    #[error("the call was cancelled by the gate")]
    Cancelled,
}

/// The body of a response: the gate's own, or the server's as it comes.
pub(super) type Body = BoxBody<Bytes, Broken>;

/// A response with a JSON-RPC message.
pub(super) fn json(status: StatusCode, message: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(message.to_string()));
    let body = body.map_err(|never: Infallible| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A response with a JSON-RPC error.
pub(super) fn error(
    status: StatusCode,
    id: Option<&Id>,
    code: i32,
    message: &str,
) -> Response<Body> {
    json(status, &reply::error(id, code, message))
}

/// A request that is not passed on.
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) response: Box<Response<Body>>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, reason: &str) -> Self {
        let message = format!("the gate does not pass this request on: {reason}");
        let response = error(status, None, INVALID_REQUEST, &message).into();
        Self { reason: reason.to_owned(), response }
    }

    pub(super) fn message(refusal: Refusal) -> Self {
        let response = json(StatusCode::BAD_REQUEST, &reply::refused(&refusal)).into();
        Self { reason: refusal.reason, response }
    }
}

/// Passes a response on as it comes. The id stays in use until its end.
pub(super) fn passed(
    sent: reqwest::Result<reqwest::Response>,
    id: Option<&Id>,
    claim: Option<Claim>,
) -> Result<Response<Body>, Refused> {
    respond(sent, id, |response| {
        let stream = response.bytes_stream().map_err(Into::into).map_ok(move |bytes| {
            // Held until the body has ended.
            let _held = &claim;
            Frame::data(bytes)
        });
        BodyExt::boxed(StreamBody::new(stream))
    })
}

/// Passes the head of a response on, with a body made of it.
pub(super) fn respond(
    sent: reqwest::Result<reqwest::Response>,
    id: Option<&Id>,
    body: impl FnOnce(reqwest::Response) -> Body,
) -> Result<Response<Body>, Refused> {
    let bad_gateway = |reason: &str| {
        let response = error(StatusCode::BAD_GATEWAY, id, INTERNAL_ERROR, reason).into();
        Refused { reason: reason.to_owned(), response }
    };
    let upstream = sent.map_err(|error| {
        tracing::debug!(error = %error.without_url(), "the server was not reached");
        bad_gateway("the server could not be reached")
    })?;
    let status = upstream.status();
    if status.is_redirection() && upstream.headers().contains_key(LOCATION) {
        return Err(bad_gateway("the server redirects to another address, past the gate"));
    }
    let headers = passed_on(upstream.headers());
    let mut response = Response::new(body(upstream));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
