//! The chain of hashes: whether a line is what was written after the line before it.

use std::fmt;

use super::entry::{Entry, NO_HASH};

/// What is wrong with a line of a decision log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The line is not an entry of a decision log. Contains what is wrong with it.
    Malformed(String),
    /// The line is not the one that was written: its hash is not that of its text.
    Changed,
    /// The line does not follow the one before it: lines were removed, inserted or moved here.
    OutOfOrder,
    /// The line is the first one here, but not the first one of the log: those before it are missing.
    /// Contains the hash of the last of them.
    NoBeginning(String),
    /// The line has no line break: it was being written when the machine or the program stopped, or
    /// its end was cut off.
    Unfinished,
    /// The line is the last one, but none has the expected hash: the lines after it were removed.
    CutOff,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "is not an entry of a decision log: {why}"),
            Self::Changed => f.write_str("was changed: its hash is not that of its text"),
            Self::OutOfOrder => f.write_str(
                "does not follow the line before it: lines were removed, inserted or moved here",
            ),
            Self::NoBeginning(hash) => write!(
                f,
                "is not the first of the log: the lines before it are missing, the last of which \
                 has the hash {hash}"
            ),
            Self::Unfinished => f.write_str(
                "is unfinished: it was being written when the machine or the program stopped, or \
                 its end was cut off",
            ),
            Self::CutOff => f.write_str(
                "is the last, and no line has the expected hash: lines after it were removed",
            ),
        }
    }
}

/// How far a chain has been checked.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    head: String,
    is_empty: bool,
}

impl Chain {
    /// Creates a chain that begins after the line with this hash, or with the first line of a log.
    pub(super) fn after(hash: Option<&str>) -> Self {
        Self { head: hash.unwrap_or(NO_HASH).to_owned(), is_empty: true }
    }

    /// Returns the hash of the last line.
    pub(super) fn head(&self) -> &str {
        &self.head
    }

    /// Checks the next line, without its line break.
    pub(super) fn follow(&mut self, line: &[u8]) -> Result<Entry, Problem> {
        let entry = Entry::parse(line).map_err(Problem::Malformed)?;
        if !entry.matches(line) {
            return Err(Problem::Changed);
        }
        if entry.previous_hash != self.head {
            return Err(if self.is_empty {
                Problem::NoBeginning(entry.previous_hash)
            } else {
                Problem::OutOfOrder
            });
        }
        self.head.clone_from(&entry.hash);
        self.is_empty = false;
        Ok(entry)
    }
}
