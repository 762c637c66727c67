//! What a client with a spending policy buys, and what it refuses.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod approvals;
mod bounties;
mod hostile;
mod limits;
mod market;
mod outcomes;
mod raised_price;
mod stores;
#[path = "../support/mod.rs"]
mod support;
mod unknown_amounts;
