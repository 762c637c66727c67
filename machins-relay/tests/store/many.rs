//! A hundred workers in ten processes, of which any is killed or stopped at any moment.

use std::collections::BTreeMap;
use std::thread;

use fastrand::Rng;
use nix::sys::signal::Signal;
use test_support::NatsServer;

use crate::Market;
use crate::process::{BUDGET, KEYS, Process, Work};

/// Runs ten processes, kills some of them, stops others for a while, and returns what all have said and
/// how many were killed.
fn disturbed(market: &Market, nats: &NatsServer, work: Work) -> (Vec<String>, usize) {
    let mut random = Rng::with_seed(19);
    let start = |name: usize| Process::start(market, nats, work, &format!("p{name}"));
    let mut processes: Vec<Process> = (0..10).map(start).collect();
    let (mut said, mut killed) = (Vec::new(), 0);
    for name in 10..16 {
        // Somebody has come a step further.
        said.extend(processes[random.usize(..10)].next());
        let stopped = processes.swap_remove(random.usize(..10));
        stopped.signal(Signal::SIGSTOP);
        let victim = processes.swap_remove(random.usize(..9));
        victim.signal(Signal::SIGKILL);
        said.extend(victim.end());
        killed += 1;
        processes.push(start(name));
        // Long enough to lose its locks, on average.
        said.extend(processes[random.usize(..9)].next());
        stopped.signal(Signal::SIGCONT);
        processes.push(stopped);
    }
    let ends: Vec<_> =
        processes.into_iter().map(|process| thread::spawn(move || process.end())).collect();
    said.extend(ends.into_iter().flat_map(|end| end.join().unwrap()));
    (said, killed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_workers_make_one_trade_for_a_key() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let market = Market::start().await;
    let (said, killed) = tokio::task::block_in_place(|| disturbed(&market, &nats, Work::Intents));
    let mut bought: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for said in &said {
        if let Some((key, trade)) =
            said.strip_prefix("trade ").and_then(|said| said.split_once(' '))
        {
            bought.entry(key).or_default().push(trade);
        }
    }
    let trades = market.trades().await;
    println!("{KEYS} keys, {} replies, {killed} processes killed", said.len());
    assert_eq!(trades.len(), KEYS, "{said:#?}");
    assert_eq!(bought.len(), KEYS);
    for (key, ids) in bought {
        assert!(ids.iter().all(|id| *id == ids[0]), "{key}: {ids:?}");
    }
    let finished = market.buyer(&nats).list_intents().await.unwrap();
    assert!(finished.len() == KEYS && finished.iter().all(machins_client::Intent::is_done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_workers_keep_one_budget() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let market = Market::start().await;
    let (said, killed) = tokio::task::block_in_place(|| disturbed(&market, &nats, Work::Budget));
    let trades = market.trades().await.len();
    println!("{trades} of {BUDGET} spent, {} replies, {killed} processes killed", said.len());
    let budget = usize::try_from(BUDGET).unwrap();
    assert!(trades <= budget, "{trades}: {said:#?}");
    // What a process set aside before it was killed is not free again at once: up to ten purchases.
    assert!(trades + 10 * killed >= budget, "{trades}: {said:#?}");
    assert!(said.iter().any(|said| said.contains("max_per_day")), "{said:#?}");
}
