//! A decision log: a file with one JSON line for each decision, chained by hashes.
//!
//! [`Gate::decision_log`](crate::Gate::decision_log) writes every decision of a gate to a
//! [`DecisionLog`]; [`Verifier`] finds a line that was changed, removed, inserted or moved, and
//! [`entries`] reads the log.
//!
//! # The format
//!
//! A line has the fields of an [`Entry`], the last of which is `hash`: the SHA-256, in lowercase
//! hexadecimal, of the line's bytes before `,"hash"`. `previous_hash` is the hash of the line before,
//! in the first line of a log 64 zeros. So a line cannot be changed, removed, inserted or moved
//! without changing every later hash, and whoever keeps the hash of one line elsewhere can prove all
//! lines up to it. Without such a hash the end of a log can be cut off unnoticed, and whoever may
//! write to the file can write all of it anew.
//!
//! # Rotation
//!
//! A log is continued in a new file after the file was renamed, by another program or because of
//! [`DecisionLog::max_bytes`]: the first line of the new file names the last hash of the old one. The
//! old file stays in the same folder, and its name is that of the log followed by `.` or `-` and more.
//! It must not be compressed before the new one has its first line.
//!
//! # After a crash
//!
//! A line that was being written when the machine stopped has no line break. [`Verifier`] names it.
//! The next entry takes its place, and its `discarded_bytes` says how much was there.

mod append;
mod chain;
mod entry;
mod error;
mod lines;
mod lock;
mod log;
mod rotated;
mod verify;
mod writer;

pub use chain::Problem;
pub use entry::{Entry, Record};
pub use error::LogError;
pub use log::DecisionLog;
pub use verify::{Entries, Verified, Verifier, entries};
