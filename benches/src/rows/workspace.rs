//! How long those who work on the project wait: for the program, the demonstration and the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::bench::Result;
use crate::programs::folder;
use crate::report::{Bound, Figure, Line};

const MOST_WARM: f64 = 90.0;

pub(crate) fn run(_: usize) -> Result<Vec<Line>> {
    let line =
        |what: &str, seconds: f64| Line::new(31, what, "s", Figure::exact(seconds)).note("once");
    let program = ["build", "--package", "machins-cli", "--features", "full"];
    let debug = seconds(&empty("program")?, &program)?;
    let release = seconds(&empty("program")?, &[&program[..], &["--release"]].concat())?;
    let demo = seconds(&empty("demo")?, &["run", "--", "demo"])?;
    let target = empty("tests")?;
    let tests = ["test", "--workspace"];
    let cold = seconds(&target, &tests)?;
    let warm = seconds(&target, &tests)?;
    empty("tests")?;
    Ok(vec![
        line("cold debug build of `machins` with all commands", debug),
        line("cold release build of `machins` with all commands", release),
        line("`cargo run -- demo`, cold", demo),
        line("`cargo test --workspace`, cold", cold),
        line("`cargo test --workspace`, warm", warm).goal(Bound::AtMost(MOST_WARM)),
    ])
}

/// Returns an empty build folder.
fn empty(name: &str) -> Result<PathBuf> {
    let folder = folder(&format!("workspace-{name}"))?;
    fs::remove_dir_all(&folder)?;
    fs::create_dir(&folder)?;
    Ok(folder)
}

/// Runs cargo in the workspace, with this build folder.
fn seconds(target: &Path, arguments: &[&str]) -> Result<f64> {
    let mut cargo = Command::new("cargo");
    let (command, rest) = arguments.split_first().ok_or("no command")?;
    cargo.arg(command).arg("--quiet").args(rest).env("CARGO_TARGET_DIR", target);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let start = Instant::now();
    let status = cargo.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    let seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{cargo:?}: {status}").into());
    }
    Ok(seconds)
}
