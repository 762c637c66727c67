//! The program as its users run it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod commands;
mod config;
mod denials;
mod events;
#[cfg(unix)]
mod examples;
#[cfg(unix)]
mod golden;
#[cfg(unix)]
mod guard;
mod help;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod ids;
#[cfg(unix)]
mod input;
mod join;
mod market;
mod mock;
#[cfg(unix)]
mod readme;
mod run;
mod secrets;
mod shop;
mod stub;
#[cfg(target_os = "linux")]
mod terminal;
mod trades;
