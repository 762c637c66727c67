//! Exactly once: fifty agents, half of them asynchronous and half blocking, trade through the
//! clients while calls fail in every way that the mock server knows, or while a proxy cuts their
//! connections. Each agent logs its calls and what the client returned for them; the logs are
//! compared with the state of the server.
//!
//! The suite runs a small size. In full, 10,000 trades each:
//! `FULL_SIZE=1 cargo test --release -p end-to-end-tests --test exactly_once -- --nocapture`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and one of this size tells its figures"
)]

mod agent;
mod audit;
mod failures;
mod plan;
mod proxy;
mod world;

use std::time::Instant;

use machins_mock::{MockServer, Snapshot};
use tokio::runtime::Runtime;

use crate::agent::Agent;
use crate::audit::Figures;
use crate::failures::Failures;
use crate::plan::Plan;
use crate::world::World;

/// The number of rounds is random; more than this is a bug.
const MOST_ROUNDS: u64 = 60;

fn plan(seed: u64) -> Plan {
    let full = std::env::var_os("FULL_SIZE").is_some();
    if full { Plan::draw(seed, 50, 10_000) } else { Plan::draw(seed, 10, 100) }
}

/// Runs rounds until everything in the plan has happened.
///
/// In a round an agent makes one call for each thing that it still has to do. Then the server is
/// stopped, so that no call is under way and the returned outcomes can be compared with the state.
/// The server of the next round continues with that state.
fn trade(plan: &Plan, failures: impl Fn(u64) -> Failures) {
    let start = Instant::now();
    let runtime = Runtime::new().unwrap();
    let mut agents: Vec<_> = (0..plan.agents).map(Agent::new).collect();
    let mut figures = Figures::default();
    let mut stored: Option<Snapshot> = None;
    for round in 0..MOST_ROUNDS {
        let server = MockServer::builder().seed(round).start().unwrap();
        if let Some(stored) = &stored {
            server.restore(stored);
        }
        let world = World::of(&server);
        if agents.iter().all(|agent| agent.jobs(plan, &world).is_empty()) {
            audit::everything_is_as_intended(plan, &agents, &world, &server.ledger());
            println!(
                "{} trades, {round} rounds, {:?}\n{figures}",
                plan.trades.len(),
                start.elapsed()
            );
            return;
        }
        let failures = failures(round);
        let endpoint = runtime.block_on(failures.begin(&server));
        agent::all_work(&runtime, &mut agents, plan, &world, &endpoint.base_url);
        figures.count_failures(endpoint.end(&server));
        runtime.block_on(server.shutdown());
        let after = World::of(&server);
        for agent in &mut agents {
            figures.count_outcomes(agent.round());
            audit::outcomes_are_true(agent.round(), plan, &after);
        }
        stored = Some(server.snapshot());
    }
    panic!("not done after {MOST_ROUNDS} rounds: {figures}");
}

#[test]
fn under_faults_everything_happens_once_and_no_claim_is_false() {
    trade(&plan(1), |_| Failures::Faults);
}

#[test]
fn with_cut_connections_everything_happens_once() {
    trade(&plan(2), |round| Failures::Proxy { seed: round });
}
