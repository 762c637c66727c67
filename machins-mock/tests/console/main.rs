//! The console in a real browser: Chromium, driven by Playwright, with axe for accessibility.
//!
//! Where there is no Chromium, or no Node with npm, these tests say so and pass, unless
//! `REQUIRE_BROWSER` is set.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and one that is skipped says so"
)]

mod browser;
mod doors;
mod pages;
mod restart;
mod screenshots;
