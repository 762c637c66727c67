//! Two builds of the benchmarks, run in turns.

use std::path::Path;
use std::process::Command;

use crate::bench::Result;
use crate::programs::succeed;
use crate::report::{Figure, Line, Report};

/// The number of rounds of one turn. What a row prepares is prepared in each turn.
const ROUNDS_OF_A_TURN: usize = 5;

/// Runs some rows of this program and of another build of it in turns, and returns the figures of this one
/// beside the other's.
pub(crate) fn run(other: &Path, name: &str, rows: &[u8], rounds: usize) -> Result<Report> {
    let this = std::env::current_exe()?;
    let measure = |program: &Path| -> Result<Report> {
        let mut command = Command::new(program);
        command.args(["--json", "--rounds", &ROUNDS_OF_A_TURN.min(rounds).to_string()]);
        Ok(serde_json::from_str(&succeed(command.args(rows.iter().map(u8::to_string)))?)?)
    };
    in_turns(rounds.div_ceil(ROUNDS_OF_A_TURN), name, [&|| measure(&this), &|| measure(other)])
}

type Side<'a> = &'a dyn Fn() -> Result<Report>;

fn in_turns(turns: usize, name: &str, sides: [Side<'_>; 2]) -> Result<Report> {
    let mut runs = [Vec::new(), Vec::new()];
    for turn in 0..turns {
        for place in 0..2 {
            let side = (turn + place) % 2;
            runs[side].push(sides[side]()?);
        }
    }
    let [ours, theirs] = runs;
    let last = ours.last().ok_or("no turns")?;
    let mut lines: Vec<Line> = Vec::new();
    for Line { row, what, unit, .. } in &last.lines {
        if lines.iter().any(|line| (line.row, &line.what) == (*row, what)) {
            continue;
        }
        let median = |run: &Report| {
            let mut same = run.lines.iter().filter(|line| (line.row, &line.what) == (*row, what));
            Some(same.next()?.figure?.median)
        };
        let pairs = ours.iter().zip(&theirs);
        let pairs: Vec<_> =
            pairs.filter_map(|(ours, theirs)| Some((median(ours)?, median(theirs)?))).collect();
        lines.push(if pairs.is_empty() {
            Line::not_measured(*row, what, &format!("it is not in both, {name} and this one"))
        } else {
            let figure = |side: fn(&(f64, f64)) -> f64| Figure::of(pairs.iter().map(side));
            Line::new(*row, what, unit, figure(|pair| pair.0)).against(
                name,
                figure(|pair| pair.1),
                figure(|(ours, theirs)| ours / theirs),
            )
        });
    }
    let Report { date, commit, machine, .. } = last;
    let (date, commit, machine) = (date.clone(), commit.clone(), machine.clone());
    Ok(Report { date, commit, machine, rounds: turns, lines })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::machine::Machine;

    fn report(lines: Vec<Line>) -> Report {
        let (date, commit) = ("2026-01-01".to_owned(), "aaa".to_owned());
        Report { date, commit, machine: Machine::this(), rounds: 1, lines }
    }

    #[test]
    fn two_builds_are_run_in_turns_and_put_side_by_side() {
        let turns = Cell::new(String::new());
        let side = |name: char, factor: f64, other: &str| {
            turns.set(turns.take() + &name.to_string());
            let call = Line::new(1, "a call", "µs", Figure::exact(factor));
            let twice = Line::new(1, "a call", "µs", Figure::exact(factor));
            Ok(report(vec![call, twice, Line::new(2, other, "µs", Figure::exact(1.0))]))
        };
        let ours = || side('A', 3.0, "new");
        let theirs = || side('B', 2.0, "old");
        let compared = in_turns(4, "main", [&ours, &theirs]).unwrap();
        assert_eq!(turns.take(), "ABBAABBA");
        let table = compared.markdown();
        assert!(table.contains("| 1 | a call | 3 µs | main: 2 µs | 1.5 |"), "{table}");
        assert!(table.contains("| 2 | new | not measured: it is not in both"), "{table}");
        assert_eq!(compared.lines.len(), 2, "each figure once");
    }
}
