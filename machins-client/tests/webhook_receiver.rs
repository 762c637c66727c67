//! The axum extractor: what is not signed is not read.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use futures_util::stream;
use machins_client::Secret;
use machins_client::webhook::{MAX_BODY_BYTES, SIGNATURE_HEADER, Signer, Verified, Verifier};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

const BODY: &str = r#"{"event":"trade_proposed","subscription_id":"s1","data":{"trade_id":"t1"}}"#;

fn secret() -> Secret {
    Secret::new("shared")
}

fn receiver() -> Router {
    Router::new()
        .route("/hook", post(async |Verified(webhook): Verified| webhook.event_type.to_string()))
        .with_state(Verifier::new(&secret()).unwrap())
}

/// Sends a body with these signatures to a receiver.
async fn receive(body: &str, signatures: &[&str]) -> StatusCode {
    let mut request = Request::post("/hook");
    for signature in signatures {
        request = request.header(SIGNATURE_HEADER, *signature);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    receiver().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn only_what_is_signed_reaches_the_handler() {
    let good = Signer::new(&secret()).unwrap().sign(BODY.as_bytes());
    assert_eq!(receive(BODY, &[&good]).await, StatusCode::OK);
    assert_eq!(receive(BODY, &[]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(receive(BODY, &[&good.to_uppercase()]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(receive(&BODY.replace("t1", "t2"), &[&good]).await, StatusCode::UNAUTHORIZED);
    let other = Signer::new(&Secret::new("other")).unwrap().sign(BODY.as_bytes());
    assert_eq!(receive(BODY, &[&other]).await, StatusCode::UNAUTHORIZED);

    let text = "no event";
    let signed = Signer::new(&secret()).unwrap().sign(text.as_bytes());
    assert_eq!(receive(text, &[&signed]).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn two_signatures_are_refused_whichever_is_right() {
    let good = Signer::new(&secret()).unwrap().sign(BODY.as_bytes());
    let bad = Signer::new(&Secret::new("other")).unwrap().sign(BODY.as_bytes());
    let joined = format!("{good}, {good}");
    for signatures in [
        &[&*good, &good][..],
        &[&good, &bad],
        &[&bad, &good],
        &[&good, ""],
        &["", &good],
        &[&joined],
        &["\u{e9}"],
    ] {
        assert_eq!(receive(BODY, signatures).await, StatusCode::UNAUTHORIZED, "{signatures:?}");
    }
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_and_no_further() {
    for (length, status) in
        [(MAX_BODY_BYTES, StatusCode::OK), (MAX_BODY_BYTES + 1, StatusCode::PAYLOAD_TOO_LARGE)]
    {
        let body = format!("{BODY}{}", " ".repeat(length - BODY.len()));
        let signature = Signer::new(&secret()).unwrap().sign(body.as_bytes());
        assert_eq!(receive(&body, &[&signature]).await, status, "{length}");
    }

    // A body without an end, in pieces of 64 KiB.
    let pieces = Arc::new(AtomicUsize::new(0));
    let taken = Arc::clone(&pieces);
    let endless = stream::repeat_with(move || {
        taken.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(vec![b' '; 64 * 1024])
    });
    let request = Request::post("/hook").header(SIGNATURE_HEADER, "0".repeat(64));
    let request = request.body(Body::from_stream(endless)).unwrap();
    let response = receiver().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(pieces.load(Ordering::SeqCst) <= MAX_BODY_BYTES / (64 * 1024) + 2);
}

/// The server beneath bounds how many headers there are, and how long they are.
#[tokio::test]
async fn more_headers_than_a_webhook_has_are_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, receiver()).await.unwrap() });
    let good = Signer::new(&secret()).unwrap().sign(BODY.as_bytes());
    let answer = async |more: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /hook HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{SIGNATURE_HEADER}: {good}\r\n\
             content-length: {}\r\n{more}\r\n{BODY}",
            BODY.len()
        );
        // A server that has had enough closes.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(answer("").await, "HTTP/1.1 200 OK");
    let doubled = format!("X-Machins-Signature: {good}\r\n");
    assert_eq!(answer(&doubled).await, "HTTP/1.1 401 Unauthorized");
    let many = "x-more: 1\r\n".repeat(200);
    assert_eq!(answer(&many).await, "HTTP/1.1 431 Request Header Fields Too Large");
    let long = format!("x-more: {}\r\n", "x".repeat(1 << 20));
    assert_ne!(answer(&long).await, "HTTP/1.1 200 OK");
}
