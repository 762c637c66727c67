//! Instructions and system calls of a call, which do not depend on the machine's day.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bench::Result;
use crate::programs::{folder, succeed, tool};
use crate::report::{Bound, Figure, Line};
use crate::server;

/// A program makes so many calls, and then twice as many: the difference is what the calls take, without its
/// start and its end.
const CALLS: u32 = 500;
const MOST_INSTRUCTIONS: f64 = 1.04;

/// Runs a program with these arguments and returns how many instructions, or system calls, it took.
type Counter = fn(&Path, &[&str]) -> Result<f64>;

const COUNTERS: [(&str, &str, Counter); 2] =
    [("instructions", "valgrind", instructions), ("system calls", "strace", system_calls)];

/// Ours, what it is compared with, and how they are named; the last has no goal.
const PAIRS: [(&str, &str, &str, &str, bool); 3] = [
    ("ours", "bare", "`validate`, async", "bare reqwest", true),
    ("ours-blocking", "bare-blocking", "`validate`, blocking", "reqwest::blocking", true),
    ("ours-blocking", "ureq", "`validate`, blocking", "ureq", false),
];

pub(crate) fn run(_: usize) -> Result<Vec<Line>> {
    let url = format!("http://{}", server::start(|_| server::decision())?);
    let program = tool("calls")?;
    let mut lines = Vec::new();
    for (unit, needs, count) in COUNTERS {
        if Command::new(needs).arg("--version").output().is_err() {
            let reason = format!("{needs} is missing");
            lines.push(Line::not_measured(26, format!("{unit} of a `validate`"), &reason));
            continue;
        }
        let each = |client: &str| -> Result<f64> {
            let of = |calls: u32| count(&program, &[client, &url, &calls.to_string()]);
            Ok((of(2 * CALLS)? - of(CALLS)?) / f64::from(CALLS))
        };
        for (ours, theirs, what, name, has_goal) in PAIRS {
            let (ours, theirs) = (each(ours)?, each(theirs)?);
            let line =
                Line::new(26, format!("{what}: {unit} of a call"), unit, Figure::exact(ours));
            let ratio = Figure::exact(ours / theirs);
            let line = line.against(name, Figure::exact(theirs), ratio);
            lines.push(match (has_goal, unit) {
                (false, _) => line,
                (true, "instructions") => line.goal(Bound::AtMost(MOST_INSTRUCTIONS)),
                // A process may be woken before all has arrived, or not.
                (true, _) => line.goal_text("no more", ours - theirs < 0.5),
            });
        }
    }
    Ok(lines)
}

/// Those of the processor, without those of the kernel.
fn instructions(program: &Path, arguments: &[&str]) -> Result<f64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    let output = valgrind.arg(program).args(arguments).output()?;
    let report = String::from_utf8_lossy(&output.stderr);
    let count = report.lines().find_map(|line| line.split_once("Collected :"));
    let (_, count) = count.ok_or_else(|| format!("valgrind counted nothing: {report}"))?;
    Ok(count.trim().parse()?)
}

fn system_calls(program: &Path, arguments: &[&str]) -> Result<f64> {
    let table = folder("strace")?.join("calls");
    let mut strace = Command::new("strace");
    strace.args(["-c", "-f", "-o"]).arg(&table).arg(program);
    succeed(strace.args(arguments))?;
    let text = fs::read_to_string(table)?;
    let total = text.lines().find(|line| line.ends_with("total")).ok_or("no total")?;
    // Percent, seconds, microseconds a call, calls.
    Ok(total.split_whitespace().nth(3).ok_or("no calls")?.parse()?)
}
