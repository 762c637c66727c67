//! The responses that the gate itself gives.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use crate::message::Id;
use crate::reply;

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
