//! One difference between two replies.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// A place in which a reply of another server differs from what this mock server replies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Difference {
    /// The method and the path of the route, such as `GET /api/v1/trades/{id}`.
    pub route: String,
    /// The field, such as `trades[].status`; empty for the reply as a whole.
    pub field: String,
    /// In which way they differ.
    pub kind: DifferenceKind,
    /// What this mock server replies there, in words.
    pub expected: String,
    /// What the other server replied there, in words and without secrets.
    pub found: String,
}

/// In which way a reply differs from what this mock server replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// The HTTP status is none that the route replies with.
    Status,
    /// The body is not JSON.
    NotJson,
    /// A field that is always there is missing.
    Missing,
    /// There is a field that the mock server does not send.
    Unknown,
    /// A value is of another type, such as a string instead of a number.
    Type,
    /// A value is of the right type, but none of those that are possible there.
    Value,
}

impl Difference {
    pub(crate) fn status(route: &str, expected: &str, found: u16) -> Self {
        Self {
            route: route.to_owned(),
            field: String::new(),
            kind: DifferenceKind::Status,
            expected: expected.to_owned(),
            found: found.to_string(),
        }
    }

    pub(crate) fn not_json(route: &str, body: &[u8]) -> Self {
        let found = if body.is_empty() { "an empty body" } else { "a body that is not JSON" };
        Self {
            route: route.to_owned(),
            field: String::new(),
            kind: DifferenceKind::NotJson,
            expected: "JSON".to_owned(),
            found: found.to_owned(),
        }
    }
}

/// One line for people, without the route.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, kind, expected, found, .. } = self;
        match kind {
            DifferenceKind::Status => write!(f, "status: expected {expected}, found {found}"),
            DifferenceKind::Missing => write!(f, "{field}: missing, expected {expected}"),
            DifferenceKind::Unknown => write!(f, "{field}: unknown field, found {found}"),
            _ if field.is_empty() => write!(f, "body: expected {expected}, found {found}"),
            _ => write!(f, "{field}: expected {expected}, found {found}"),
        }
    }
}
