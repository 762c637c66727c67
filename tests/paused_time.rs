//! Programs whose tests pause the time of tokio, or tie the clock of a client to that of the mock
//! server: nothing is waited for in real time, and no time limit passes early.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use machineid_client::decision_log::DecisionLog;
use machineid_client::{CancellationToken, DecisionCode, DeviceId, Gate, OrgKey};
use machins_client::{
    ApiKey, Client, ClientBuilder, ClientOptions, Event, ListingType, MemoryIntentStore, MockClock,
    Money, NewListing, Notification, Proposal, TradeQuery, TradeStatus,
};
use machins_mock::{Fault, MockServer, NewAgent, Org, OrgUpdate, Plan};
use tokio::time::Instant;

/// A reply that is late in real time.
const LATE: Duration = Duration::from_millis(50);

async fn gate() -> (MockServer, Org, Gate) {
    let server = MockServer::start().await;
    let org = server.create_org(Plan::Free);
    let client = machineid_client::Client::builder()
        .org_key(OrgKey::new(org.key()).unwrap())
        .base_url(server.machineid_base_url())
        .build()
        .unwrap();
    let gate = Gate::new(&client, DeviceId::new("agent-01").unwrap()).register_on_start();
    (server, org, gate)
}

fn agent(server: &MockServer, slug: &str) -> ClientBuilder {
    let agent = server.create_agent(NewAgent::new().slug(slug)).unwrap();
    let key = ApiKey::new(&agent.api_key).unwrap();
    Client::builder().api_key(key).base_url(server.machins_base_url())
}

fn offer() -> NewListing {
    NewListing::new("Work", "work", ListingType::Task, Money::credits(5)).auto_accept()
}

#[tokio::test(start_paused = true)]
async fn a_gate_waits_for_late_replies() {
    let (server, _org, gate) = gate().await;
    server.add_fault(Fault::delay(LATE)).unwrap();
    let start = Instant::now();
    for _ in 0..3 {
        let _permit = gate.check().await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn checks_at_once_share_late_replies() {
    let (server, _org, gate) = gate().await;
    server.add_fault(Fault::delay(LATE)).unwrap();
    let checks = (0..20).map(|_| gate.check());
    let allowed = futures_util::future::join_all(checks).await;
    assert!(allowed.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_outlasted_without_waiting() {
    let (server, _org, gate) = gate().await;
    let gate = gate.outage_grace(Duration::from_mins(5));
    let _permit = gate.check().await.unwrap();
    server.add_fault(Fault::status(503).times(12)).unwrap();
    let start = Instant::now();
    let _permit = gate.check().await.unwrap();
    assert!(start.elapsed() > Duration::from_secs(1), "the waits are on the runtime's clock");
}

#[tokio::test(start_paused = true)]
async fn supervised_work_is_checked_at_each_interval() {
    let (server, org, gate) = gate().await;
    let revoked_after = Duration::from_secs(95);
    let start = Instant::now();
    let work = async {
        tokio::time::sleep(revoked_after).await;
        org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
        std::future::pending::<()>().await;
    };
    let denied = gate.supervise(Duration::from_secs(30), work).await.unwrap_err();
    assert_eq!(*denied.code(), DecisionCode::OrgDisabled);
    assert_eq!(start.elapsed().as_secs(), 120, "asked after 30, 60, 90 and 120 seconds");
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn an_allow_waits_for_the_decision_log() {
    let (_server, _org, gate) = gate().await;
    let folder = tempfile::tempdir().unwrap();
    let log = DecisionLog::new(folder.path().join("decisions.log")).required();
    let gate = gate.decision_log(log);
    for _ in 0..5 {
        let _permit = gate.check().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_recovered_without_waiting() {
    let server = MockServer::start().await;
    let seller = agent(&server, "seller").build().unwrap();
    let listing = seller.create_listing(&offer()).await.unwrap();
    let buyer = agent(&server, "buyer").build().unwrap();
    server.add_fault(Fault::drop_after().method("POST").path("/api/v1/trades").times(1)).unwrap();
    let trade = buyer.propose_trade(&Proposal::new(&listing.id)).await.unwrap();
    let trades = buyer.list_trades(&TradeQuery::new()).await.unwrap().items;
    assert_eq!(trades.iter().map(|trade| &trade.id).collect::<Vec<_>>(), [&trade.id]);
}

#[tokio::test(start_paused = true)]
async fn an_intent_and_its_trade_are_followed_to_the_end() {
    let server = MockServer::start().await;
    server.add_fault(Fault::delay(LATE)).unwrap();
    let seller = agent(&server, "seller").build().unwrap();
    let listing = seller.create_listing(&offer()).await.unwrap();
    let buyer = agent(&server, "buyer").intent_store(MemoryIntentStore::new()).build().unwrap();
    let proposal = Proposal::new(&listing.id);
    let trade = buyer.propose_trade_once("order-1", &proposal).await.unwrap();
    let again = buyer.propose_trade_once("order-1", &proposal).await.unwrap();
    assert_eq!(trade.id, again.id);
    let waited = buyer
        .wait_for_trade(&trade.id, TradeStatus::EscrowHeld, Duration::from_mins(10))
        .await
        .unwrap();
    assert_eq!(waited.status, TradeStatus::EscrowHeld);
}

#[tokio::test(start_paused = true)]
async fn an_inbox_is_watched() {
    let server = MockServer::start().await;
    server.add_fault(Fault::delay(LATE)).unwrap();
    let seller = agent(&server, "seller").build().unwrap();
    let listing = seller.create_listing(&offer()).await.unwrap();
    let buyer = agent(&server, "buyer").build().unwrap();
    let stop = CancellationToken::new();
    let seen = Arc::new(AtomicUsize::new(0));
    let propose = async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        buyer.propose_trade(&Proposal::new(&listing.id)).await.unwrap();
    };
    let watch = seller.inbox_watch().stop(stop.clone()).run(|notification: Notification| {
        let (seen, stop) = (Arc::clone(&seen), stop.clone());
        async move {
            if let Event::TradeProposed(_) = notification.event() {
                seen.fetch_add(1, Ordering::SeqCst);
                stop.cancel();
            }
            Ok::<(), machins_client::Error>(())
        }
    });
    let (watched, ()) = tokio::join!(watch, propose);
    watched.unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_clock_of_the_mock_follows_that_of_the_client() {
    let server = Arc::new(MockServer::start().await);
    server.clock().freeze();
    let start = server.clock().now();
    let mock = Arc::clone(&server);
    let clock = MockClock::new(0.5).on_sleep(move |wait| mock.clock().advance(wait).unwrap());
    let options = ClientOptions::new().clock(clock.clone());
    let client = agent(&server, "agent").options(options).build().unwrap();
    server.add_fault(Fault::status(429).retry_after(20).times(1)).unwrap();
    client.get_wallet().await.unwrap();
    assert_eq!(clock.slept(), [Duration::from_secs(20)]);
    assert_eq!(server.clock().now().duration_since(start).unwrap(), Duration::from_secs(20));
}
