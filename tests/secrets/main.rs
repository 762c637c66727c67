//! Secrets do not appear in `Debug` output, logs, errors or the journal, and go to one address
//! only.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod destinations;
mod exported;
mod logs;
mod public_types;
mod world;
