//! The limits of a call: time and size.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use agent_client_core::{ClientOptions, Clock, ErrorKind, TotalTimeout};
use support::{Act, get, post, scripted, send, transport, transport_with};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

#[tokio::test]
async fn every_attempt_on_a_server_that_hangs_times_out() {
    let (url, received) = scripted(vec![Act::Hang, Act::Hang, Act::Hang]).await;
    let options = ClientOptions::new().attempt_timeout(Duration::from_millis(400));
    let (transport, _) = transport(&url, options);
    let error = send(&transport, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.is_retryable());
    assert_eq!(received.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_timeout_leaves_the_outcome_unknown() {
    let (url, received) = scripted(vec![Act::Hang, Act::Hang]).await;
    let options = ClientOptions::new().attempt_timeout(Duration::from_millis(400));
    let (transport, _) = transport(&url, options);
    let error = send(&transport, post()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(received.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_overall_deadline_cuts_an_attempt_short() {
    let (url, received) = scripted(vec![Act::Hang, Act::Hang]).await;
    // Real time: the deadline passes while the first attempt hangs, so there is no second.
    let transport = transport_with(&url, ClientOptions::new().timeout(Duration::from_secs(1)));
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

#[tokio::test]
async fn calls_that_share_a_time_limit_end_with_it() {
    let limited = Act::Write(
        b"HTTP/1.1 429 Any\r\nretry-after: 8\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .to_vec(),
    );
    let done =
        Act::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_vec());
    let (url, received) = scripted(vec![limited.clone(), done, limited]).await;
    let limit = TotalTimeout::new(Duration::from_secs(10));
    let options = ClientOptions::new().total_timeout(&limit);
    let (transport, clock) = transport(&url, options.clone());
    let start = clock.now();
    send(&transport, get()).await.unwrap();
    let taken = clock.now().saturating_duration_since(start);
    assert!(taken >= Duration::from_secs(8), "{taken:?}");
    // Two seconds are left, so the second pause is not waited for.
    send(&transport, get()).await.unwrap_err();
    assert_eq!(clock.now().saturating_duration_since(start), taken);
    assert_eq!(received.lock().unwrap().len(), 3);
    clock.sleep(Duration::from_secs(2)).await;
    let other = transport_with(&url, options.clock(clock.clone()));
    let error = send(&other, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(received.lock().unwrap().len(), 3);
}
