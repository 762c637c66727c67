//! The rows of the table.

mod build;
mod commands;
mod console;
mod counts;
mod first_calls;
mod footprint;
mod gate;
mod gate_model;
mod growth;
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
mod validate_tls;
mod webhooks;
mod workspace;
mod worlds;

use std::ops::RangeInclusive;

use crate::bench::{Result, on_one_core};
use crate::report::Line;

/// Measures some rows in this number of rounds.
type Rows = fn(usize) -> Result<Vec<Line>>;

/// Rows from this one on build everything, which takes many minutes.
pub(crate) const FIRST_SLOW: u8 = 30;
pub(crate) const LAST: i64 = 31;

pub(crate) const ALL: [(RangeInclusive<u8>, &str, Rows); 29] = [
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
    (24..=24, "24: first calls over TLS", first_calls::run),
    (25..=25, "25: validate over TLS", |rounds| on_one_core(|| validate_tls::run(rounds))),
    (26..=26, "26: instructions and system calls", |rounds| on_one_core(|| counts::run(rounds))),
    (27..=27, "27: waiting at the gate, beside a model", gate_model::run),
    (28..=28, "28: growth of the mock server's lists", growth::run),
    (29..=29, "29: size and memory of the program", footprint::run),
    (30..=30, "30: cold release builds of the clients", build::release),
    (31..=31, "31: cold builds and tests of the workspace", workspace::run),
];
