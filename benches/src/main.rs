//! Measures the project and what it is compared with, in one run.
//!
//! ```sh
//! cargo run --release -p client-benchmarks            # all rows; writes docs/benchmarks.*
//! cargo run --release -p client-benchmarks -- 1 5     # these rows; only prints them
//! cargo run --release -p client-benchmarks -- --table # the table of the last run of all rows
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod bench;
mod chart;
mod load;
mod lock_time;
mod machine;
mod programs;
mod report;
mod rows;
mod server;
mod tls;

use std::fs;
use std::path::Path;

use clap::Parser;
use jiff::Zoned;

use crate::bench::Result;
use crate::machine::Machine;
use crate::report::Report;

/// Measures the project and what it is compared with. A run of all rows writes docs/benchmarks.json
/// and docs/benchmarks.svg.
#[derive(Parser)]
struct Arguments {
    /// The rows to measure [default: all].
    #[arg(value_parser = clap::value_parser!(u8).range(1..=21))]
    rows: Vec<u8>,
    /// How many times to measure each side.
    #[arg(long, default_value_t = 40)]
    rounds: usize,
    /// Print the table of the last run of all rows, without measuring.
    #[arg(long, conflicts_with_all = ["rows", "rounds"])]
    table: bool,
}

fn main() -> Result<()> {
    let Arguments { rows, rounds, table } = Arguments::parse();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let json = docs.join("benchmarks.json");
    if table {
        let report: Report = serde_json::from_str(&fs::read_to_string(json)?)?;
        print!("{}", report.markdown());
        return Ok(());
    }
    // This process has thousands of servers and connections.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let mut lines = Vec::new();
    for (numbers, name, run) in rows::ALL {
        if rows.is_empty() || rows.iter().any(|row| numbers.contains(row)) {
            eprintln!("{name} …");
            lines.extend(run(rounds)?);
        }
    }
    let date = Zoned::now().date().to_string();
    let mut report = Report { date, machine: Machine::this(), rounds, lines };
    report.lines.sort_by_key(|line| line.row);
    if rows.is_empty() {
        fs::write(json, serde_json::to_string_pretty(&report)? + "\n")?;
        fs::write(docs.join("benchmarks.svg"), chart::draw(&report))?;
    }
    print!("{}", report.markdown());
    Ok(())
}
