//! The program as its users run it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod commands;
mod config;
#[cfg(unix)]
mod guard;
mod hostile;
mod join;
mod market;
mod mock;
mod run;
mod secrets;
mod shop;
#[cfg(target_os = "linux")]
mod terminal;
mod tree;
