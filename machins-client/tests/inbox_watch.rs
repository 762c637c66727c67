//! The inbox watch: each notification at least once, acknowledged after it was handled.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use machins_client::{CancellationToken, ClientOptions, ErrorKind, MockClock, WatchError};
use serde_json::{Value, json};
use support::{builder, client, once, reply};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn notification(id: &str) -> Value {
    json!({"id": id, "event_type": "trade_proposed", "payload": {"trade_id": id}, "is_read": false})
}

fn inbox(ids: &[&str]) -> ResponseTemplate {
    let items: Vec<_> = ids.iter().map(|id| notification(id)).collect();
    reply(&json!({"items": items, "unread_count": ids.len(), "total": ids.len()}))
}

/// The ids of each acknowledgement that the server received.
async fn acknowledged(server: &MockServer) -> Vec<Value> {
    let received = server.received_requests().await.unwrap();
    let acks = received.iter().filter(|request| request.url.path().ends_with("/inbox/ack"));
    acks.map(|request| request.body_json::<Value>().unwrap()["notification_ids"].clone()).collect()
}

async fn accept_acknowledgements(server: &MockServer) {
    Mock::given(method("POST"))
        .and(path("/api/v1/inbox/ack"))
        .respond_with(reply(&json!({"acknowledged": 1})))
        .mount(server)
        .await;
}

#[tokio::test]
async fn a_notification_is_acknowledged_when_the_next_is_requested() {
    let server = MockServer::start().await;
    accept_acknowledgements(&server).await;
    once(&server, "GET", "/inbox", inbox(&["n1", "n2"])).await;
    let stop = CancellationToken::new();
    let mut watch = client(&server).inbox_watch().stop(stop.clone());
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n1");
    assert!(acknowledged(&server).await.is_empty(), "not before it was handled");
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n2");
    assert_eq!(acknowledged(&server).await, [json!(["n1"])]);
    stop.cancel();
    assert!(watch.next().await.unwrap().is_none());
    assert_eq!(acknowledged(&server).await, [json!(["n1"]), json!(["n2"])]);
    let query = server.received_requests().await.unwrap()[0].url.query().unwrap().to_owned();
    assert_eq!(query, "unread=true&limit=50");
}

#[tokio::test]
async fn a_notification_whose_handler_failed_stays_unread() {
    let server = MockServer::start().await;
    accept_acknowledgements(&server).await;
    once(&server, "GET", "/inbox", inbox(&["n1", "n2", "n3"])).await;
    let mut watch = client(&server).inbox_watch();
    let mut handled = Vec::new();
    let result = watch
        .run(async |notification| {
            handled.push(notification.id.to_string());
            if notification.id.as_str() == "n2" { Err("no") } else { Ok(()) }
        })
        .await;
    assert!(matches!(result, Err(WatchError::Handler("no"))));
    assert_eq!(handled, ["n1", "n2"]);
    assert_eq!(acknowledged(&server).await, [json!(["n1"])]);
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n3");
    assert_eq!(acknowledged(&server).await, [json!(["n1"])], "not later either, by the same watch");
}

#[tokio::test]
async fn an_empty_inbox_is_fetched_again_after_a_wait() {
    let server = MockServer::start().await;
    accept_acknowledgements(&server).await;
    for _ in 0..5 {
        once(&server, "GET", "/inbox", inbox(&[])).await;
    }
    once(&server, "GET", "/inbox", inbox(&["n1"])).await;
    let clock = MockClock::new(0.0);
    let options = ClientOptions::new().clock(clock.clone());
    let mut watch = builder(&server)
        .options(options)
        .build()
        .unwrap()
        .inbox_watch()
        .every(Duration::from_secs(2), Duration::from_secs(9));
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n1");
    let slept = clock.slept();
    assert_eq!(slept.len(), 5);
    assert!(slept.iter().all(|wait| (2..=9).contains(&wait.as_secs())), "{slept:?}");
}

#[tokio::test]
async fn nothing_is_given_twice_if_acknowledgements_are_ignored() {
    let server = MockServer::start().await;
    accept_acknowledgements(&server).await;
    for _ in 0..4 {
        once(&server, "GET", "/inbox", inbox(&["n1"])).await;
    }
    once(&server, "GET", "/inbox", inbox(&["n1", "n2"])).await;
    let mut watch = client(&server).inbox_watch();
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n1");
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n2");
}

#[tokio::test]
async fn a_stop_ends_the_watch_while_the_inbox_is_fetched() {
    let server = MockServer::start().await;
    let slow = inbox(&["n1"]).set_delay(Duration::from_mins(10));
    once(&server, "GET", "/inbox", slow).await;
    let stop = CancellationToken::new();
    let mut watch = client(&server).inbox_watch().stop(stop.clone());
    let (next, ()) = tokio::join!(watch.next(), async { stop.cancel() });
    assert!(next.unwrap().is_none());
}

#[tokio::test]
async fn an_outage_is_waited_out() {
    let server = MockServer::start().await;
    accept_acknowledgements(&server).await;
    for _ in 0..5 {
        once(&server, "GET", "/inbox", ResponseTemplate::new(503)).await;
    }
    once(&server, "GET", "/inbox", inbox(&["n1"])).await;
    let mut watch = client(&server).inbox_watch();
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n1");
}

#[tokio::test]
async fn an_error_that_will_not_pass_ends_the_watch() {
    let server = MockServer::start().await;
    once(&server, "GET", "/inbox", ResponseTemplate::new(401)).await;
    let error = client(&server).inbox_watch().next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn a_failed_acknowledgement_is_made_later() {
    let server = MockServer::start().await;
    once(&server, "GET", "/inbox", inbox(&["n1", "n2"])).await;
    for _ in 0..3 {
        once(&server, "POST", "/inbox/ack", ResponseTemplate::new(503)).await;
    }
    accept_acknowledgements(&server).await;
    let mut watch = client(&server).inbox_watch();
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n1");
    assert_eq!(watch.next().await.unwrap().unwrap().id.as_str(), "n2");
    assert_eq!(acknowledged(&server).await.last(), Some(&json!(["n1"])));
}

#[cfg(feature = "blocking")]
#[test]
fn the_blocking_watch_calls_a_handler_that_may_make_calls() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        accept_acknowledgements(&server).await;
        once(&server, "GET", "/inbox", inbox(&["n1", "n2"])).await;
        let wallet =
            json!({"balance": "1.00", "held_balance": "0.00", "available_balance": "1.00"});
        once(&server, "GET", "/wallets/me", reply(&wallet)).await;
        server
    });
    let client = builder(&server).build_blocking().unwrap();
    let stop = CancellationToken::new();
    let mut watch = client.inbox_watch().stop(stop.clone());
    watch
        .run(|notification| {
            if notification.id.as_str() == "n1" {
                client.get_wallet().map(drop)
            } else {
                stop.cancel();
                Ok(())
            }
        })
        .unwrap();
    let acknowledged = runtime.block_on(acknowledged(&server));
    assert_eq!(acknowledged, [json!(["n1"]), json!(["n2"])]);
}
