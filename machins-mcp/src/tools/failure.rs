//! Why a tool did not do what it was asked, in words for a model.

use machins_client::{Error, ErrorKind};
use serde_json::{Value, json};

use super::text::{LONG, clean};

/// Why a tool did not do what it was asked.
#[derive(Debug)]
pub(super) struct ToolFailure {
    kind: &'static str,
    message: String,
}

impl ToolFailure {
    pub(super) fn arguments(error: &serde_json::Error) -> Self {
        Self { kind: "invalid_arguments", message: error.to_string() }
    }

    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What a model reads. The message may repeat what the service says, and so is cleaned.
    pub(super) fn document(&self) -> Value {
        json!({"error": {"kind": self.kind, "message": clean(&self.message, LONG)}})
    }
}

impl From<Error> for ToolFailure {
    fn from(error: Error) -> Self {
        let mut message = format!("{error:#}");
        if matches!(error.kind(), ErrorKind::Policy | ErrorKind::ApprovalNeeded) {
            message.push_str(
                ". Only the owner of this machine decides that; no argument and no other tool changes it.",
            );
        }
        Self { kind: error.kind().as_str(), message }
    }
}
