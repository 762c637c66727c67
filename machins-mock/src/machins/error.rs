//! The refusals of the platform.

use std::fmt::Display;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// The code of a refusal: those that the official package turns into exceptions, and further ones
/// for refusals that it has no code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(rename = "MachinsErrorCode")]
pub(crate) enum ErrorCode {
    ValidationError,
    InsufficientFunds,
    Unauthorized,
    Forbidden,
    NotFound,
    Duplicate,
    PayloadTooLarge,
    InvalidTransition,
}

impl ErrorCode {
    pub(crate) const ALL: [Self; 8] = [
        Self::ValidationError,
        Self::InsufficientFunds,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Duplicate,
        Self::PayloadTooLarge,
        Self::InvalidTransition,
    ];
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
    pub(crate) details: Map<String, Value>,
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Map::new() }
    }

    /// Returns whether something that must be unique is there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.code == ErrorCode::Duplicate
    }

    /// Adds a detail for programs.
    pub(crate) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the refusal of a field's value.
    pub(crate) fn field(field: &str, rule: impl Display) -> Self {
        let message = format!("`{field}`: {rule}");
        Self::new(ErrorCode::ValidationError, message).detail("field", field)
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::ValidationError, message)
    }

    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(ErrorCode::Unauthorized, message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no such {what}"))
    }

    /// Returns the refusal of a value that must be unique.
    pub(crate) fn duplicate(field: &str, message: &str) -> Self {
        Self::new(ErrorCode::Duplicate, message).detail("field", field)
    }

    pub(crate) fn transition(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidTransition, message)
    }
}
