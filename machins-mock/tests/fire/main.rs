//! The server under fire: whatever is sent to it, it answers, keeps its invariants, stays within
//! its bounds, and stops when it is told to.
//!
//! The suite runs a small size. In full, some 200,000 requests, a few minutes:
//! `FULL_SIZE=1 cargo test -p machins-mock --test fire`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on fails"
)]

mod bounds;
mod connections;
mod fuzz;
mod routes;
mod support;
