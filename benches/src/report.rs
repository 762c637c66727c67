//! What was measured, as data and as a table.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// A whole run.
#[derive(Serialize, Deserialize)]
pub(crate) struct Report {
    /// The day of the run.
    pub(crate) date: String,
    pub(crate) machine: Machine,
    /// How many rounds each side was measured in, unless a line says otherwise.
    pub(crate) rounds: usize,
    pub(crate) lines: Vec<Line>,
}

/// One figure and what it is held against.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) row: u8,
    pub(crate) what: String,
    pub(crate) unit: String,
    pub(crate) figure: Figure,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) against: Option<Against>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reach: Option<Reach>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// The other side.
#[derive(Serialize, Deserialize)]
pub(crate) struct Against {
    pub(crate) what: String,
    pub(crate) figure: Figure,
    /// How many times the other's figure ours is.
    pub(crate) ratio: Figure,
}

/// What was to be reached, and whether it was.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reach {
    pub(crate) text: String,
    pub(crate) reached: bool,
}

/// The median of the rounds; half of them lie between `low` and `high`.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// What a figure or ratio is to be.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    pub(crate) fn of(samples: impl Iterator<Item = f64>) -> Self {
        let mut samples: Vec<f64> = samples.collect();
        samples.sort_by(f64::total_cmp);
        // Quarters of the way, the nearest sample.
        let at = |quarters: usize| {
            samples.get((samples.len().saturating_sub(1) * quarters + 2) / 4).copied()
        };
        let [low, median, high] = [1, 2, 3].map(|quarters| at(quarters).unwrap_or(f64::NAN));
        Self { median, low, high }
    }

    /// The median and, where the rounds differ, the middle half.
    pub(crate) fn spread<N: fmt::Display>(self, number: impl Fn(f64) -> N) -> String {
        let Self { median, low, high } = self;
        let median = number(median);
        if low < high {
            return format!("{median} ({}–{})", number(low), number(high));
        }
        median.to_string()
    }

    /// A figure that is counted, not measured in rounds.
    pub(crate) fn exact(value: f64) -> Self {
        Self { median: value, low: value, high: value }
    }
}

impl Line {
    pub(crate) fn new(row: u8, what: impl Into<String>, unit: &str, figure: Figure) -> Self {
        let (what, unit) = (what.into(), unit.to_owned());
        Self { row, what, unit, figure, against: None, reach: None, note: None }
    }

    pub(crate) fn against(mut self, what: &str, figure: Figure, ratio: Figure) -> Self {
        self.against = Some(Against { what: what.to_owned(), figure, ratio });
        self
    }

    /// Holds the ratio, or the figure where there is no other side, to a bound.
    pub(crate) fn reach(self, bound: Bound) -> Self {
        let value = self.against.as_ref().map_or(self.figure, |against| against.ratio).median;
        let sign = if self.against.is_some() { " ×" } else { "" };
        let (text, reached) = match bound {
            Bound::AtMost(most) => (format!("≤ {}{sign}", Short(most)), value <= most),
            Bound::AtLeast(least) => (format!("≥ {}{sign}", Short(least)), value >= least),
        };
        self.reach_text(text, reached)
    }

    /// Holds it to something that is put in words.
    pub(crate) fn reach_text(mut self, text: impl Into<String>, reached: bool) -> Self {
        self.reach = Some(Reach { text: text.into(), reached });
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl Report {
    /// The table, with what it was measured on.
    pub(crate) fn markdown(&self) -> String {
        let Self { date, machine, rounds, lines } = self;
        let mut text = format!(
            "{date}, {machine}. Medians of {rounds} interleaved rounds, in brackets where half of \
             them lie.\n\n| # | what | figure | against | ratio | reach | |\n\
             |---|---|---|---|---|---|---|\n",
        );
        for line in lines {
            let Line { row, what, unit, figure, .. } = line;
            let (other, ratio) = line.against.as_ref().map_or_else(Default::default, |against| {
                let other = format!("{}: {} {unit}", against.what, Short(against.figure.median));
                (other, against.ratio.spread(Times))
            });
            let (reach, mark) = line.reach.as_ref().map_or(("", ""), |reach| {
                (reach.text.as_str(), if reach.reached { "✓" } else { "missed" })
            });
            let figure = figure.spread(Short);
            let note = line.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {row} | {what}{note} | {figure} {unit} | {other} | {ratio} | {reach} | {mark} |",
            );
        }
        text
    }
}

/// A number to three figures, its thousands apart.
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

/// How many times another figure one is; what is far below that, as a fraction.
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
        let reached = |line: Line| line.reach.map(|reach| (reach.text, reach.reached));
        let alone = Line::new(1, "it", "µs", two).reach(Bound::AtMost(1.5));
        assert_eq!(reached(alone), Some(("≤ 1.5".to_owned(), false)));
        let line = Line::new(1, "it", "µs", two).against("other", two, one);
        assert_eq!(reached(line.reach(Bound::AtMost(1.5))), Some(("≤ 1.5 ×".to_owned(), true)));
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
