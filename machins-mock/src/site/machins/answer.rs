//! The replies of machins, and its refusals.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::RETRY_AFTER;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::http::{self as toolkit, BodyError, Output, ReadError, Reply, Responses};
use crate::machins::Error;
use crate::machins::error::ErrorCode;
use crate::reading::{FieldError, JsonError};

/// A reply with status 200, or a refusal.
pub(super) type Answer<T> = Result<Reply<200, T>, Error>;

/// A reply with status 201, or a refusal.
pub(super) type Created<T> = Result<Reply<201, T>, Error>;

/// A refused call.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MachinsError")]
struct ErrorReply {
    /// A message, for people.
    detail: String,
    error: ErrorBody,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MachinsErrorBody")]
struct ErrorBody {
    code: ErrorCode,
    message: String,
    details: Map<String, Value>,
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        if let BodyError::Json(JsonError::Field(error)) = error {
            return error.into();
        }
        let code = match error {
            BodyError::Read(ReadError::TooLarge(_)) | BodyError::Full(_) => {
                ErrorCode::PayloadTooLarge
            }
            _ => ErrorCode::ValidationError,
        };
        Self::new(code, error.to_string())
    }
}

impl From<FieldError> for Error {
    fn from(FieldError { field, message, nearest }: FieldError) -> Self {
        let mut error = Self::validation(message);
        if !field.is_empty() {
            error = error.detail("field", field);
        }
        match nearest {
            Some(nearest) => error.detail("nearest", nearest),
            None => error,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let Self { code, message, details } = self;
        let detail = message.clone();
        let error = ErrorBody { code, message, details };
        toolkit::json(http_status(code), &ErrorReply { detail, error })
    }
}

/// An unreadable body and a wrong key can be refused by every route that takes one.
impl Output for Error {
    fn describe(responses: &mut Responses<'_>) {
        let mut statuses = responses.refusals();
        if responses.carries.body {
            statuses.extend([400, 413]);
        }
        if responses.carries.key {
            statuses.push(401);
        }
        statuses.sort_unstable();
        statuses.dedup();
        for status in statuses {
            let codes: Vec<_> =
                ErrorCode::ALL.into_iter().filter(|code| http_status(*code) == status).collect();
            let case = json!({"properties": {"error": {"properties": {"code": {"enum": codes}}}}});
            responses.add_cases::<ErrorReply>(status, vec![case]);
        }
    }
}

const fn http_status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::ValidationError | ErrorCode::InsufficientFunds => 400,
        ErrorCode::Unauthorized => 401,
        ErrorCode::Forbidden => 403,
        ErrorCode::NotFound => 404,
        ErrorCode::Duplicate => 409,
        ErrorCode::PayloadTooLarge => 413,
        ErrorCode::InvalidTransition => 422,
    }
}

/// Returns the reply of a fault with this status.
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
    let mut response = toolkit::json(status, &json!({"detail": message, "error": error}));
    if status == 429 {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
