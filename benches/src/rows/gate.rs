//! The gate, with many tasks that check at full speed.

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use machineid_client::{Client, Denied, DeviceId, Gate, OrgKey};
use tokio::runtime::Runtime;
use tokio::try_join;

use crate::bench::{Result, in_turns};
use crate::report::{Bound, Figure, Line, Short};
use crate::server;

const TASKS: [u32; 5] = [1, 10, 100, 1_000, MOST_TASKS];
const MOST_TASKS: u32 = 10_000;
/// One request per check takes one connection per task.
const MOST_CONNECTIONS: u32 = 1_000;
const ROUND: Duration = Duration::from_millis(150);
/// The distance of a service elsewhere on the continent.
const DISTANCE: Duration = Duration::from_millis(20);
const LEAST_CHECKS: f64 = 1_000_000.0;
const MOST_ROUND_TRIPS: f64 = 3.0;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let (here, distant) = (Bench::on_loopback()?, Bench::open(DISTANCE)?);
    let mut lines = Vec::new();
    for tasks in TASKS {
        lines.push(here.speed(rounds, tasks)?);
    }
    for tasks in TASKS {
        lines.push(here.waits(rounds, tasks, "loopback")?);
    }
    lines.push(distant.waits(rounds, MOST_TASKS, "a service 20 ms away")?);
    Ok(lines)
}

pub(super) struct Bench {
    client: Client,
    device: DeviceId,
    epoch: Instant,
    runtime: Runtime,
}

impl Bench {
    pub(super) fn on_loopback() -> Result<Self> {
        Self::open(Duration::ZERO)
    }

    fn open(distance: Duration) -> Result<Self> {
        let epoch = Instant::now();
        // The reply contains its time, so that each caller can verify the age of its decision.
        let server = server::start_delayed(distance, move |_| {
            let stamp = epoch.elapsed().as_nanos();
            server::DECISION.replace("9e2a366e-a633-4435-9ed9-82394d6d31bb", &stamp.to_string())
        })?;
        let client = Client::builder()
            .org_key(OrgKey::new("org_benchmark")?)
            .base_url(format!("http://{server}"))
            .build()?;
        Ok(Self { client, device: DeviceId::new("agent-01")?, epoch, runtime: Runtime::new()? })
    }

    /// Measures the checks per second, with and without the gate.
    fn speed(&self, rounds: usize, tasks: u32) -> Result<Line> {
        let alone = tasks.min(MOST_CONNECTIONS);
        let samples = in_turns(
            rounds,
            [
                &mut || {
                    let start = Instant::now();
                    a_second(self.runtime.block_on(self.checks(tasks))?.len(), start)
                },
                &mut || self.runtime.block_on(self.requests(alone)),
            ],
        )?;
        let others = match alone {
            alone if alone == tasks => "one request per check".to_owned(),
            alone => format!("one request per check, {} tasks", Short(f64::from(alone))),
        };
        let figure = samples.figure(0);
        let line =
            Line::new(5, format!("gate, asked by {}", Short(f64::from(tasks))), "checks/s", figure)
                .against(&others, samples.figure(1), samples.ratio(0, 1));
        if tasks < MOST_TASKS {
            return Ok(line);
        }
        let met = figure.median >= LEAST_CHECKS;
        Ok(line
            .goal_text("≥ 1,000,000 per second, none older than its question", met)
            .note("every decision's age is checked"))
    }

    /// Measures the 99th percentile of a check, in round trips of the same rounds.
    fn waits(&self, rounds: usize, tasks: u32, place: &str) -> Result<Line> {
        let (mut waits, mut round_trips) = (Vec::new(), Vec::new());
        let samples = in_turns(
            rounds,
            [&mut || {
                let (wait, round_trip) = self.wait_and_round_trip(tasks)?;
                waits.push(wait);
                round_trips.push(round_trip);
                Ok(wait / round_trip)
            }],
        )?;
        let spread = |samples: Vec<f64>| Figure::of(samples.into_iter()).spread(Short);
        let (wait, round_trip) = (spread(waits), spread(round_trips));
        let tasks = Short(f64::from(tasks));
        let what = format!("gate, asked by {tasks}, {place}: p99 of a check");
        Ok(Line::new(5, what, "round trips", samples.figure(0))
            .goal(Bound::AtMost(MOST_ROUND_TRIPS))
            .note(format!("{wait} µs, where one task's own `validate` takes {round_trip} µs")))
    }

    /// Returns the 99th percentile of a check by so many tasks, and the median `validate` of one task that
    /// bypasses the gate meanwhile, in microseconds.
    pub(super) fn wait_and_round_trip(&self, tasks: u32) -> Result<(f64, f64)> {
        let both = async { try_join!(self.checks(tasks), self.round_trips()) };
        let (mut checks, mut requests) = self.runtime.block_on(both)?;
        Ok((nth(&mut checks, 99), nth(&mut requests, 50)))
    }

    /// Lets all tasks check without pause, and returns how long each check took.
    async fn checks(&self, tasks: u32) -> Result<Vec<Duration>> {
        let gate = Gate::new(&self.client, self.device.clone());
        let callers = (0..tasks).map(|_| tokio::spawn(check_on(gate.clone(), self.epoch)));
        // All tasks are spawned before the first one is awaited.
        let callers: Vec<_> = callers.collect();
        let mut waits = Vec::new();
        for caller in join_all(callers).await {
            waits.extend(caller??);
        }
        Ok(waits)
    }

    /// Lets one task bypass the gate, and returns how long each of its requests took.
    async fn round_trips(&self) -> Result<Vec<Duration>> {
        let (client, device) = (self.client.clone(), self.device.clone());
        let traveller = tokio::spawn(async move {
            let start = Instant::now();
            let mut round_trips = Vec::new();
            while start.elapsed() < ROUND {
                let sent = Instant::now();
                client.validate(&device).await?;
                round_trips.push(sent.elapsed());
            }
            Ok(round_trips)
        });
        traveller.await?
    }

    /// Lets many tasks bypass the gate, and returns their requests per second.
    async fn requests(&self, tasks: u32) -> Result<f64> {
        let start = Instant::now();
        let round_trips = try_join_all((0..tasks).map(|_| self.round_trips())).await?;
        a_second(round_trips.iter().map(Vec::len).sum(), start)
    }
}

/// Checks without pause, verifies that no decision is older than its question, and returns how long
/// each check took.
async fn check_on(gate: Gate, epoch: Instant) -> Result<Vec<Duration>> {
    let start = Instant::now();
    let mut waits = Vec::new();
    while start.elapsed() < ROUND {
        let asked = epoch.elapsed();
        let permit = gate.check().await.map_err(|denied: Denied| denied.to_string())?;
        waits.push(epoch.elapsed().saturating_sub(asked));
        let stamp: u64 = permit.request_id().ok_or("no stamp")?.parse()?;
        if Duration::from_nanos(stamp) < asked {
            return Err("a decision was older than its asking".into());
        }
    }
    Ok(waits)
}

fn a_second(number: usize, since: Instant) -> Result<f64> {
    Ok(f64::from(u32::try_from(number)?) / since.elapsed().as_secs_f64())
}

fn nth(durations: &mut [Duration], percent: usize) -> f64 {
    durations.sort_unstable();
    let last = durations.len().saturating_sub(1);
    durations.get(last * percent / 100).map_or(f64::NAN, |duration| duration.as_secs_f64() * 1e6)
}
