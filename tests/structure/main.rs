//! The structure of the repository, read from its sources: which crate and which file may use
//! which, how long a file may be, that public comments are sentences, and that pages refer to what
//! exists.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod comments;
mod constructors;
mod crates;
mod documents;
mod exhaustive;
mod layers;
mod source;
