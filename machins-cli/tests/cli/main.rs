//! The program as its users run it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod config;
mod denials;
mod devices;
mod events;
#[cfg(unix)]
mod examples;
#[cfg(unix)]
mod golden;
#[cfg(unix)]
mod guard;
mod help;
mod home;
mod hook;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod ids;
#[cfg(unix)]
mod input;
mod join;
mod marketplace;
mod mock;
#[cfg(unix)]
mod readme;
mod secrets;
mod shop;
mod stub;
#[cfg(target_os = "linux")]
mod terminal;
mod trades;
