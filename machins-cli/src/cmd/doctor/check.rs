//! One check, and what came of it.

use serde::Serialize;

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Ok,
    /// It works, but perhaps not as wanted.
    Warning,
    Failed,
    /// There was nothing to check, or something before it failed.
    Skipped,
}

/// One check: what was looked at, what came of it, and what to do about it.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) status: Status,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cure: Option<String>,
    /// Whether the config or a key is what is checked.
    #[serde(skip)]
    setup: bool,
}

impl Check {
    fn new(name: &str, status: Status, message: impl Into<String>) -> Self {
        Self { name: name.into(), status, message: message.into(), cure: None, setup: false }
    }

    pub(super) fn ok(name: &str, message: impl Into<String>) -> Self {
        Self::new(name, Status::Ok, message)
    }

    pub(super) fn warning(name: &str, message: impl Into<String>, cure: &str) -> Self {
        Self { cure: Some(cure.into()), ..Self::new(name, Status::Warning, message) }
    }

    pub(super) fn failed(name: &str, message: impl Into<String>, cure: &str) -> Self {
        Self { cure: Some(cure.into()), ..Self::new(name, Status::Failed, message) }
    }

    pub(super) fn skipped(name: &str, message: impl Into<String>) -> Self {
        Self::new(name, Status::Skipped, message)
    }

    /// A value that is not set, and how to set it.
    pub(super) fn not_set(name: &str, how: &str) -> Self {
        Self { cure: Some(how.into()), ..Self::skipped(name, "not set") }
    }

    /// Marks a check of the config or of a key.
    pub(super) fn of_setup(self) -> Self {
        Self { setup: true, ..self }
    }

    pub(super) fn is_setup(&self) -> bool {
        self.setup
    }
}
