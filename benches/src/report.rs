//! The results, as data and as a table.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// The results of a run.
#[derive(Serialize, Deserialize)]
pub(crate) struct Report {
    /// The day of the run.
    pub(crate) date: String,
    /// The commit that was measured, with a `+` if there were changes to it.
    #[serde(default)]
    pub(crate) commit: String,
    pub(crate) machine: Machine,
    /// The number of rounds in which each side was measured, unless a line says otherwise.
    pub(crate) rounds: usize,
    pub(crate) lines: Vec<Line>,
}

/// One figure, with what it is compared with and its goal.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) row: u8,
    pub(crate) what: String,
    pub(crate) unit: String,
    /// `None` if it could not be measured, for the reason in `note`.
    pub(crate) figure: Option<Figure>,
    /// The place of the figure in a curve of the chart of growth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Point>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) against: Option<Against>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<Goal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// A place in a curve: how many items there were.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) curve: String,
    pub(crate) items: u32,
}

/// The other side of a comparison.
#[derive(Serialize, Deserialize)]
pub(crate) struct Against {
    pub(crate) what: String,
    pub(crate) figure: Figure,
    /// The ratio of our figure to the other side's.
    pub(crate) ratio: Figure,
}

/// A goal, and whether it is met.
#[derive(Serialize, Deserialize)]
pub(crate) struct Goal {
    pub(crate) text: String,
    pub(crate) met: bool,
}

/// The median of the rounds, with the first and third quartiles `low` and `high`.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// A goal for a figure or ratio.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    pub(crate) fn of(samples: impl Iterator<Item = f64>) -> Self {
        let mut samples: Vec<f64> = samples.collect();
        samples.sort_by(f64::total_cmp);
        // The sample that is nearest to the quartile.
        let at = |quarters: usize| {
            samples.get((samples.len().saturating_sub(1) * quarters + 2) / 4).copied()
        };
        let [low, median, high] = [1, 2, 3].map(|quarters| at(quarters).unwrap_or(f64::NAN));
        Self { median, low, high }
    }

    /// Formats the median and, if the rounds differ, the interquartile range.
    pub(crate) fn spread<N: fmt::Display>(self, number: impl Fn(f64) -> N) -> String {
        let Self { median, low, high } = self;
        let median = number(median);
        if low < high {
            return format!("{median} ({}–{})", number(low), number(high));
        }
        median.to_string()
    }

    /// Creates a figure that was counted, not measured in rounds.
    pub(crate) fn exact(value: f64) -> Self {
        Self { median: value, low: value, high: value }
    }
}

impl Line {
    pub(crate) fn new(row: u8, what: impl Into<String>, unit: &str, figure: Figure) -> Self {
        let (what, unit, figure) = (what.into(), unit.to_owned(), Some(figure));
        Self { row, what, unit, figure, point: None, against: None, goal: None, note: None }
    }

    /// Creates a line without a figure, for what this machine cannot measure.
    pub(crate) fn not_measured(row: u8, what: impl Into<String>, reason: &str) -> Self {
        let line = Self::new(row, what, "", Figure::exact(0.0)).note(reason);
        Self { figure: None, ..line }
    }

    pub(crate) fn point(mut self, curve: &str, items: u32) -> Self {
        self.point = Some(Point { curve: curve.to_owned(), items });
        self
    }

    /// Returns the figure that tells about the code rather than the machine's day: the ratio if there is
    /// another side.
    pub(crate) fn figure_or_ratio(&self) -> Option<Figure> {
        self.against.as_ref().map(|against| against.ratio).or(self.figure)
    }

    /// Returns whether more is better: a rate, not a cost.
    pub(crate) fn is_rate(&self) -> bool {
        self.unit.ends_with("/s")
    }

    pub(crate) fn against(mut self, what: &str, figure: Figure, ratio: Figure) -> Self {
        self.against = Some(Against { what: what.to_owned(), figure, ratio });
        self
    }

    /// Sets the goal for the ratio, or for the figure if there is no other side.
    pub(crate) fn goal(self, bound: Bound) -> Self {
        let value = self.figure_or_ratio().map_or(f64::NAN, |figure| figure.median);
        let sign = if self.against.is_some() { " ×" } else { "" };
        let (text, met) = match bound {
            Bound::AtMost(most) => (format!("≤ {}{sign}", Short(most)), value <= most),
            Bound::AtLeast(least) => (format!("≥ {}{sign}", Short(least)), value >= least),
        };
        self.goal_text(text, met)
    }

    /// Sets a goal that is described in words.
    pub(crate) fn goal_text(mut self, text: impl Into<String>, met: bool) -> Self {
        self.goal = Some(Goal { text: text.into(), met });
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl Report {
    /// Formats the table, with a description of the machine.
    pub(crate) fn markdown(&self) -> String {
        let Self { date, commit, machine, rounds, lines } = self;
        let mut text = format!(
            "{date}, commit {commit}, {machine}. Each figure is the median of {rounds} interleaved rounds, with the \
             interquartile range in parentheses.\n\n| # | what | figure | compared with | ratio | goal | |\n\
             |---|---|---|---|---|---|---|\n",
        );
        for line in lines {
            let Line { row, what, unit, figure, .. } = line;
            let (other, ratio) = line.against.as_ref().map_or_else(Default::default, |against| {
                let other = format!("{}: {} {unit}", against.what, Short(against.figure.median));
                (other, against.ratio.spread(Times))
            });
            let (goal, mark) = line.goal.as_ref().map_or(("", ""), |goal| {
                (goal.text.as_str(), if goal.met { "✓" } else { "missed" })
            });
            let note = line.note.as_deref().unwrap_or_default();
            let (figure, note) = match figure {
                Some(figure) if note.is_empty() => (figure.spread(Short), String::new()),
                Some(figure) => (figure.spread(Short), format!("; {note}")),
                None => (format!("not measured: {note}"), String::new()),
            };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {row} | {what}{note} | {figure} {unit} | {other} | {ratio} | {goal} | {mark} |",
            );
        }
        text
    }
}

/// A number with three significant digits and separated thousands.
pub(crate) struct Short(pub(crate) f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        if size >= 1000.0 {
            let whole = format!("{:.0}", self.0);
            for (place, digit) in whole.chars().enumerate() {
                if place > 0 && (whole.len() - place).is_multiple_of(3) {
                    f.write_char(',')?;
                }
                f.write_char(digit)?;
            }
            return Ok(());
        }
        let decimals = match size {
            100.0.. => 0,
            10.0.. => 1,
            0.1.. => 2,
            _ => 4,
        };
        let text = format!("{:.decimals$}", self.0);
        let text =
            if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        f.write_str(text)
    }
}

/// A ratio; one that is far below 1 is shown as a fraction.
pub(crate) struct Times(pub(crate) f64);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0.1 { write!(f, "1/{}", Short(1.0 / self.0)) } else { Short(self.0).fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_with_the_middle_half() {
        let figure = Figure::of([5.0, 1.0, 4.0, 2.0, 3.0].into_iter());
        assert_eq!(figure.spread(Short), "3 (2–4)");
        assert_eq!(Figure::exact(0.01).spread(Times), "1/100");
        assert!(Figure::of(std::iter::empty()).median.is_nan());
    }

    #[test]
    fn a_bound_holds_the_ratio_where_there_is_another_side() {
        let [one, two] = [1.0, 2.0].map(Figure::exact);
        let met = |line: Line| line.goal.map(|goal| (goal.text, goal.met));
        let alone = Line::new(1, "it", "µs", two).goal(Bound::AtMost(1.5));
        assert_eq!(met(alone), Some(("≤ 1.5".to_owned(), false)));
        let line = Line::new(1, "it", "µs", two).against("other", two, one);
        assert_eq!(met(line.goal(Bound::AtMost(1.5))), Some(("≤ 1.5 ×".to_owned(), true)));
    }

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (1_234_567.8, "1,234,568"),
            (999.6, "1000"),
            (123.4, "123"),
            (12.34, "12.3"),
            (1.0, "1"),
            (0.007, "0.007"),
        ] {
            assert_eq!(Short(number).to_string(), text);
        }
    }
}
