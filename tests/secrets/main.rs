//! What is secret is shown nowhere.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod destinations;
mod exported;
mod logs;
mod public_types;
mod world;
