//! The mock server through its public surfaces: HTTP and the typed controls.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod clock;
mod control;
mod document;
mod doors;
mod events;
mod expectations;
mod faults;
mod fixtures;
mod inspection;
mod journal;
mod lifecycle;
mod machineid;
mod machins;
mod robustness;
mod routes;
mod strict;
mod support;
mod upstream;
mod worlds;
