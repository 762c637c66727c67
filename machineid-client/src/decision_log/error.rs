//! Errors of a decision log.

use std::io;
use std::path::{Path, PathBuf};

use super::chain::Problem;

/// Why a decision could not be written to a decision log, or why a log could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file is not a decision log, so nothing was written to it.
    #[error("{} is not a decision log, so nothing was written to it: {why}", path.display())]
    NotALog {
        /// The path of the file.
        path: PathBuf,
        /// What the file is instead.
        why: String,
    },
    /// Another process has locked the file for longer than a second.
    #[error("the decision log {} has been locked by another process for a second", path.display())]
    Locked {
        /// The path of the file.
        path: PathBuf,
    },
    /// The file could not be read or written in time, or too many decisions are waiting for that.
    #[error("the decision log {} is not written fast enough", path.display())]
    TooSlow {
        /// The path of the file.
        path: PathBuf,
    },
    /// The operating system refused an operation on the file.
    #[error("the decision log {} could not be {action}: {error}", path.display())]
    Io {
        /// The path of the file.
        path: PathBuf,
        /// What could not be done, for example `written`.
        action: &'static str,
        /// Why the operating system refused.
        error: io::Error,
    },
    /// A line is not what was written, or not where it was written.
    #[error("{}: line {line} {problem}", path.display())]
    Broken {
        /// The path of the file.
        path: PathBuf,
        /// Number of the line in the file, beginning at 1.
        line: u64,
        /// What is wrong with the line.
        problem: Problem,
    },
}

impl LogError {
    /// Returns a function that makes this error of an error of the operating system.
    pub(super) fn io(path: &Path, action: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Io { path: path.to_owned(), action, error }
    }

    pub(super) fn not_a_log(path: &Path, why: impl Into<String>) -> Self {
        Self::NotALog { path: path.to_owned(), why: why.into() }
    }
}
