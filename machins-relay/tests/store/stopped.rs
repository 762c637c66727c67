//! A process that is stopped while it holds a lock, and goes on when another has it.

use machins_client::{Client, ErrorKind, IntentStore, Proposal};
use nix::sys::signal::Signal;
use rstest::rstest;
use test_support::NatsServer;

use crate::Market;
use crate::process::{BUDGET, LITTLE_TIME, Process, Work};

fn proposal(market: &Market) -> Proposal {
    Proposal::new(&market.listing).terms("once")
}

#[rstest]
#[case::once_it_is_recorded(Work::StopRecorded)]
#[case::once_it_may_be_sent(Work::StopSending)]
#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_send_what_another_has_sent(#[case] work: Work) {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let market = Market::start().await;
    let mut stopped = Process::start(&market, &nats, work, "stopped");
    tokio::task::block_in_place(|| stopped.stopped());
    assert_eq!(market.trades().await.len(), 0);

    let trade = market.buyer(&nats).propose_trade_once("order", &proposal(&market)).await.unwrap();
    stopped.signal(Signal::SIGCONT);
    let said = tokio::task::block_in_place(|| (stopped.next().unwrap(), stopped.next().unwrap()));
    assert!(said.0.starts_with("Storage") && said.0.contains("has run out"), "{said:?}");
    assert_eq!(said.1, format!("trade {}", trade.id));
    assert_eq!(market.trades().await, [trade.id.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_send_what_is_not_expected_any_more() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let market = Market::start().await;
    let mut stopped = Process::start(&market, &nats, Work::StopLate, "stopped");
    tokio::task::block_in_place(|| stopped.stopped());
    // Its lock lasts, but not what was set aside for it.
    let store = crate::store(&nats.url());
    let locked = IntentStore::lock(&store, "order", LITTLE_TIME).await;
    assert_eq!(locked.unwrap_err().kind(), ErrorKind::TimedOut);
    stopped.signal(Signal::SIGCONT);
    let said = tokio::task::block_in_place(|| stopped.next().unwrap());
    assert!(said.starts_with("TimedOut") && said.contains("before it was sent"), "{said}");
    let said = tokio::task::block_in_place(|| stopped.next().unwrap());
    assert!(said.starts_with("trade"), "{said}");
    assert_eq!(market.trades().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_spend_what_others_have_spent() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let market = Market::start().await;
    let mut stopped = Process::start(&market, &nats, Work::StopDeciding, "stopped");
    tokio::task::block_in_place(|| stopped.stopped());

    let spender = market.spender(&nats, BUDGET);
    for number in 0..BUDGET {
        let key = format!("other-{number}");
        spender.propose_trade_once(&key, &proposal(&market)).await.unwrap();
    }
    stopped.signal(Signal::SIGCONT);
    let said = tokio::task::block_in_place(|| (stopped.next().unwrap(), stopped.next().unwrap()));
    // Its decision is either not recorded, or made with what was spent meanwhile.
    assert!(said.0.starts_with("Storage") || said.0.starts_with("Policy"), "{said:?}");
    assert!(said.1.starts_with("Policy"), "{said:?}");
    assert_eq!(market.trades().await.len(), usize::try_from(BUDGET).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_holds_up_others_for_a_while() {
    let Some(nats) = NatsServer::start(&[]) else { return };
    let market = Market::start().await;
    let killed = Process::start(&market, &nats, Work::StopRecorded, "killed");
    tokio::task::block_in_place(|| killed.stopped());
    killed.signal(Signal::SIGKILL);
    let client: Client = market.buyer(&nats);
    let hasty = client.with(machins_client::CallOptions::new().timeout(crate::LOCK_TIME / 4));
    let error = hasty.propose_trade_once("order", &proposal(&market)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    let trade = client.propose_trade_once("order", &proposal(&market)).await.unwrap();
    assert_eq!(market.trades().await, [trade.id.to_string()]);
}
