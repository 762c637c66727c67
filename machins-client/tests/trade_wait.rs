//! Waiting until a trade has reached a state.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::Duration;

use machins_client::TradeStatus::{Completed, Delivered, EscrowHeld, Proposed, Rejected, Resolved};
use machins_client::{
    Client, ClientOptions, Error, ErrorKind, MockClock, NotReached, Trade, TradeStatus,
};
use rstest::rstest;
use serde_json::json;
use support::{builder, once, reply, requests, trade, trade_id};
use wiremock::{MockServer, ResponseTemplate};

const TRADE: &str = "/trades/t1r2a3d4";
const MINUTE: Duration = Duration::from_secs(60);

/// A server on which the trade has these states, one after the other.
async fn states(statuses: &[&str]) -> MockServer {
    let server = MockServer::start().await;
    for status in statuses {
        once(&server, "GET", TRADE, reply(&trade(status))).await;
    }
    server
}

fn client(server: &MockServer) -> (Client, MockClock) {
    let clock = MockClock::new(0.0);
    let options = ClientOptions::new().clock(clock.clone());
    (builder(server).options(options).build().unwrap(), clock)
}

async fn wait(
    server: &MockServer,
    status: TradeStatus,
    within: Duration,
) -> (Result<Trade, Error>, Vec<Duration>) {
    let (client, clock) = client(server);
    (client.wait_for_trade(&trade_id(), status, within).await, clock.slept())
}

#[tokio::test]
async fn the_trade_is_returned_once_it_is_in_the_state() {
    let server = states(&["proposed", "escrow_held", "delivered"]).await;
    let (found, slept) = wait(&server, Delivered, MINUTE).await;
    assert_eq!(found.unwrap().status, Delivered);
    assert_eq!(slept, [500, 750].map(Duration::from_millis), "less and less often");
}

#[rstest]
#[case::delivered_before_it_was_completed(Delivered, "completed")]
#[case::accepted_before_it_was_cancelled(EscrowHeld, "cancelled")]
#[tokio::test]
async fn a_state_that_has_passed_is_reached(#[case] wanted: TradeStatus, #[case] now: &str) {
    let server = states(&[now]).await;
    assert_eq!(wait(&server, wanted, MINUTE).await.0.unwrap().status.as_str(), now);
}

#[rstest]
#[case::rejected(Delivered, "rejected")]
#[case::cancelled(Delivered, "cancelled")]
#[case::disputed(Completed, "disputed")]
#[case::accepted(Rejected, "escrow_held")]
#[case::completed(Resolved, "completed")]
#[case::final_when_an_unknown_one_is_wanted(TradeStatus::from("paused"), "completed")]
#[tokio::test]
async fn a_state_that_cannot_come_is_an_error(#[case] wanted: TradeStatus, #[case] now: &str) {
    let server = states(&[now]).await;
    let error = wait(&server, wanted.clone(), MINUTE).await.0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidTransition);
    assert!(!error.is_retryable());
    let reason = NotReached::from_error(&error).unwrap();
    assert_eq!(reason.wanted, wanted);
    assert_eq!(reason.last_seen.as_ref().unwrap().status.as_str(), now);
}

#[rstest]
#[case::shorter_than_the_first_pause(Duration::from_millis(200))]
#[case::of_a_minute(MINUTE)]
#[tokio::test]
async fn at_the_limit_the_error_has_the_last_trade(#[case] within: Duration) {
    let server = states(&["proposed"; 40]).await;
    let (result, slept) = wait(&server, Delivered, within).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let reason = NotReached::from_error(&error).unwrap();
    assert_eq!(reason.last_seen.as_ref().unwrap().status, Proposed);
    assert_eq!(slept.iter().sum::<Duration>(), within, "exactly at the limit");
    assert!(slept.iter().all(|pause| *pause <= Duration::from_secs(10)), "{slept:?}");
    assert!(*slept.last().unwrap() <= Duration::from_millis(100), "read shortly before");
}

#[tokio::test]
async fn what_may_pass_is_waited_out() {
    let server = MockServer::start().await;
    once(&server, "GET", TRADE, ResponseTemplate::new(503)).await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "20");
    once(&server, "GET", TRADE, busy).await;
    once(&server, "GET", TRADE, reply(&trade("delivered"))).await;
    let (found, slept) = wait(&server, Delivered, MINUTE).await;
    assert_eq!(found.unwrap().status, Delivered);
    assert!(slept.contains(&Duration::from_secs(20)), "{slept:?}");
}

#[rstest]
#[case::success(200)]
#[case::forbidden(403)]
#[case::not_found(404)]
#[tokio::test]
async fn a_page_in_between_is_waited_out(#[case] status: u16) {
    let server = MockServer::start().await;
    let page = ResponseTemplate::new(status).set_body_raw("<html>Please wait</html>", "text/html");
    once(&server, "GET", TRADE, page).await;
    once(&server, "GET", TRADE, reply(&trade("delivered"))).await;
    assert_eq!(wait(&server, Delivered, MINUTE).await.0.unwrap().status, Delivered);
}

#[tokio::test]
async fn at_the_limit_the_error_says_why_nothing_was_read() {
    let server = MockServer::start().await;
    for _ in 0..40 {
        let page = ResponseTemplate::new(200).set_body_raw("<html>Please wait", "text/html");
        once(&server, "GET", TRADE, page).await;
    }
    let error = wait(&server, Delivered, MINUTE).await.0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(NotReached::from_error(&error).unwrap().last_seen, None);
    assert!(error.to_string().contains("the body is not JSON"), "{error}");
}

#[tokio::test]
async fn a_pause_longer_than_the_limit_ends_at_the_limit() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "100");
    once(&server, "GET", TRADE, busy).await;
    let (result, slept) = wait(&server, Delivered, Duration::from_secs(7)).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(NotReached::from_error(&error).unwrap().last_seen, None);
    assert_eq!(slept.iter().sum::<Duration>(), Duration::from_secs(7));
    assert_eq!(requests(&server).await.len(), 1);
}

#[tokio::test]
async fn an_error_that_stays_ends_the_wait() {
    let server = MockServer::start().await;
    let unknown = ResponseTemplate::new(404).set_body_json(json!({"detail": "no such trade"}));
    once(&server, "GET", TRADE, unknown).await;
    let error = wait(&server, Delivered, MINUTE).await.0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(NotReached::from_error(&error).is_none());
}

#[tokio::test]
async fn a_wait_without_end_does_not_overflow() {
    let server = states(&["proposed", "delivered"]).await;
    wait(&server, Delivered, Duration::MAX).await.0.unwrap();
}

#[cfg(feature = "blocking")]
#[test]
fn a_blocking_client_waits_too() {
    use machins_client::{Delivery, Proposal};

    test_support::machins_blocking(|market| {
        let trade = market.buyer.propose_trade(&Proposal::new(&market.listing.id))?;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                market.seller.accept_trade(&trade.id).unwrap();
                market.seller.deliver_trade(&trade.id, &Delivery::task("done")).unwrap();
            });
            let found = market.buyer.wait_for_trade(&trade.id, Delivered, MINUTE);
            assert_eq!(found.unwrap().status, Delivered);
        });
        Ok(())
    });
}
