//! Measures the project and what it is compared with, in one run.
//!
//! ```sh
//! cargo run --profile libraries -p client-benchmarks               # all rows; writes docs/benchmarks.* and docs/growth.svg
//! cargo run --profile libraries -p client-benchmarks -- 1 5        # these rows; only prints them
//! cargo run --profile libraries -p client-benchmarks -- --table    # the table of the last run of all rows
//! ```
//!
//! Each run is added to benches/history.jsonl, and figures that are worse than before are named.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod bare;
mod bench;
mod chart;
mod compare;
mod history;
mod load;
mod lock_time;
mod machine;
mod programs;
mod report;
mod rows;
mod server;
mod tls;
mod tls_server;

use std::fmt::Display;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use jiff::Zoned;

use crate::bench::Result;
use crate::machine::Machine;
use crate::report::Report;

/// Measures the project and what it is compared with. A run of all rows writes docs/benchmarks.json,
/// docs/benchmarks.svg and docs/growth.svg. Each run is added to benches/history.jsonl.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
struct Arguments {
    /// The rows to measure [default: all, without the builds that take many minutes]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=rows::LAST))]
    rows: Vec<u8>,
    /// How many times to measure each side
    #[arg(long, default_value = "40")]
    rounds: NonZero<usize>,
    /// Measure all rows, with the builds that take many minutes
    #[arg(long, conflicts_with = "rows")]
    slow: bool,
    /// Print the table of the last run of all rows, without measuring
    #[arg(long, conflicts_with_all = ["rows", "rounds", "slow", "json"])]
    table: bool,
    /// Only print: write no file, and do not add the run to the history
    #[arg(long)]
    no_history: bool,
    /// Print the results as JSON, and write no file
    #[arg(long)]
    json: bool,
    /// Another build of this program, to be run in turns with this one
    #[arg(long, value_name = "PROGRAM", requires_all = ["rows", "name"])]
    compare: Option<PathBuf>,
    /// What to call the other build
    #[arg(long, requires = "compare")]
    name: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if cfg!(panic = "abort") {
        eprintln!(
            "warning: built with --release, which is for size: measure with --profile libraries"
        );
    }
    let Arguments { rows, rounds, slow, .. } = arguments;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = here.join("../docs");
    let json = docs.join("benchmarks.json");
    if arguments.table {
        let named = |error: &dyn Display| format!("{}: {error}", json.display());
        let text = fs::read_to_string(&json).map_err(|error| named(&error))?;
        let report: Report = serde_json::from_str(&text).map_err(|error| named(&error))?;
        print!("{}", report.markdown());
        return Ok(());
    }
    if let (Some(program), Some(name)) = (&arguments.compare, &arguments.name) {
        print!("{}", compare::run(program, name, rows, rounds.get())?.markdown());
        return Ok(());
    }
    // This process has thousands of servers and connections.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let (report, failed) = measure(rows, rounds.get(), *slow);
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
        return failed;
    }
    print!("{}", report.markdown());
    if !arguments.no_history && !report.lines.is_empty() {
        let path = here.join("history.jsonl");
        let history = history::read(&path)?;
        for sentence in history::regressions(&history, &report) {
            println!("{sentence}");
        }
        history::append(&path, &report)?;
    }
    failed?;
    if rows.is_empty() && !arguments.no_history {
        fs::write(json, serde_json::to_string_pretty(&report)? + "\n")?;
        fs::write(docs.join("benchmarks.svg"), chart::ratios(&report))?;
        fs::write(docs.join("growth.svg"), chart::growth(&report)?)?;
    }
    Ok(())
}

/// Measures some rows, or all. A row that fails does not keep the others from being measured.
fn measure(rows: &[u8], rounds: usize, slow: bool) -> (Report, Result<()>) {
    let (mut lines, mut failed) = (Vec::new(), Ok(()));
    for (numbers, name, run) in rows::ALL {
        let is_default = slow || *numbers.start() < rows::FIRST_SLOW;
        if rows.iter().any(|row| numbers.contains(row)) || rows.is_empty() && is_default {
            eprintln!("{name} …");
            match run(rounds) {
                Ok(measured) => lines.extend(measured),
                Err(error) => {
                    eprintln!("{name} failed: {error}");
                    failed = Err(format!("{name} failed: {error}").into());
                }
            }
        }
    }
    lines.sort_by_key(|line| line.row);
    let date = Zoned::now().date().to_string();
    let (commit, machine) = (history::commit(), Machine::this());
    (Report { date, commit, machine, rounds, lines }, failed)
}
