//! The rows of the table.

mod build;
mod commands;
mod console;
mod gate;
mod guard;
mod hook;
mod inbox;
mod marketplace;
mod mcp;
mod memory;
mod mock;
mod python;
mod relay;
mod tls;
mod trades;
mod validate;
mod webhooks;
mod worlds;

use std::ops::RangeInclusive;

use crate::bench::{Result, on_one_core};
use crate::report::Line;

/// Measures some rows in this number of rounds.
type Rows = fn(usize) -> Result<Vec<Line>>;

/// Rows from this one on build everything, which takes many minutes.
pub(crate) const FIRST_SLOW: u8 = 24;
pub(crate) const LAST: i64 = 23;

pub(crate) const ALL: [(RangeInclusive<u8>, &str, Rows); 21] = [
    (1..=3, "1-3: validate beside bare HTTP clients", |rounds| {
        on_one_core(|| validate::run(rounds))
    }),
    (4..=4, "4: beside the Python packages", |rounds| on_one_core(|| python::run(rounds))),
    (5..=5, "5: the gate", gate::run),
    (6..=6, "6: whole processes", commands::run),
    (7..=7, "7: the mock server's throughput", mock::throughput),
    (8..=8, "8: the mock server's start", mock::start),
    (9..=9, "9: searching the marketplace", |rounds| on_one_core(|| marketplace::run(rounds))),
    (10..=10, "10: trades", trades::run),
    (11..=11, "11: webhooks", webhooks::run),
    (12..=12, "12: building", build::run),
    (13..=13, "13: memory and long lists", memory::run),
    (14..=14, "14: the inbox", inbox::run),
    (15..=15, "15: from a revoke to the end of everything", guard::revoke),
    (16..=16, "16: what guard costs", guard::watching),
    (17..=17, "17: the MCP gate", mcp::run),
    (18..=18, "18: the mock server's journal, waits and worlds", worlds::run),
    (19..=19, "19: the console's pages", console::pages),
    (20..=20, "20: what an open page costs", console::open_page),
    (21..=21, "21: the hook", hook::run),
    (22..=22, "22: the relay", relay::run),
    (23..=23, "23: from a cold start over TLS", tls::run),
];
