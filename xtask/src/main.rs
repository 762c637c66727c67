//! `cargo xtask`: what the project does with itself that Cargo has no command for.
#![allow(clippy::print_stderr, reason = "a program for a terminal")]

mod bench;
mod dist;
mod npm_release;
mod project;
mod release;
mod tools;

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::project::Project;

/// Tasks of the project's own
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Task {
    /// Measure rows of the benchmarks with another revision and the working tree, in turns
    Bench {
        /// Revision to compare with, such as main or HEAD~1
        #[arg(long, value_name = "REV")]
        compare: String,
        /// How many times to measure each [default: 40]
        #[arg(long)]
        rounds: Option<NonZero<usize>>,
        /// Rows to measure: see benches/README.md
        #[arg(required = true, value_parser = clap::value_parser!(u8).range(1..))]
        rows: Vec<u8>,
    },
    /// Build the packages, and with --check use each as its users would
    Dist {
        /// Folder for the packages
        #[arg(long, value_name = "DIR", default_value = "target/packages")]
        out: PathBuf,
        /// Install each package into an empty place and use it
        #[arg(long)]
        check: bool,
        /// Only the Python and the npm package, with a debug build for this machine alone
        #[arg(long)]
        debug: bool,
    },
    /// Prepare a release: check what must hold, and change the version everywhere
    Release {
        /// Version to release, such as 1.2.3
        version: String,
        /// Change nothing: only check that the sources are of this version
        #[arg(long)]
        check: bool,
    },
    /// Split the npm packages of several platforms into those that are published
    NpmRelease {
        /// Folder for the packages
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Packages that dist has built, one for each platform
        #[arg(required = true)]
        tarballs: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let project = Project::read()?;
    match task {
        Task::Bench { compare, rounds, rows } => bench::run(&project, &compare, rounds, &rows),
        Task::Dist { out, check, debug } => dist::run(&project, &out, check, debug),
        Task::Release { version, check: true } => release::check(&project, &version),
        Task::Release { version, check: false } => release::prepare(&project, &version),
        Task::NpmRelease { out, tarballs } => npm_release::run(&project, &out, &tarballs),
    }
}
