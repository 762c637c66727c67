//! The axum extractor: a webhook that is not signed is not read.
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
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

const BODY: &str = r#"{"event":"trade_proposed","subscription_id":"s1","data":{"trade_id":"t1"}}"#;

fn receiver() -> Router {
    Router::new()
        .route("/hook", post(async |Verified(webhook): Verified| webhook.event_type.to_string()))
        .with_state(Verifier::new(&Secret::new("shared")).unwrap())
}

/// The signature of a body with this secret.
fn sign(secret: &str, body: &str) -> String {
    Signer::new(&Secret::new(secret)).unwrap().sign(body.as_bytes())
}

fn right() -> String {
    sign("shared", BODY)
}

fn wrong() -> String {
    sign("other", BODY)
}

/// Sends a body with these signatures to a receiver.
async fn receive(body: &str, signatures: &[String]) -> StatusCode {
    let mut request = Request::post("/hook");
    for signature in signatures {
        request = request.header(SIGNATURE_HEADER, signature);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    receiver().oneshot(request).await.unwrap().status()
}

#[rstest]
#[case::signed(BODY, vec![right()], StatusCode::OK)]
#[case::not_signed(BODY, vec![], StatusCode::UNAUTHORIZED)]
#[case::signed_in_upper_case(BODY, vec![right().to_uppercase()], StatusCode::UNAUTHORIZED)]
#[case::signed_with_another_secret(BODY, vec![wrong()], StatusCode::UNAUTHORIZED)]
#[case::changed(&BODY.replace("t1", "t2"), vec![right()], StatusCode::UNAUTHORIZED)]
#[case::signed_text("no event", vec![sign("shared", "no event")], StatusCode::BAD_REQUEST)]
#[case::signed_twice(BODY, vec![right(), right()], StatusCode::UNAUTHORIZED)]
#[case::right_then_wrong(BODY, vec![right(), wrong()], StatusCode::UNAUTHORIZED)]
#[case::wrong_then_right(BODY, vec![wrong(), right()], StatusCode::UNAUTHORIZED)]
#[case::right_then_empty(BODY, vec![right(), String::new()], StatusCode::UNAUTHORIZED)]
#[case::empty_then_right(BODY, vec![String::new(), right()], StatusCode::UNAUTHORIZED)]
#[case::joined(BODY, vec![format!("{0}, {0}", right())], StatusCode::UNAUTHORIZED)]
#[case::not_ascii(BODY, vec!["\u{e9}".to_owned()], StatusCode::UNAUTHORIZED)]
#[tokio::test]
async fn only_a_signed_event_reaches_the_handler(
    #[case] body: &str,
    #[case] signatures: Vec<String>,
    #[case] status: StatusCode,
) {
    assert_eq!(receive(body, &signatures).await, status);
}

#[rstest]
#[case::at_the_limit(MAX_BODY_BYTES, StatusCode::OK)]
#[case::beyond_the_limit(MAX_BODY_BYTES + 1, StatusCode::PAYLOAD_TOO_LARGE)]
#[tokio::test]
async fn a_body_may_have_the_maximum_length(#[case] length: usize, #[case] status: StatusCode) {
    let body = format!("{BODY}{}", " ".repeat(length - BODY.len()));
    assert_eq!(receive(&body, &[sign("shared", &body)]).await, status);
}

#[tokio::test]
async fn an_endless_body_is_not_read_beyond_the_limit() {
    // In pieces of 64 KiB.
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

/// The server limits the number and the length of the headers, not the extractor.
#[tokio::test]
async fn a_request_with_too_many_headers_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, receiver()).await.unwrap() });
    let good = right();
    let answer = async |more: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /hook HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{SIGNATURE_HEADER}: {good}\r\n\
             content-length: {}\r\n{more}\r\n{BODY}",
            BODY.len()
        );
        // The server may close the connection before it has read everything.
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
