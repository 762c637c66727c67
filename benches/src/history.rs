//! The history of runs: a file with a line for each, so that a regression is seen.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use crate::bench::Result;
use crate::report::{Figure, Line, Report, Short, Times};

/// A figure that was taken once shows no spread. It is worse only if it differs by this part.
const SPREAD_OF_ONE: f64 = 0.03;

/// Reads the runs, the oldest first. There are none if the file is missing.
pub(crate) fn read(path: &Path) -> Result<Vec<Report>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let runs = text.lines().enumerate().map(|(number, line)| {
        serde_json::from_str(line)
            .map_err(|error| format!("{}, line {}: {error}", path.display(), number + 1).into())
    });
    runs.collect()
}

pub(crate) fn append(path: &Path, report: &Report) -> Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    Ok(writeln!(file, "{}", serde_json::to_string(report)?)?)
}

/// Returns a sentence for each figure that is worse than in the last run of the same row on a machine of
/// the same kind, by more than their spread.
pub(crate) fn regressions(history: &[Report], now: &Report) -> Vec<String> {
    let comparable: Vec<_> =
        history.iter().rev().filter(|run| run.machine.is_like(&now.machine)).collect();
    let mut sentences = Vec::new();
    for line in &now.lines {
        let mut before = comparable.iter().filter_map(|run| {
            let same = run.lines.iter().find(|other| key(other) == key(line))?;
            Some((&run.commit, same))
        });
        if let Some((commit, before)) = before.next()
            && let (Some(old), Some(new)) = (before.figure_or_ratio(), line.figure_or_ratio())
            && is_worse(old, new, line.is_rate())
        {
            let Line { row, what, unit, .. } = line;
            let change = match &line.against {
                Some(other) => {
                    format!("{} → {} of {}", Times(old.median), Times(new.median), other.what)
                }
                None => format!("{} → {} {unit}", Short(old.median), Short(new.median)),
            };
            sentences.push(format!("slower than {commit}: {row} {what}: {change}"));
        }
    }
    sentences
}

/// What makes two lines figures of the same thing. A note may contain figures of its own.
fn key(line: &Line) -> (u8, &str, &str, Option<&str>) {
    let against = line.against.as_ref().map(|against| against.what.as_str());
    (line.row, &line.what, &line.unit, against)
}

/// The middle halves of the rounds do not overlap.
fn is_worse(old: Figure, new: Figure, more_is_better: bool) -> bool {
    let (old, new) = (with_spread(old), with_spread(new));
    if more_is_better { new.high < old.low } else { new.low > old.high }
}

fn with_spread(figure: Figure) -> Figure {
    if figure.low < figure.high {
        return figure;
    }
    let half = figure.median.abs() * SPREAD_OF_ONE / 2.0;
    Figure { low: figure.low - half, high: figure.high + half, ..figure }
}

/// Returns the commit of the sources, with a `+` if they were changed since.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-C", concat!(env!("CARGO_MANIFEST_DIR"), "/..")]).args(arguments);
        command.output().ok().filter(|output| output.status.success())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    // What runs and their readers write.
    let others = [":!benches/history.jsonl", ":!docs", ":!*.md"];
    let diff = git(&[&["diff", "--quiet", "HEAD", "--", "."][..], &others].concat());
    let mark = if diff.is_some() { "" } else { "+" };
    format!("{}{mark}", String::from_utf8_lossy(&commit.stdout).trim())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(commit: &str, cpu: &str, lines: Vec<Line>) -> Report {
        let machine = json!({
            "cpu": cpu, "cores": 2, "memory_gib": 8, "system": "Linux", "compiler": "rustc",
        });
        Report {
            date: "2026-01-01".to_owned(),
            commit: commit.to_owned(),
            machine: serde_json::from_value(machine).unwrap(),
            rounds: 3,
            lines,
        }
    }

    fn cost(low: f64, median: f64, high: f64) -> Line {
        Line::new(1, "a call", "µs", Figure { median, low, high })
    }

    #[test]
    fn a_slower_row_names_the_last_comparable_run() {
        let history = [
            run("aaa", "one", vec![cost(1.0, 2.0, 3.0)]),
            run("bbb", "one", vec![cost(8.0, 9.0, 10.0)]),
            run("ccc", "another", vec![cost(1.0, 2.0, 3.0)]),
            run("ddd", "one", vec![Line::new(2, "a call", "µs", Figure::exact(1.0))]),
        ];
        let now = |line| regressions(&history, &run("now", "one", vec![line]));
        assert_eq!(now(cost(11.0, 12.0, 13.0)), ["slower than bbb: 1 a call: 9 → 12 µs"]);
        assert!(now(cost(9.5, 12.0, 13.0)).is_empty(), "the spreads overlap");
        assert!(now(cost(1.0, 2.0, 3.0)).is_empty(), "it is faster");
        assert!(now(Line::new(3, "new", "µs", Figure::exact(1.0))).is_empty());
        assert!(now(Line::not_measured(1, "a call", "valgrind is missing")).is_empty());
    }

    #[test]
    fn a_rate_is_worse_when_it_falls() {
        let rate = |figure| Line::new(1, "calls", "calls/s", Figure::exact(figure));
        let history = [run("aaa", "one", vec![rate(100.0)])];
        let now = |figure| regressions(&history, &run("now", "one", vec![rate(figure)]));
        assert_eq!(now(90.0), ["slower than aaa: 1 calls: 100 → 90 calls/s"]);
        assert!(now(98.0).is_empty(), "a figure that was taken once");
        assert!(now(110.0).is_empty());
    }

    #[test]
    fn beside_another_side_the_ratio_counts() {
        let line = |figure, ratio| {
            let [figure, ratio] = [figure, ratio].map(Figure::exact);
            Line::new(1, "a call", "µs", figure).against("bare", figure, ratio)
        };
        let history = [run("aaa", "one", vec![line(10.0, 1.0)])];
        let now = |line| regressions(&history, &run("now", "one", vec![line]));
        assert!(now(line(20.0, 1.0)).is_empty(), "the machine is slower, for both");
        assert_eq!(now(line(10.0, 1.2)), ["slower than aaa: 1 a call: 1 → 1.2 of bare"]);
    }

    #[test]
    fn runs_are_read_in_the_order_they_were_appended() {
        let folder = std::env::temp_dir().join(format!("bench-history-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("history.jsonl");
        assert!(read(&path).unwrap().is_empty());
        let line = Line::not_measured(1, "a call", "valgrind is missing");
        append(&path, &run("aaa", "one", vec![line])).unwrap();
        append(&path, &run("bbb", "one", vec![cost(1.0, 2.0, 3.0)])).unwrap();
        let commits: Vec<_> = read(&path).unwrap().into_iter().map(|run| run.commit).collect();
        assert_eq!(commits, ["aaa", "bbb"]);
        fs::remove_dir_all(folder).unwrap();
    }
}
