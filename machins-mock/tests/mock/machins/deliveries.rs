//! What is delivered, by the listing's type, and its verification.

use std::time::Duration;

use machins_mock::{Agent, MockServer};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::platform::{Platform, TRANSITION, VALIDATION, action_path, id, result};
use crate::support::receiver::{Answer, Receiver, answer, closed_port};

async fn accepted(platform: &Platform, kind: &str, url: Option<&str>) -> (Agent, Agent, Value) {
    let suffix = platform.server.requests().len();
    let seller = platform.agent(&format!("seller-{suffix}"));
    let buyer = platform.agent(&format!("buyer-{suffix}"));
    let listing = platform.listing(&seller, json!({"listing_type": kind})).await;
    let proposal = json!({"listing_id": listing["id"], "verification_url": url});
    let trade = platform.done(&buyer, "/trades", proposal).await;
    let trade = platform.act(&seller, &trade, "accept").await;
    (seller, buyer, trade)
}

#[rstest]
#[case::task(
    "task",
    json!({"payload": {"result": {"deep": [1]}, "more": 1}}),
    json!({"result": {"deep": [1]}, "more": 1}),
    json!([{"payload": {}}, {"payload": {"result": null}}, {"payload": {"data": []}}])
)]
#[case::data(
    "data",
    json!({"payload": {"data": []}}),
    json!({"data": []}),
    json!([{"payload": {"data": {}}}, {"payload": {"result": 1}}, {"payload": []}])
)]
#[case::api(
    "api",
    json!({"endpoint_url": "https://api.example.com/v1", "credentials": {"k": "v"}}),
    json!({"endpoint_url": "https://api.example.com/v1", "credentials": {"k": "v"}}),
    json!([
        {"endpoint_url": "https://a.example"},
        {"credentials": {}},
        {"endpoint_url": "nope", "credentials": {}},
        {"endpoint_url": "https://a.example", "credentials": "k"},
    ])
)]
#[case::model(
    "model",
    json!({"endpoint_url": "https://api.example.com/v1", "credentials": {"k": "v"}}),
    json!({"endpoint_url": "https://api.example.com/v1", "credentials": {"k": "v"}}),
    json!([{"endpoint_url": 1, "credentials": {}}])
)]
#[case::asset(
    "asset",
    json!({"transaction_proof": {"tx_id": "t1"}}),
    json!({"transaction_proof": {"tx_id": "t1"}}),
    json!([
        {"transaction_proof": {}},
        {"transaction_proof": {"tx_id": ""}},
        {"transaction_proof": {"tx_id": 1}},
    ])
)]
#[tokio::test]
async fn each_type_has_its_required_fields(
    #[case] listing_type: &str,
    #[case] good: Value,
    #[case] stored: Value,
    #[case] bad: Value,
) {
    let platform = Platform::start().await;
    let (seller, buyer, trade) = accepted(&platform, listing_type, None).await;
    let path = action_path(&trade, "deliver");
    let wrong = [json!({}), json!([]), Value::Null, json!({"payload": "x"}), json!({"result": 1})];
    for bad in bad.as_array().unwrap().iter().chain(&wrong) {
        platform.refused(&seller, &path, bad.clone(), VALIDATION).await;
    }
    let delivered = platform.done(&seller, &path, good).await;
    assert_eq!(
        (&delivered["status"], &delivered["delivery_payload"]),
        (&json!("delivered"), &stored)
    );
    assert_eq!(
        (&delivered["delivery_verified"], &delivered["delivery_verification"]),
        (&Value::Null, &Value::Null)
    );
    platform.act(&buyer, &trade, "confirm").await;
}

/// Delivers to a verifier that answers like this.
async fn verified(
    platform: &Platform,
    respond: impl Fn(usize) -> Answer + Send + Sync + 'static,
) -> Value {
    let verifier = Receiver::start(respond).await;
    let (seller, _, trade) = accepted(platform, "task", Some(&verifier.url)).await;
    platform.act(&seller, &trade, "deliver").await
}

#[tokio::test]
async fn a_delivery_is_verified_before_the_reply() {
    let platform = Platform::start().await;
    let mut verifier = Receiver::start(|_| answer(200, r#"{"accepted": true, "score": 9}"#)).await;
    let (seller, buyer, trade) = accepted(&platform, "task", Some(&verifier.url)).await;
    let delivered = platform.act(&seller, &trade, "deliver").await;
    assert_eq!(delivered["delivery_verified"], true);
    assert_eq!(delivered["delivery_verification"], json!({"accepted": true, "score": 9}));
    let asked = verifier.next().await;
    assert_eq!(
        (asked.path.as_str(), asked.headers["content-type"].as_str()),
        ("/hook", "application/json")
    );
    assert!(!asked.headers.contains_key("x-machins-signature"));
    let expected = json!({
        "trade_id": trade["id"], "listing_id": trade["listing_id"], "payload": {"result": "done"},
    });
    assert_eq!(asked.json(), expected);
    assert_eq!(platform.get(&buyer, &format!("/trades/{}", id(&trade))).await, delivered);

    platform.refused(&seller, &action_path(&trade, "deliver"), result(), TRANSITION).await;
    assert!(verifier.so_far().is_empty(), "nothing is asked about what cannot be delivered");
}

#[tokio::test]
async fn a_refusal_by_the_verifier_is_kept() {
    let platform = Platform::start().await;
    let refused = verified(&platform, |_| answer(200, r#"{"accepted": false, "reason": "no"}"#));
    let refused = refused.await;
    assert_eq!(refused["delivery_verified"], false);
    assert_eq!(refused["delivery_verification"], json!({"accepted": false, "reason": "no"}));
}

#[rstest]
#[case::status_500(500, r#"{"accepted": true}"#)]
#[case::redirect(302, r#"{"accepted": true}"#)]
#[case::text(200, r#"{"accepted": "true"}"#)]
#[case::number(200, r#"{"accepted": 1}"#)]
#[case::list(200, "[]")]
#[case::no_json(200, "yes")]
#[case::empty(200, "")]
#[case::large(200, &format!(r#"{{"accepted": true, "x": "{}"}}"#, "x".repeat(65_536)))]
#[tokio::test]
async fn only_an_explicit_acceptance_verifies(#[case] status: u16, #[case] body: &str) {
    let platform = Platform::start().await;
    let body = body.to_owned();
    let trade = verified(&platform, move |_| answer(status, &body)).await;
    assert_eq!(
        (&trade["status"], &trade["delivery_verified"]),
        (&json!("delivered"), &json!(false))
    );
    assert_eq!(trade["delivery_verification"]["accepted"], false);
    assert!(trade["delivery_verification"]["reason"].is_string());
}

#[tokio::test]
async fn a_silent_verifier_is_given_up() {
    let limit = Duration::from_millis(50);
    let server = MockServer::builder().delivery_time_limit(limit).start().unwrap();
    let platform = Platform::with(server);
    let silent = verified(&platform, |_| None).await;
    assert_eq!(silent["delivery_verified"], false);
    let reason = silent["delivery_verification"]["reason"].as_str().unwrap();
    assert!(reason.contains("0.05 seconds"), "{reason}");
}

/// No resolver knows the name.
#[tokio::test]
async fn a_name_under_localhost_is_this_machine() {
    let platform = Platform::start().await;
    let verifier = Receiver::start(|_| answer(200, r#"{"accepted": true}"#)).await;
    let url = verifier.url.replace("127.0.0.1", "who.knows.this.localhost");
    let (seller, _, trade) = accepted(&platform, "task", Some(&url)).await;
    let delivered = platform.act(&seller, &trade, "deliver").await;
    assert_eq!(delivered["delivery_verified"], true, "{delivered}");
}

#[rstest]
#[case::closed_port(&format!("http://{}/", closed_port()))]
#[case::another_machine("http://198.51.100.1/")]
#[case::https("https://localhost/")]
#[tokio::test]
async fn an_unreachable_verifier_does_not_verify(#[case] url: &str) {
    let platform = Platform::start().await;
    let (seller, _, trade) = accepted(&platform, "task", Some(url)).await;
    let trade = platform.act(&seller, &trade, "deliver").await;
    assert_eq!(trade["delivery_verified"], false);
}

#[tokio::test]
async fn other_requests_are_served_during_a_verification() {
    let platform = Platform::start().await;
    let verifier = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", verifier.local_addr().unwrap());
    let (seller, buyer, trade) = accepted(&platform, "task", Some(&url)).await;
    let path = action_path(&trade, "deliver");
    let (cancelled, delivered) = tokio::join!(
        async {
            let (stream, _) = verifier.accept().await.unwrap();
            let cancelled = platform.act(&buyer, &trade, "cancel").await;
            drop(stream);
            cancelled
        },
        platform.post(&seller, &path, result()),
    );
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!((delivered.0, &delivered.1["error"]["code"]), (422, &json!("INVALID_TRANSITION")));
    assert_eq!(platform.credits(&buyer).await, ("500.00".into(), "0.00".into()));
}

#[tokio::test]
async fn a_proposal_overrides_the_verification_url_of_the_request() {
    let platform = Platform::start().await;
    let (buyer, seller) = (platform.agent("buyer"), platform.agent("seller"));
    let fields = json!({"side": "request", "delivery_callback_url": "http://127.0.0.1:1/own"});
    let request = platform.listing(&buyer, fields).await;
    let trade = platform.propose(&seller, &request).await;
    assert_eq!(trade["verification_url"], "http://127.0.0.1:1/own");
    let proposal = json!({"listing_id": request["id"], "verification_url": "http://127.0.0.1:1/x"});
    let trade = platform.done(&seller, "/trades", proposal).await;
    assert_eq!(trade["verification_url"], "http://127.0.0.1:1/x");
    let fields = json!({"delivery_callback_url": "http://127.0.0.1:1/own"});
    let offer = platform.listing(&seller, fields).await;
    assert_eq!(platform.propose(&buyer, &offer).await["verification_url"], Value::Null);
}
