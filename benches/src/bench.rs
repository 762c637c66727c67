//! Sides measured in turns.
//!
//! A machine's speed drifts. So every round measures every side once, one right after the other
//! and in changing order, and a ratio is the median of the rounds' own ratios.

use std::error::Error as StdError;
use std::time::Instant;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::report::Figure;

/// Whatever stops a row.
pub(crate) type Error = Box<dyn StdError + Send + Sync>;
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// One way of doing the work: does a round's worth of it and gives that round's figure.
pub(crate) type Side<'a> = &'a mut dyn FnMut() -> Result<f64>;

/// What the rounds of all sides gave.
pub(crate) struct Samples {
    /// By side, then by round.
    figures: Vec<Vec<f64>>,
}

/// Measures the sides in turns, after one round each that does not count.
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
    /// A side's figure.
    pub(crate) fn figure(&self, side: usize) -> Figure {
        Figure::of(self.figures[side].iter().copied())
    }

    /// How many times the figure of `other` the figure of `side` is, round by round.
    pub(crate) fn ratio(&self, side: usize, other: usize) -> Figure {
        let pairs = self.figures[side].iter().zip(&self.figures[other]);
        Figure::of(pairs.map(|(side, other)| side / other))
    }
}

/// Does something on one core, with the threads and processes that it starts. Two programs that
/// talk in turns then take the time of their work, and not of waking up the other core.
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

/// Microseconds per repetition.
pub(crate) fn micros_each(repetitions: u32, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..repetitions {
        work()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(repetitions))
}
