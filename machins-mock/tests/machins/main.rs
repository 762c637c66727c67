//! The marketplace through its public surfaces: HTTP and the typed controls.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on fails"
)]

mod controls;
mod deliveries;
mod disputes;
mod inboxes;
mod joining;
mod listings;
mod marketplace;
mod owners;
mod public;
mod receiver;
mod snapshots;
mod storm;
mod support;
mod trades;
mod wallets;
mod webhooks;
