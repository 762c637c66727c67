//! Errors that belong to neither vendor's API.

use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::body::BodyError;
use super::output::{Output, Responses, json};
use super::received::ReadError;
use crate::reading::{FieldError, JsonError};

/// An error that belongs to neither vendor's API: an unknown route, or an error of the control
/// API.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Problem {
    #[serde(skip)]
    http_status: u16,
    status: Status,
    /// A stable code, for programs.
    code: &'static str,
    /// A message, for people.
    detail: String,
    /// The name of the endpoint, if the path exists but not with this method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handler: Option<Box<str>>,
    /// An id of this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<Uuid>,
    /// The field or the parameter that is wrong, such as `match.path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<Box<str>>,
    /// The known routes with the most similar paths, or the known field or parameter with the most
    /// similar name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) nearest: Vec<String>,
}

/// The status of every error.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ProblemStatus")]
enum Status {
    Error,
}

impl Problem {
    pub(crate) fn new(http_status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            http_status,
            status: Status::Error,
            code,
            detail: detail.into(),
            handler: None,
            request_id: None,
            field: None,
            nearest: Vec::new(),
        }
    }

    /// Returns the error with another status and code.
    pub(crate) fn with_status(mut self, http_status: u16, code: &'static str) -> Self {
        (self.http_status, self.code) = (http_status, code);
        self
    }

    /// Returns the refusal of an invalid request to the control API.
    pub(crate) fn bad_request(error: &impl ToString) -> Self {
        Self::new(400, "BAD_REQUEST", error.to_string())
    }
}

impl Problem {
    /// Returns the refusal of a field's value.
    pub(crate) fn field(field: &str, rule: impl std::fmt::Display) -> Self {
        FieldError::new(field, rule).into()
    }
}

impl From<FieldError> for Problem {
    fn from(FieldError { field, message, nearest }: FieldError) -> Self {
        let mut problem = Self::bad_request(&message);
        problem.field = Some(field).filter(|field| !field.is_empty()).map(Into::into);
        problem.nearest.extend(nearest);
        problem
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Read(ReadError::TooLarge(_)) | BodyError::Full(_) => {
                Self::new(413, "PAYLOAD_TOO_LARGE", error.to_string())
            }
            BodyError::Json(JsonError::Field(error)) => error.into(),
            error => Self::bad_request(&error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        json(self.http_status, &self)
    }
}

impl Output for Problem {
    fn describe(responses: &mut Responses<'_>) {
        if responses.carries.body {
            responses.add::<Self>(400);
            responses.add::<Self>(413);
        }
        if responses.carries.path_parameter {
            responses.add::<Self>(404);
        }
        responses.add_refusals::<Self>();
    }
}
