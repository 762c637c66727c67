//! The gate: fails closed, shares requests only where it is safe, ends work on a denial.
#![allow(clippy::unwrap_used, reason = "tests")]

#[cfg(feature = "blocking")]
mod blocking;
mod check;
mod clock;
mod coalescing;
#[cfg(feature = "tower")]
mod layer;
mod observer;
mod outage;
mod rate_limit;
mod registration;
#[cfg(feature = "axum")]
mod response;
mod servers;
mod supervise;
#[path = "../support/mod.rs"]
mod support;
