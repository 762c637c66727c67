//! A clock that is set and frozen, and runs that are the same to the byte.

use std::time::{Duration, SystemTime};

use machins_mock::{ClockOutOfRange, Conditions, MAX_ADVANCE, MockServer, NewAgent, Plan};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{control, device, get, post, register, send, server_with_org};
use crate::support::platform::{DAY, Platform, id};
use crate::support::receiver::Receiver;

const NEW_YEAR: &str = "2030-01-01T00:00:00.000Z";

fn new_year() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(525_960 * 60 * 60)
}

#[tokio::test]
async fn the_clock_is_set_and_frozen() {
    let server = MockServer::start().await;
    let body = json!({"now": NEW_YEAR, "frozen": true});
    let (status, clock) = control(&server, Method::PUT, "clock", body).await;
    assert_eq!((status, &clock["now"], &clock["frozen"]), (200, &json!(NEW_YEAR), &json!(true)));
    let org = server.create_org(Plan::Free);
    register(&server, &org, &["a"]).await;
    let (_, list) = get(&server, &org, "devices/list").await;
    assert_eq!(list["devices"][0]["createdAt"], NEW_YEAR);
    assert_eq!(server.requests()[0].received_at, new_year());

    control(&server, Method::POST, "clock/advance", json!({"seconds": 1.5})).await;
    let (_, clock) = control(&server, Method::GET, "clock", Value::Null).await;
    assert_eq!(clock["now"], "2030-01-01T00:00:01.500Z");

    let (_, clock) = control(&server, Method::PUT, "clock", json!({"frozen": false})).await;
    assert_eq!(clock["frozen"], false);
    assert!(server.clock().now() >= new_year() + Duration::from_millis(1500));
    server.clock().set(new_year() - DAY).unwrap();
    assert!(server.clock().now() < new_year(), "back");
    server.clock().freeze();
    assert_eq!(server.clock().now(), server.clock().now());
    assert!(server.clock().is_frozen());
    server.clock().unfreeze();
    assert!(!server.clock().is_frozen());
}

#[rstest]
#[case::no_time(json!({"now": "noon"}), "`now`: must be a time such as 2026-01-31T12:00:00Z")]
#[case::far(json!({"now": "9000-01-01T00:00:00Z", "frozen": true}), "`now`: the virtual time may be at most 100 years")]
#[case::frozen(json!({"frozen": "yes"}), "`frozen`: must be true or false")]
#[case::typo(json!({"frozn": true}), "unknown field `frozn`; the nearest known one is `frozen`")]
#[tokio::test]
async fn a_wrong_time_is_refused_and_changes_nothing(#[case] body: Value, #[case] message: &str) {
    let server = MockServer::start().await;
    let (status, error) = control(&server, Method::PUT, "clock", body).await;
    assert_eq!(status, 400);
    assert!(error["detail"].as_str().unwrap().starts_with(message), "{error}");
    assert!(!server.clock().is_frozen());
}

#[tokio::test]
async fn setting_the_time_forward_lets_things_fall_due() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let trade = platform.trade_at(&seller, &buyer, "disputed").await;
    let later = platform.server.clock().now() + DAY + Duration::from_secs(1);
    platform.server.clock().set(later).unwrap();
    let trade = platform.get(&buyer, &format!("/trades/{}", id(&trade))).await;
    assert_eq!(trade["status"], "resolved");
}

#[tokio::test]
async fn a_frozen_clock_has_the_same_bounds() {
    let server = MockServer::start().await;
    server.clock().freeze();
    assert_eq!(server.clock().advance(MAX_ADVANCE + DAY), Err(ClockOutOfRange));
    server.clock().advance(DAY).unwrap();
    let snapshot = serde_json::to_string(&server.snapshot()).unwrap();
    let other = MockServer::start().await;
    other.restore(&serde_json::from_str(&snapshot).unwrap());
    assert_eq!(other.clock().now(), server.clock().now());
}

#[tokio::test]
async fn the_state_of_a_frozen_clock_is_its_time_alone() {
    let server = MockServer::start().await;
    server.clock().set(new_year()).unwrap();
    server.clock().freeze();
    server.clock().set(new_year()).unwrap();
    let (_, state) = control(&server, Method::GET, "state", Value::Null).await;
    let expected = json!({"frozen_at": "2030-01-01T00:00:00.000Z", "offset_millis": 0});
    assert_eq!(state["clock"], expected);
}

#[tokio::test]
async fn a_reset_goes_back_to_the_time_of_the_start() {
    let server = MockServer::builder().clock(new_year()).frozen().start().unwrap();
    assert_eq!(server.clock().now(), new_year());
    server.clock().advance(DAY).unwrap();
    server.reset();
    assert_eq!(server.clock().now(), new_year());
    assert_eq!(server.create_world("a").unwrap().clock().now(), new_year());
    let far = new_year() + 3 * MAX_ADVANCE;
    assert!(MockServer::builder().clock(far).start().is_err());
}

/// Everything that a run of many calls is answered with, webhooks included.
async fn run(stray: bool) -> Vec<String> {
    let builder = MockServer::builder().seed(7).clock(new_year()).frozen();
    let platform = Platform::with(builder.start().unwrap());
    let server = &platform.server;
    let receiver = Receiver::willing().await;
    let mut texts = Vec::new();
    if stray {
        send(server, Method::GET, "/favicon.ico", "", Value::Null).await;
        send(server, Method::GET, "/api/v1/usage", "org_nobody", Value::Null).await;
    }
    let org = server.create_org(Plan::Free);
    for call in ["register", "validate", "revoke", "validate"] {
        let path = format!("/api/v1/devices/{call}");
        let reply = send(server, Method::POST, &path, org.key(), device("a")).await;
        texts.push(format!("{} {:?} {}", reply.status, reply.headers, reply.text));
        if stray {
            send(server, Method::PUT, "/api/v1/usage", "", Value::Null).await;
        }
    }
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let subscription = json!({"event_type": "trade_disputed", "webhook_url": receiver.url});
    platform.done(&seller, "/subscriptions", subscription).await;
    let listing = json!({"slug": "a-listing", "tags": ["x", "y"]});
    let listing = platform.listing(&seller, listing).await;
    let mut trade = platform.propose(&buyer, &listing).await;
    texts.push(trade.to_string());
    for (agent, action) in [(&seller, "accept"), (&seller, "deliver"), (&buyer, "dispute")] {
        trade = platform.act(agent, &trade, action).await;
        texts.push(trade.to_string());
    }
    server.clock().advance(DAY).unwrap();
    server.webhooks_sent().await;
    let body = server.webhooks()[0].body.clone().unwrap();
    texts.push(body.as_str().to_owned());
    for path in ["/inbox", "/wallets/transactions", "/wallets/me", "/trades"] {
        texts.push(platform.get(&buyer, path).await.to_string());
    }
    for path in ["machins/ledger", "machins/agents", "machins/trades", "machineid/orgs", "state"] {
        texts.push(control(server, Method::GET, path, Value::Null).await.1.to_string());
    }
    // The receiver has another port in every run.
    texts.into_iter().map(|text| text.replace(&receiver.url, "URL")).collect()
}

#[tokio::test]
async fn two_runs_give_the_same_bytes() {
    let (one, other) = (run(false).await, run(false).await);
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one, other);
    }
}

#[tokio::test]
async fn a_stray_request_shifts_nothing() {
    assert_eq!(run(false).await, run(true).await);
}

#[tokio::test]
async fn a_reset_gives_out_no_old_key_unless_seeded() {
    for (builder, same) in [(MockServer::builder(), false), (MockServer::builder().seed(1), true)] {
        let server = builder.start().unwrap();
        let keys = || {
            let agent = server.create_agent(NewAgent::new()).unwrap();
            [server.create_org(Plan::Free).key().to_owned(), agent.api_key]
        };
        let before = keys();
        server.reset();
        let after = keys();
        assert_eq!(before == after, same);
        assert_eq!(before[0] == after[0], same);
    }
}

#[tokio::test]
async fn the_date_of_replies_is_the_virtual_time() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.clock().set(new_year()).unwrap();
    server.clock().freeze();
    server.clock().set(new_year()).unwrap();
    let reply = send(&server, Method::GET, "/api/v1/usage", org.key(), Value::Null).await;
    assert_eq!(reply.headers["date"], "Tue, 01 Jan 2030 00:00:00 GMT");
    assert_eq!(reply.headers.get_all("date").iter().count(), 1);
    post(&server, &org, "devices/register", device("a")).await;
    let found = server.wait_for_requests(Conditions::new(), 2, Duration::ZERO).await.unwrap();
    assert_eq!(found.len(), 2);
}
