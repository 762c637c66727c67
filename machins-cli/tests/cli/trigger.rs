//! `trigger`: events that happen on a mock server.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::home::Home;
use crate::receiver::Receiver;
use crate::shop::Shop;
use crate::stub::{self, Reply};

#[rstest]
fn an_event_of_a_trade_or_match_reaches_the_inbox(
    #[values(
        "trade_proposed",
        "trade_accepted",
        "trade_delivered",
        "trade_completed",
        "trade_cancelled",
        "trade_disputed",
        "match_found"
    )]
    event: &str,
) {
    let shop = Shop::new();
    let triggered = shop.ada.run(&["trigger", event, "--json"]).exits(0).document();
    let list = ["inbox", "--unread", "--event-type", event, "--json"];
    let inbox = shop.ada.run(&list).exits(0).document();
    let items = inbox["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["id"]), (1, &triggered["notification_id"]));
    assert_eq!(triggered["event_type"], event);
    let payload = &items[0]["payload"];
    let field = if event == "match_found" { "listing_id" } else { "trade_id" };
    assert_eq!(payload[field], triggered[field]);
    // The other party is a new one.
    let other = &triggered["agent_slug"];
    let parties = ["buyer_agent_slug", "seller_agent_slug", "matched_agent_slug"];
    assert!(parties.iter().any(|party| payload[*party] == *other), "{payload}");
    assert!(!["ada", "bob"].contains(&other.as_str().unwrap()));
    let bobs = shop.bob.run(&["inbox", "--json"]).exits(0).document();
    assert_eq!(bobs["total"], 0);
    assert!(shop.server.ledger().balanced);
}

#[rstest]
fn an_event_for_everyone_reaches_subscriptions(
    #[values("new_listing", "new_request", "new_agent")] event: &str,
) {
    let (shop, receiver) = (Shop::new(), Receiver::new());
    shop.ada.run(&["subscribe", event, &receiver.url]).exits(0);
    let triggered = shop.ada.run(&["trigger", event]).exits(0);
    assert!(triggered.stderr.contains("in no inbox"), "{triggered:?}");
    let started = Instant::now();
    while receiver.posts().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "no webhook");
        std::thread::yield_now();
    }
    let body: Value = serde_json::from_slice(&receiver.posts()[0].body).unwrap();
    assert_eq!(body["event"], event);
    let json = shop.ada.run(&["trigger", event, "--json"]).exits(0).document();
    assert_eq!(json["notification_id"], Value::Null);
}

#[test]
fn the_same_event_may_be_triggered_again() {
    let shop = Shop::new();
    let ids = [(); 2].map(|()| {
        let triggered = shop.ada.run(&["trigger", "match_found", "--json"]).exits(0).document();
        triggered["notification_id"].clone()
    });
    assert_ne!(ids[0], ids[1]);
    let inbox = shop.ada.run(&["inbox", "--json"]).exits(0).document();
    assert_eq!(inbox["total"], 2, "one does not match the other");
}

#[test]
fn a_world_beside_the_servers_own_has_events_too() {
    let shop = Shop::new();
    let world = shop.server.create_world("worker-1").unwrap();
    let eve = crate::shop::home(&world, "eve");
    eve.run(&["trigger", "trade_proposed"]).exits(0);
    assert_eq!(eve.run(&["inbox", "--json"]).exits(0).document()["total"], 1);
}

#[test]
fn only_a_mock_server_triggers_events() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let other = stub::serve(move |request| {
        seen.lock().unwrap().push(request.head.to_lowercase());
        Reply::json(404, &json!({"detail": "Not Found"}))
    });
    let page = stub::serve(|_| Reply {
        status: 200,
        headers: b"content-type: text/html\r\n".into(),
        body: b"<p>ok".into(),
    });
    let key = "at_0123456789abcdef";
    // The service itself is not even asked.
    let services = ["", "https://machins.co/api/v1", "https://machins.co/api/v1/"];
    let others = [format!("{other}/api/v1"), format!("{page}/api/v1"), other];
    for url in services.iter().map(ToString::to_string).chain(others) {
        let home = Home::new().with("MACHINS_API_KEY", key).with("MACHINS_BASE_URL", &url);
        let error = home.run(&["trigger", "new_agent", "--json"]).exits(1).error();
        assert_eq!(error["kind"], "refused", "{url}");
        assert!(error["message"].as_str().unwrap().contains("only on a mock server"), "{error}");
    }
    let heads = heads.lock().unwrap();
    assert!(!heads.is_empty() && !heads.iter().any(|head| head.contains(key)), "{heads:?}");
}

#[test]
fn a_key_that_the_mock_server_does_not_know_is_told() {
    let shop = Shop::new();
    let home = Home::new()
        .with("MACHINS_BASE_URL", &shop.server.machins_base_url())
        .with("MACHINS_API_KEY", "at_0123456789abcdef");
    let error = home.run(&["trigger", "trade_proposed", "--json"]).exits(1).error();
    assert_eq!(error["kind"], "unauthorized");
    let keyless = Home::new().with("MACHINS_BASE_URL", &shop.server.machins_base_url());
    keyless.run(&["trigger", "trade_proposed"]).exits(4);
    keyless.run(&["trigger", "new_agent"]).exits(0);
}
