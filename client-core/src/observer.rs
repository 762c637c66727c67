//! What a program is told about each call, for its metrics.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;

use crate::error::{Error, ErrorKind};

/// How a call ended, for [`ClientOptions::observer`](crate::ClientOptions::observer).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallSummary {
    /// The name of the endpoint, for example `machins.accept_trade`; `call` if it has none.
    pub operation: &'static str,
    /// The HTTP method of the call, for example `POST`.
    pub method: Method,
    /// The template of the path, for example `/trades/{id}/accept`.
    pub template: String,
    /// How the call ended.
    pub outcome: CallOutcome,
    /// The HTTP status of the last reply; `None` if there was no reply.
    pub status: Option<u16>,
    /// The number of times that the call was sent, without the calls that asked about its outcome.
    pub attempts: u32,
    /// The time from the first poll to the end: all attempts and the waits between them.
    pub duration: Duration,
}

#[cfg(feature = "test-util")]
impl CallSummary {
    /// Creates the summary of a `GET` that was sent once, for tests (feature `test-util`). Its other
    /// fields can be set afterwards.
    #[must_use]
    pub fn new(operation: &'static str, outcome: CallOutcome) -> Self {
        Self {
            operation,
            method: Method::GET,
            template: String::new(),
            outcome,
            status: None,
            attempts: 1,
            duration: Duration::ZERO,
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// The call returned its reply.
    Success,
    /// The call returned an error of this kind.
    Failed(ErrorKind),
    /// The future was dropped before the call had ended.
    Cancelled,
}

impl CallOutcome {
    /// Returns a stable name: `success`, `cancelled`, or that of the error's kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed(kind) => kind.as_str(),
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn from_result<R>(result: &Result<R, Error>) -> Self {
        match result {
            Ok(_) => Self::Success,
            Err(error) => Self::Failed(error.kind()),
        }
    }
}

impl fmt::Display for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

pub(crate) type Observer = Arc<dyn Fn(&CallSummary) + Send + Sync>;
