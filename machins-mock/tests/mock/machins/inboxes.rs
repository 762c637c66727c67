//! Inboxes: what arrives, what is read, what vanishes.

use serde_json::{Value, json};

use crate::support::platform::{DAY, HOUR, Platform, VALIDATION, assert_refused, id};

#[tokio::test]
async fn events_notify_the_other_party() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    platform.trade_at(&seller, &buyer, "completed").await;
    platform.trade_at(&seller, &buyer, "cancelled").await;
    platform.trade_at(&seller, &buyer, "rejected").await;
    platform.trade_at(&seller, &buyer, "disputed").await;
    let to_seller = [
        "trade_proposed",
        "trade_completed",
        "trade_proposed",
        "trade_cancelled",
        "trade_proposed",
        "trade_proposed",
        "trade_disputed",
    ];
    let to_buyer = [
        "trade_accepted",
        "trade_delivered",
        "trade_completed",
        "trade_accepted",
        "trade_accepted",
        "trade_delivered",
    ];
    assert_eq!(platform.events(&seller).await, to_seller);
    assert_eq!(platform.events(&buyer).await, to_buyer);
    let inbox = platform.get(&seller, "/inbox?event_type=trade_proposed").await;
    let payload = &inbox["items"][0]["payload"];
    assert!(payload["trade_id"].is_string() && payload["listing_id"].is_string());
    assert_eq!(
        (&payload["buyer_agent_slug"], &payload["price"]),
        (&json!("buyer"), &json!("50.00"))
    );
    assert!(platform.events(&platform.agent("bystander")).await.is_empty());
}

#[tokio::test]
async fn matches_are_on_the_other_side_with_the_same_type_and_a_tag() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let offer = platform.listing(&seller, json!({"tags": ["nlp", "fast"]})).await;
    platform.listing(&seller, json!({"tags": ["nlp"], "listing_type": "data"})).await;
    platform.listing(&seller, json!({"tags": ["cv"]})).await;
    platform.listing(&seller, json!({"tags": ["nlp"], "side": "request"})).await;
    let closed = platform.listing(&seller, json!({"tags": ["nlp"]})).await;
    let path = format!("/listings/{}", id(&closed));
    platform.call(reqwest::Method::DELETE, &path, &seller.api_key, Value::Null).await;
    platform.listing(&buyer, json!({"tags": ["nlp"]})).await;
    let before = platform.events(&seller).await;
    assert_eq!(before, ["match_found"], "the request met an offer");
    let fields = json!({"tags": ["x", "nlp", "fast"], "side": "request"});
    let request = platform.listing(&buyer, fields).await;
    let inbox = platform.get(&seller, "/inbox?event_type=match_found&limit=1").await;
    assert_eq!(inbox["total"], 2);
    let payload = &inbox["items"][0]["payload"];
    assert_eq!(payload["listing_id"], offer["id"]);
    assert_eq!(payload["matched_listing_id"], request["id"]);
    assert_eq!(
        (&payload["matched_agent_slug"], &payload["tags"]),
        (&json!("buyer"), &json!(["nlp", "fast"]))
    );
    assert!(platform.events(&buyer).await.is_empty(), "one's own listing is no news");
}

#[tokio::test]
async fn public_events_are_in_no_inbox() {
    let platform = Platform::start().await;
    let agent = platform.agent("agent");
    platform.agent("newcomer");
    platform.listing(&platform.agent("other"), json!({"side": "request"})).await;
    assert!(platform.events(&agent).await.is_empty());
}

#[tokio::test]
async fn notifications_are_acknowledged_singly_or_all_at_once() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({})).await;
    for _ in 0..5 {
        platform.propose(&buyer, &listing).await;
    }
    let inbox = platform.get(&seller, "/inbox").await;
    assert_eq!((&inbox["unread_count"], &inbox["total"]), (&json!(5), &json!(5)));
    let all: Vec<_> = inbox["items"].as_array().unwrap().iter().map(id).collect();
    assert_eq!(
        (&inbox["items"][0]["is_read"], &inbox["items"][0]["read_at"]),
        (&json!(false), &Value::Null)
    );

    let ack = async |ids: Value| {
        platform.done(&seller, "/inbox/ack", json!({"notification_ids": ids})).await
    };
    let done = ack(json!([all[0], all[2], all[0], "nonsense", listing["id"]])).await;
    assert_eq!(done, json!({"acknowledged": 2, "unread_count": 3}));
    assert_eq!(ack(json!([all[0]])).await, json!({"acknowledged": 0, "unread_count": 3}));
    assert_eq!(ack(json!([])).await["acknowledged"], 0);
    let unread = platform.get(&seller, "/inbox?unread=true&limit=2").await;
    assert_eq!((&unread["unread_count"], &unread["total"]), (&json!(3), &json!(5)));
    assert_eq!(unread["has_more"], true);
    let rest: Vec<_> = unread["items"].as_array().unwrap().iter().map(id).collect();
    assert_eq!(rest, [all[1], all[3]]);
    assert_eq!(platform.get(&seller, "/inbox?unread=true&offset=2").await["has_more"], false);
    assert_eq!(platform.get(&seller, "/inbox").await["items"][0]["is_read"], true);
    let foreign = platform.done(&buyer, "/inbox/ack", json!({"notification_ids": [all[1]]})).await;
    assert_eq!(foreign["acknowledged"], 0, "another's");

    let rest = platform.done(&seller, "/inbox/ack-all", Value::Null).await;
    assert_eq!(rest, json!({"acknowledged": 3, "unread_count": 0}));
    assert_eq!(platform.done(&seller, "/inbox/ack-all", json!({})).await["acknowledged"], 0);
    for bad in [
        json!({}),
        json!({"notification_ids": "x"}),
        json!({"notification_ids": [1]}),
        json!({"notification_ids": vec!["x"; 1001]}),
        json!([]),
        Value::Null,
    ] {
        platform.refused(&seller, "/inbox/ack", bad, VALIDATION).await;
    }
    for bad in ["unread=maybe", "event_type=trade_lost", "limit=0", "offset=-1"] {
        let path = format!("/inbox?{bad}");
        let (status, reply) =
            platform.call(reqwest::Method::GET, &path, &seller.api_key, Value::Null).await;
        assert_refused(status, &reply, VALIDATION, bad);
    }
}

#[tokio::test]
async fn read_notifications_are_deleted_after_a_week() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({})).await;
    for _ in 0..3 {
        platform.propose(&buyer, &listing).await;
    }
    let inbox = platform.get(&seller, "/inbox").await;
    let ack = json!({"notification_ids": [inbox["items"][0]["id"]]});
    platform.done(&seller, "/inbox/ack", ack).await;
    let total = async || platform.get(&seller, "/inbox").await["total"].clone();
    platform.server.clock().advance(3 * DAY).unwrap();
    let ack = json!({"notification_ids": [inbox["items"][1]["id"]]});
    platform.done(&seller, "/inbox/ack", ack).await;
    platform.server.clock().advance(95 * HOUR).unwrap();
    assert_eq!(total().await, 3);
    platform.server.clock().advance(HOUR).unwrap();
    assert_eq!(total().await, 2);
    platform.server.clock().advance(3 * DAY).unwrap();
    assert_eq!(total().await, 1);
    platform.server.clock().advance(300 * DAY).unwrap();
    assert_eq!(total().await, 1, "what was not read stays");
}
