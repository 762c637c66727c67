//! The structure of the code base, read from its sources: which crate and which file may use
//! which, how long a file may be, and what every public comment has.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod comments;
mod crates;
mod layers;
mod source;
