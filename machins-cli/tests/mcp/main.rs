//! `machins mcp gate` and `machins mcp serve` with the official clients and servers of MCP.
//!
//! These tests install pinned packages with pip and npm into folders of the build directory. Where
//! there is no Python with pip, or no Node with npm, they say so and pass, unless `REQUIRE_PYTHON` or
//! `REQUIRE_NODE` is set, as CI does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod clients;
mod hostile;
mod install;
mod kept;
mod official;
mod serve;
mod shop;
mod world;
