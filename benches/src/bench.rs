//! Measuring the sides of a comparison in alternation.
//!
//! A machine's speed drifts. So every round measures every side once, in changing order, and a
//! ratio is the median of the ratios of the rounds.

use std::error::Error as StdError;
use std::time::Instant;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::report::Figure;

/// The result of a row, which any error ends.
pub(crate) type Error = Box<dyn StdError + Send + Sync>;
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// One side of a comparison: does the work of one round and returns its figure.
pub(crate) type Side<'a> = &'a mut dyn FnMut() -> Result<f64>;

/// The figures of all rounds of all sides.
pub(crate) struct Samples {
    /// By side, then by round.
    figures: Vec<Vec<f64>>,
}

/// Measures the sides in alternation, after one round that is not counted.
pub(crate) fn in_turns<const SIDES: usize>(
    rounds: usize,
    mut sides: [Side<'_>; SIDES],
) -> Result<Samples> {
    for side in &mut sides {
        side()?;
    }
    let mut figures = vec![Vec::with_capacity(rounds); SIDES];
    for round in 0..rounds {
        for turn in 0..SIDES {
            let side = (round + turn) % SIDES;
            figures[side].push(sides[side]()?);
        }
    }
    Ok(Samples { figures })
}

impl Samples {
    /// Returns the figure of a side over all rounds.
    pub(crate) fn figure(&self, side: usize) -> Figure {
        Figure::of(self.figures[side].iter().copied())
    }

    /// Returns the figures of a side, by round.
    pub(crate) fn of_side(&self, side: usize) -> &[f64] {
        &self.figures[side]
    }

    /// Returns the ratio of `side` to `other`, computed round by round.
    pub(crate) fn ratio(&self, side: usize, other: usize) -> Figure {
        let pairs = self.figures[side].iter().zip(&self.figures[other]);
        Figure::of(pairs.map(|(side, other)| side / other))
    }
}

/// Runs work on one core, with the threads and processes that it starts. The time of two programs
/// that take turns is then the time of their work, not of waking the other core.
pub(crate) fn on_one_core<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let this_thread = Pid::from_raw(0);
    let all = sched_getaffinity(this_thread)?;
    let mut one = CpuSet::new();
    for core in 0..CpuSet::count() {
        if all.is_set(core)? {
            one.set(core)?;
            break;
        }
    }
    sched_setaffinity(this_thread, &one)?;
    let result = work();
    sched_setaffinity(this_thread, &all)?;
    result
}

/// Returns the microseconds per repetition of some work.
pub(crate) fn micros_each(repetitions: u32, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..repetitions {
        work()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(repetitions))
}
