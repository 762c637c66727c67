//! The axum extractor: what is not signed is not read.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "tests")]

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use machins_client::Secret;
use machins_client::webhook::{MAX_BODY_BYTES, SIGNATURE_HEADER, Signer, Verified, Verifier};
use tower::ServiceExt;

const BODY: &str = r#"{"event":"trade_proposed","subscription_id":"s1","data":{"trade_id":"t1"}}"#;

fn secret() -> Secret {
    Secret::new("shared")
}

/// Sends a body with these signatures to a receiver.
async fn receive(body: &str, signatures: &[&str]) -> StatusCode {
    let router = Router::new()
        .route("/hook", post(async |Verified(webhook): Verified| webhook.event_type.to_string()))
        .with_state(Verifier::new(&secret()).unwrap());
    let mut request = Request::post("/hook");
    for signature in signatures {
        request = request.header(SIGNATURE_HEADER, *signature);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    router.oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn only_what_is_signed_reaches_the_handler() {
    let good = Signer::new(&secret()).sign(BODY.as_bytes());
    assert_eq!(receive(BODY, &[&good]).await, StatusCode::OK);
    assert_eq!(receive(BODY, &[]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(receive(BODY, &[&good, &good]).await, StatusCode::UNAUTHORIZED, "doubled");
    assert_eq!(receive(BODY, &[&good.to_uppercase()]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(receive(&BODY.replace("t1", "t2"), &[&good]).await, StatusCode::UNAUTHORIZED);
    let other = Signer::new(&Secret::new("other")).sign(BODY.as_bytes());
    assert_eq!(receive(BODY, &[&other]).await, StatusCode::UNAUTHORIZED);

    let text = "no event";
    let signed = Signer::new(&secret()).sign(text.as_bytes());
    assert_eq!(receive(text, &[&signed]).await, StatusCode::BAD_REQUEST);
    let long = "x".repeat(MAX_BODY_BYTES + 1);
    let signed = Signer::new(&secret()).sign(long.as_bytes());
    assert_eq!(receive(&long, &[&signed]).await, StatusCode::PAYLOAD_TOO_LARGE);
}
