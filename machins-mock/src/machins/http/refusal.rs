//! Refusals as machins words them.

use ::http::HeaderValue;
use ::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::http::{self, BodyError, Output, Responses};
use crate::machins::error::{Error, ErrorCode};
use crate::machins::input::Object;

/// What a route may refuse beside a missing key (401) and an unreadable body (400, 413).
pub(super) const INVALID: u8 = 1;
pub(super) const FORBIDDEN: u8 = 2;
pub(super) const MISSING: u8 = 4;
pub(super) const CONFLICT: u8 = 8;
pub(super) const STATE: u8 = 16;
/// No key, but a token that can be wrong.
pub(super) const TOKEN: u8 = 32;

/// A refusal of a route that `MAY` refuse in these ways.
#[derive(Debug)]
pub(super) struct Refusal<const MAY: u8>(Error);

/// A call that could not be done: in words, and for programs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MachinsError")]
struct ErrorReply {
    /// What is wrong, for people.
    detail: String,
    error: ErrorBody,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MachinsErrorBody")]
struct ErrorBody {
    code: ErrorCode,
    message: String,
    details: Object,
}

impl<const MAY: u8> From<Error> for Refusal<MAY> {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl<const MAY: u8> From<BodyError> for Refusal<MAY> {
    fn from(error: BodyError) -> Self {
        Self(error.into())
    }
}

impl<const MAY: u8> IntoResponse for Refusal<MAY> {
    fn into_response(self) -> Response {
        let Error { code, message, details } = self.0;
        let detail = message.clone();
        http::json(
            code.http_status(),
            &ErrorReply { detail, error: ErrorBody { code, message, details } },
        )
    }
}

/// What a fault of this status says.
pub(crate) fn fault_reply(status: u16) -> Response {
    let code = match status {
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        409 => "CONCURRENCY_CONFLICT",
        422 => "INVALID_TRANSITION",
        429 => "RATE_LIMITED",
        _ => "FAULT",
    };
    let message = format!("a fault answers {status}");
    let error = json!({"code": code, "message": message, "details": {}});
    let mut response = http::json(status, &json!({"detail": message, "error": error}));
    if status == 429 {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

impl<const MAY: u8> Output for Refusal<MAY> {
    fn describe(responses: &mut Responses<'_>) {
        let carries = responses.carries;
        for (status, happens) in [
            (400, carries.body || MAY & INVALID != 0),
            (401, carries.key || MAY & TOKEN != 0),
            (403, MAY & FORBIDDEN != 0),
            (404, MAY & MISSING != 0),
            (409, MAY & CONFLICT != 0),
            (413, carries.body),
            (422, MAY & STATE != 0),
        ] {
            if happens {
                responses.add::<ErrorReply>(status);
            }
        }
    }
}
