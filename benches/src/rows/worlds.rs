//! The mock server's journal, waits and worlds.

use std::path::Path;
use std::time::Instant;

use futures_util::future::try_join_all;
use machins_mock::{MockServer, Plan};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::bench::{Result, in_turns, micros_each};
use crate::load::{Connection, request};
use crate::lock_time::{self, Held};
use crate::programs::{Served, machins};
use crate::report::{Bound, Figure, Line};

const CONNECTIONS: u32 = 64;
const REQUESTS_OF_EACH: u32 = 500;
/// As many as a journal holds.
const KEPT: u32 = 10_000;
const WORLDS: u32 = 1_000;
const WAITS: u64 = 200;

pub(crate) fn run(rounds: usize) -> Result<Vec<Line>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut lines = journal(&runtime)?;
    lines.extend(memory(&runtime, &machins()?)?);
    lines.push(wait(&runtime)?);
    lines.push(many(&runtime, rounds)?);
    Ok(lines)
}

fn validate(path: &str, key: &str) -> String {
    let path = format!("{path}/api/v1/devices/validate");
    request(&path, ("x-org-key", key), Some(&json!({"deviceId": "agent-01"})))
}

/// Measures the time that requests spend on the journal, in a round that is not timed otherwise.
fn journal(runtime: &Runtime) -> Result<Vec<Line>> {
    let server = MockServer::builder().start()?;
    let org = server.create_org(Plan::Free);
    let asked = validate("", org.key());
    let open = (0..CONNECTIONS).map(|_| Connection::open(server.addr()));
    let mut connections = runtime.block_on(try_join_all(open))?;
    let mut round = || {
        let askers = connections.iter_mut().map(|connection| ask(connection, &asked));
        runtime.block_on(try_join_all(askers)).map(drop)
    };
    // The journal is full before it is measured.
    round()?;
    let start = Instant::now();
    round()?;
    let requests = f64::from(CONNECTIONS * REQUESTS_OF_EACH);
    let each = start.elapsed().as_secs_f64() * 1e6 / requests;
    let (result, spent) = lock_time::during(Held::Journal, round)?;
    result?;
    let spent = spent.as_secs_f64() * 1e6 / requests;
    let exact = Figure::exact;
    Ok(vec![
        Line::new(18, "`validate`, 64 connections: time for the journal", "µs", exact(spent))
            .against("a request, all together", exact(each), exact(spent / each)),
    ])
}

async fn ask(connection: &mut Connection, asked: &str) -> Result<()> {
    for _ in 0..REQUESTS_OF_EACH {
        connection.exchange(asked).await?;
    }
    Ok(())
}

/// Measures what a process grows by.
fn memory(runtime: &Runtime, machins: &Path) -> Result<Vec<Line>> {
    let served = Served::start(machins)?;
    let grown = |before: u64, by: u32| -> Result<Figure> {
        let kibibytes = u32::try_from(served.resident()?.saturating_sub(before) / 1024)?;
        Ok(Figure::exact(f64::from(kibibytes) * 1024.0 / f64::from(by)))
    };
    let mut connection = runtime.block_on(Connection::open(served.address))?;
    let mut ask = |asked: &str| runtime.block_on(connection.exchange_json::<Value>(asked));
    let none = ("x-api-key", "none");
    let fixtures = json!({"orgs": [{"org_key": "org_benchmark", "devices": ["agent-01"]}]});
    ask(&request("/_mock/fixtures", none, Some(&fixtures)))?;
    let asked = validate("", "org_benchmark");
    for _ in 0..1_000 {
        ask(&asked)?;
    }
    ask(&request("/_mock/requests/wait", none, Some(&json!({"timeout_ms": 0}))))?;
    let before = served.resident()?;
    for _ in 1_000..KEPT {
        ask(&asked)?;
    }
    let kept = grown(before, KEPT - 1_000)?;
    let before = served.resident()?;
    for number in 0..WORLDS {
        let name = format!("world-{number}");
        ask(&request("/_mock/worlds", none, Some(&json!({"name": name}))))?;
        ask(&request(&format!("/_world/{name}/_mock/fixtures"), none, Some(&fixtures)))?;
        ask(&validate(&format!("/_world/{name}"), "org_benchmark"))?;
    }
    let world = grown(before, WORLDS)?;
    Ok(vec![
        Line::new(18, "memory of a `validate` that the journal keeps", "bytes", kept),
        Line::new(18, "memory of a world with a device and a request, of 1,000", "bytes", world),
    ])
}

/// Measures the time from the reply to a request to the reply to who has waited for that request.
fn wait(runtime: &Runtime) -> Result<Line> {
    #[derive(Deserialize)]
    struct Woken {
        requests: Vec<Value>,
    }

    let server = MockServer::builder().start()?;
    let org = server.create_org(Plan::Free);
    let asked = validate("", org.key());
    let took = runtime.block_on(async {
        let mut waiting = Connection::open(server.addr()).await?;
        let mut asking = Connection::open(server.addr()).await?;
        let mut took = Vec::new();
        for number in 0..WAITS {
            let body = json!({"since": number, "match": {"device": "agent-01"}});
            let wait = request("/_mock/requests/wait", ("x-api-key", "none"), Some(&body));
            let woken = async {
                let Woken { requests } = waiting.exchange_json(&wait).await?;
                Ok::<_, crate::bench::Error>((requests.len(), Instant::now()))
            };
            let answered = async {
                // The other one waits by then.
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                asking.exchange(&asked).await?;
                Ok(Instant::now())
            };
            let ((count, woken), answered) =
                futures_util::future::try_join(woken, answered).await?;
            if count != 1 {
                return Err("the wait ended for another reason".into());
            }
            took.push(woken.saturating_duration_since(answered).as_secs_f64() * 1e6);
        }
        Ok::<_, crate::bench::Error>(took)
    })?;
    let mut sorted = took.clone();
    sorted.sort_by(f64::total_cmp);
    let p99 = sorted[sorted.len() * 99 / 100];
    Ok(Line::new(
        18,
        "`wait`, from the reply that ends it to its own",
        "µs",
        Figure::of(took.into_iter()),
    )
    .note(format!("p99 {p99:.0} µs"))
    .goal(Bound::AtMost(1_000.0)))
}

/// Measures making a world and receiving its first reply, all of them living at once.
fn many(runtime: &Runtime, rounds: usize) -> Result<Line> {
    let server = MockServer::builder().start()?;
    let mut connection = runtime.block_on(Connection::open(server.addr()))?;
    let mut number = 0;
    let samples = in_turns(
        rounds.min(9),
        [&mut || {
            let mut living = Vec::new();
            micros_each(WORLDS, || {
                number += 1;
                let world = server.create_world(format!("world-{number}"))?;
                let org = world.create_org(Plan::Free);
                let asked = validate(&format!("/_world/world-{number}"), org.key());
                runtime.block_on(connection.exchange(&asked))?;
                living.push(world);
                Ok(())
            })
        }],
    )?;
    let figure = samples.figure(0);
    Ok(Line::new(18, "a world, made and asked first, each of 1,000 living at once", "µs", figure))
}
