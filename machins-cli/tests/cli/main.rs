//! The program as its users run it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says so if it can't run"
)]

mod api;
#[cfg(all(unix, feature = "console"))]
#[path = "../../../machins-mock/tests/console/browser.rs"]
mod browser;
mod certificates;
#[cfg(target_os = "linux")]
mod completions;
mod config;
mod decision_log;
mod denials;
mod devices;
mod doctor;
#[cfg(unix)]
mod drift;
mod events;
#[cfg(unix)]
mod examples;
mod formats;
#[cfg(unix)]
mod golden;
#[cfg(unix)]
mod guard;
mod help;
mod home;
mod hook;
#[cfg(unix)]
mod hostile;
mod identity;
#[cfg(unix)]
mod ids;
#[cfg(unix)]
mod input;
mod insecure_http;
mod join;
mod listen;
mod marketplace;
mod messages;
mod mock;
#[cfg(unix)]
mod mock_exec;
#[cfg(unix)]
mod next_steps;
#[cfg(target_os = "linux")]
mod once;
#[cfg(unix)]
mod readme;
mod receiver;
mod resend;
mod secrets;
mod shop;
#[cfg(target_os = "linux")]
mod spending;
mod stub;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(unix)]
mod testing_examples;
mod trades;
mod trigger;
