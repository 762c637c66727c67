//! The limits of a call: time and size.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use agent_client_core::{ClientOptions, ErrorKind};
use support::{Act, get, post, scripted, send, transport, transport_with};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

#[tokio::test]
async fn every_attempt_on_a_server_that_hangs_times_out() {
    let (url, received) = scripted(vec![Act::Hang, Act::Hang, Act::Hang]).await;
    let options = ClientOptions::new().attempt_timeout(Duration::from_millis(50));
    let (transport, _) = transport(&url, options);
    let error = send(&transport, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.is_retryable());
    assert_eq!(received.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_timeout_leaves_the_outcome_unknown() {
    let (url, received) = scripted(vec![Act::Hang, Act::Hang]).await;
    let options = ClientOptions::new().attempt_timeout(Duration::from_millis(50));
    let (transport, _) = transport(&url, options);
    let error = send(&transport, post()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(received.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_overall_deadline_cuts_an_attempt_short() {
    let (url, received) = scripted(vec![Act::Hang, Act::Hang]).await;
    // Real time: the deadline passes while the first attempt hangs, so there is no second.
    let transport = transport_with(&url, ClientOptions::new().timeout(Duration::from_millis(50)));
    let error = send(&transport, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(received.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_that_never_ends_times_out() {
    let stalled = Act::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec());
    let (url, _) = scripted(vec![stalled]).await;
    let options = ClientOptions::new().attempt_timeout(Duration::from_millis(50)).max_attempts(1);
    let (transport, _) = transport(&url, options);
    let error = send(&transport, get()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted), "{error:?}");
}

#[tokio::test]
async fn a_reply_over_the_size_limit_is_an_error() {
    let server = MockServer::start().await;
    let long = format!("\"{}\"", "x".repeat(1000));
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_string(&*long))
        .mount(&server)
        .await;

    let (transport, _) = transport(&server.uri(), ClientOptions::new().max_reply_bytes(1002));
    send(&transport, get()).await.unwrap();

    let (transport, _) =
        support::transport(&server.uri(), ClientOptions::new().max_reply_bytes(1001));
    let error = send(&transport, get()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::ReplyTooLarge, Some(200)));
    let error = send(&transport, post()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "it may have taken effect");
}

#[tokio::test]
async fn a_huge_error_page_keeps_its_status() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(403).set_body_string("x".repeat(9_000_000)))
        .mount(&server)
        .await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    let error = send(&transport, get()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Forbidden, Some(403)));
    assert_eq!(error.excerpt().map(str::len), Some(200));
}

#[test]
fn the_defaults_are_as_documented() {
    let shown = format!("{:?}", ClientOptions::new());
    for part in [
        "connect_timeout: 5s",
        "max_attempts: 3",
        "attempt_timeout: 30s",
        " timeout: 60s",
        "max_reply_bytes: 8388608",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}
