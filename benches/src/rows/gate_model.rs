//! How long the last of many tasks wait at a gate, beside a model of what the machine allows.
//!
//! A check that has just missed a request waits for that one, and then for its own: two cycles. A cycle is a
//! round trip, and waking and polling all tasks, one after the other: one processor does that, while the
//! others are busy with the request.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};

use super::gate::Bench;
use crate::bench::{Result, in_turns};
use crate::report::{Bound, Figure, Line, Short};

const TASKS: [u32; 4] = [1, 10, 100, 1_000];
const CYCLES: f64 = 2.0;
/// With few tasks, the p99 is that of the round trips.
const LEAST_TASKS: u32 = 100;
const GOAL: f64 = 1.3;
const WAVES: u32 = 50;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let bench = Bench::on_loopback()?;
    TASKS.into_iter().map(|tasks| line(&bench, rounds, tasks)).collect()
}

fn line(bench: &Bench, rounds: usize, tasks: u32) -> Result<Line> {
    let (mut models, mut round_trips, mut wake_ups) = (Vec::new(), Vec::new(), Vec::new());
    let samples = in_turns(
        rounds,
        [&mut || {
            let (wait, round_trip) = bench.wait_and_round_trip(tasks)?;
            let wake_up = wake_up(tasks)?;
            models.push(CYCLES * (round_trip + f64::from(tasks) * wake_up));
            round_trips.push(round_trip);
            wake_ups.push(wake_up * 1e3);
            Ok(wait)
        }],
    )?;
    // The first round is not counted.
    let models = models.split_off(1);
    let ratios = samples.of_side(0).iter().zip(&models).map(|(wait, model)| wait / model);
    let ratio = Figure::of(ratios);
    let median = |samples: Vec<f64>| Short(Figure::of(samples.into_iter()).median);
    let (round_trip, wake_up) = (median(round_trips), median(wake_ups));
    let what = format!("gate, asked by {}, loopback: p99 of a check", Short(f64::from(tasks)));
    let line = Line::new(27, what, "µs", samples.figure(0))
        .against("the model", Figure::of(models.into_iter()), ratio)
        .note(format!("a round trip takes {round_trip} µs, a wake-up {wake_up} ns"))
        .point("gate, the slowest of 100 checks, by tasks", tasks);
    Ok(if tasks < LEAST_TASKS { line } else { line.goal(Bound::AtMost(GOAL)) })
}

/// Measures what waking and polling one of so many tasks takes on one processor, in microseconds.
fn wake_up(tasks: u32) -> Result<f64> {
    let runtime = Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let (sender, _) = watch::channel(0_u32);
        let polled = Arc::new((AtomicU32::new(0), Notify::new()));
        let waiters: Vec<_> = (0..tasks)
            .map(|_| {
                let (mut wave, polled) = (sender.subscribe(), Arc::clone(&polled));
                tokio::spawn(async move {
                    loop {
                        let (count, all) = &*polled;
                        if (count.fetch_add(1, Relaxed) + 1).is_multiple_of(tasks) {
                            all.notify_one();
                        }
                        if wave.changed().await.is_err() {
                            return;
                        }
                    }
                })
            })
            .collect();
        polled.1.notified().await;
        let mut taken = Vec::new();
        for wave in 1..=WAVES {
            let start = Instant::now();
            sender.send_replace(wave);
            polled.1.notified().await;
            taken.push(start.elapsed().as_secs_f64() * 1e6);
        }
        drop(sender);
        for waiter in waiters {
            waiter.await?;
        }
        Ok(Figure::of(taken.into_iter()).median / f64::from(tasks))
    })
}
