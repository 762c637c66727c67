//! The mock server through its public surfaces: HTTP and the typed controls.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on fails"
)]

mod batches;
mod control;
mod devices;
mod document;
mod expectations;
mod faults;
mod lifecycle;
mod market_document;
mod routes;
mod support;
mod validate;
