//! The structure of the code base, read from its sources: which crate and which file may use
//! which, how long a file may be, and what every public comment has.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod comments;
mod crates;
mod layers;
mod source;
