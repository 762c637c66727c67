//! The log of webhooks and verifications, waiting for them, sending them again, and their faults.

use std::time::Duration;

use machins_mock::{Conditions, Fault, WaitError};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::control;
use crate::support::platform::{Platform, action_path, result};
use crate::support::receiver::{Receiver, answer, closed_port};

const PATIENCE: Duration = Duration::from_secs(30);

/// A platform whose seller subscribes to proposals, with a listing of the seller.
async fn proposals(url: &str) -> (Platform, machins_mock::Agent, Value) {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let subscription =
        json!({"event_type": "trade_proposed", "webhook_url": url, "secret": "whsec"});
    platform.done(&seller, "/subscriptions", subscription).await;
    let listing = platform.listing(&seller, json!({})).await;
    (platform, buyer, listing)
}

/// The trades of the posts so far, in the order in which they came.
fn trades(receiver: &mut Receiver) -> Vec<Value> {
    receiver.so_far().iter().map(|post| post.json()["data"]["trade_id"].clone()).collect()
}

#[tokio::test]
async fn an_attempt_shows_its_body_and_time() {
    let receiver = Receiver::willing().await;
    let (platform, buyer, listing) = proposals(&receiver.url).await;
    let before = platform.server.clock().now();
    let trade = platform.propose(&buyer, &listing).await;
    platform.server.webhooks_sent().await;
    let (_, log) = control(&platform.server, Method::GET, "webhooks", Value::Null).await;
    let attempt = &log["webhooks"][0];
    assert_eq!((&attempt["n"], &attempt["agent"]), (&json!(1), &json!("seller")));
    assert_eq!(attempt["body"]["data"]["trade_id"], trade["id"]);
    assert!(attempt["sent_at"].as_str().unwrap().ends_with('Z'));
    assert!(platform.server.webhooks()[0].sent_at >= before);

    assert_eq!(control(&platform.server, Method::DELETE, "webhooks", Value::Null).await.0, 200);
    assert!(platform.server.webhooks().is_empty());
    platform.propose(&buyer, &listing).await;
    platform.server.webhooks_sent().await;
    assert_eq!(platform.server.webhooks()[0].n, 2, "no number is repeated");
    let (_, log) = control(&platform.server, Method::GET, "webhooks?since=2", Value::Null).await;
    assert_eq!(log["webhooks"], json!([]));
}

#[tokio::test]
async fn verifications_are_logged_too() {
    let receiver = Receiver::start(|_| answer(200, r#"{"accepted": true}"#)).await;
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({})).await;
    let proposal = json!({"listing_id": listing["id"], "verification_url": receiver.url});
    let trade = platform.done(&buyer, "/trades", proposal).await;
    platform.act(&seller, &trade, "accept").await;
    platform.done(&seller, &action_path(&trade, "deliver"), result()).await;
    let found = platform.server.wait_for_webhooks(
        Conditions::new().event("verification").agent("seller").status(200),
        1,
        PATIENCE,
    );
    let attempt = found.await.unwrap().remove(0);
    assert_eq!(attempt.subscription_id, None);
    let body: Value = attempt.body.unwrap().parse().unwrap();
    assert_eq!(body["payload"]["result"], "done");
}

#[tokio::test]
async fn webhooks_can_be_waited_for() {
    let receiver = Receiver::willing().await;
    let (platform, buyer, listing) = proposals(&receiver.url).await;
    let body = json!({
        "match": {"event": "trade_proposed", "agent": "seller", "status": 200,
                  "body": {"data": {"buyer_agent_slug": "buyer"}}},
        "count": 2, "timeout_ms": 30_000,
    });
    let wait = control(&platform.server, Method::POST, "webhooks/wait", body);
    let propose = async {
        platform.propose(&buyer, &listing).await;
        platform.propose(&buyer, &listing).await;
    };
    let ((status, found), ()) = tokio::join!(wait, propose);
    assert_eq!((status, found["webhooks"].as_array().unwrap().len()), (200, 2));

    let body = json!({"match": {"event": "new_agent"}, "timeout_ms": 0});
    let (status, error) = control(&platform.server, Method::POST, "webhooks/wait", body).await;
    assert_eq!((status, &error["others"][1]["event"]), (408, &json!("trade_proposed")));
    let none = Conditions::new().event("new_agent");
    let error = platform.server.wait_for_webhooks(none, 1, Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("trade_proposed http://"), "{error}");
    let device = Conditions::new().device("a");
    let error = platform.server.wait_for_webhooks(device, 1, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, WaitError::Conditions(_)));
}

#[tokio::test]
async fn a_webhook_is_sent_again() {
    let mut receiver = Receiver::willing().await;
    let (platform, buyer, listing) = proposals(&receiver.url).await;
    platform.propose(&buyer, &listing).await;
    platform.server.webhooks_sent().await;
    let path = "webhooks/1/resend";
    let (status, resent) = control(&platform.server, Method::POST, path, Value::Null).await;
    assert_eq!((status, &resent["n"], &resent["resend_of"]), (200, &json!(2), &json!(1)));
    assert_eq!(resent["status"], 200);
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_eq!(first.body, second.body);
    assert_eq!(first.headers["x-machins-signature"], second.headers["x-machins-signature"]);
    let unknown = control(&platform.server, Method::POST, "webhooks/99/resend", Value::Null).await;
    assert_eq!(unknown.0, 404);
    assert!(platform.server.resend_webhook(99).await.is_none());
}

#[tokio::test]
async fn a_fault_duplicates_a_webhook() {
    let mut receiver = Receiver::willing().await;
    let (platform, buyer, listing) = proposals(&receiver.url).await;
    platform.server.add_fault(Fault::duplicate_webhook().times(1)).unwrap();
    let first = platform.propose(&buyer, &listing).await["id"].clone();
    let second = platform.propose(&buyer, &listing).await["id"].clone();
    platform.server.webhooks_sent().await;
    assert_eq!(trades(&mut receiver), [first.clone(), first, second]);
    assert_eq!(platform.server.webhooks()[1].fault, Some("duplicate"));
}

#[tokio::test]
async fn a_fault_drops_a_webhook() {
    let mut receiver = Receiver::willing().await;
    let (platform, buyer, listing) = proposals(&receiver.url).await;
    let fault = json!({
        "on": "webhook", "kind": "drop", "after": 1, "times": 1,
        "match": {"event": "trade_proposed", "agent": "seller"},
    });
    let (status, added) = control(&platform.server, Method::POST, "faults", fault).await;
    assert_eq!((status, &added["on"]), (201, &json!("webhook")));
    let mut proposed = Vec::new();
    for _ in 0..3 {
        proposed.push(platform.propose(&buyer, &listing).await["id"].clone());
    }
    platform.server.webhooks_sent().await;
    assert_eq!(trades(&mut receiver), [proposed[0].clone(), proposed[2].clone()]);
    let dropped = &platform.server.webhooks()[1];
    assert_eq!((dropped.status, dropped.fault, dropped.attempt), (None, Some("drop"), 0));
    assert_eq!(platform.server.faults()[0].hits, 1);
}

#[tokio::test]
async fn a_fault_reorders_webhooks() {
    let mut receiver = Receiver::willing().await;
    let (platform, buyer, listing) = proposals(&receiver.url).await;
    let fault = json!({"on": "webhook", "kind": "reorder", "millis": 600_000, "times": 1});
    control(&platform.server, Method::POST, "faults", fault).await;
    let first = platform.propose(&buyer, &listing).await["id"].clone();
    let second = platform.propose(&buyer, &listing).await["id"].clone();
    platform.server.webhooks_sent().await;
    assert_eq!(trades(&mut receiver), [second, first.clone()]);

    // Without a second one, it is sent all the same.
    let fault = json!({"on": "webhook", "kind": "reorder", "millis": 1, "times": 1});
    control(&platform.server, Method::POST, "faults", fault).await;
    let alone = platform.propose(&buyer, &listing).await["id"].clone();
    platform.server.webhooks_sent().await;
    assert_eq!(trades(&mut receiver), [alone]);
}

#[tokio::test]
async fn a_fault_delays_a_webhook() {
    let mut receiver = Receiver::willing().await;
    let (platform, buyer, listing) = proposals(&receiver.url).await;
    let fault = Fault::delay_webhook(Duration::from_millis(1)).times(1);
    platform.server.add_fault(fault).unwrap();
    platform.propose(&buyer, &listing).await;
    platform.server.webhooks_sent().await;
    assert_eq!(trades(&mut receiver).len(), 1);
    assert_eq!(platform.server.webhooks()[0].fault, Some("delay"));
}

#[tokio::test]
async fn a_fault_spoils_a_signature() {
    let mut receiver = Receiver::willing().await;
    let (platform, buyer, listing) = proposals(&receiver.url).await;
    platform.server.add_fault(Fault::bad_webhook_signature().times(1)).unwrap();
    platform.propose(&buyer, &listing).await;
    platform.server.webhooks_sent().await;
    let post = receiver.next().await;
    let bad = &post.headers["x-machins-signature"];
    platform.propose(&buyer, &listing).await;
    platform.server.webhooks_sent().await;
    let good = receiver.next().await;
    assert_eq!(bad.len(), good.headers["x-machins-signature"].len());
    assert!(bad.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert_ne!(*bad, super::webhooks::signature("whsec", &post.body));
}

#[rstest]
#[case::request_kind(json!({"on": "webhook", "kind": "drop_before"}), "`kind`: drop_before is for requests")]
#[case::webhook_kind(json!({"kind": "drop"}), "`kind`: drop is for webhooks")]
#[case::method(json!({"on": "webhook", "kind": "drop", "match": {"method": "POST"}}), "`match.method`: has no meaning for webhooks")]
#[case::status(json!({"kind": "drop_after", "match": {"status": 200}}), "`match.status`: has no meaning for faults")]
#[case::on(json!({"on": "reply", "kind": "drop"}), "`on`: must be one of request, webhook")]
#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused(#[case] fault: Value, #[case] message: &str) {
    let platform = Platform::start().await;
    let (status, error) = control(&platform.server, Method::POST, "faults", fault).await;
    assert_eq!(status, 400);
    assert!(error["detail"].as_str().unwrap().starts_with(message), "{error}");
}

#[tokio::test]
async fn an_attempt_that_got_no_answer_is_logged() {
    let url = format!("http://{}/", closed_port());
    let (platform, buyer, listing) = proposals(&url).await;
    platform.propose(&buyer, &listing).await;
    let found = platform.server.wait_for_webhooks(Conditions::new(), 1, PATIENCE).await.unwrap();
    assert!(found[0].status.is_none() && found[0].error.is_some());
}
