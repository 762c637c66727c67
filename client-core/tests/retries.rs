//! When a call is sent again, seen from a server's side.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::time::Duration;

use agent_client_core::{ClientOptions, Clock, ErrorKind, Probe};
use serde_json::json;
use support::{Act, get, post, scripted, send, transport};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A server that answers `statuses` in turn and 200 from then on.
async fn server(replies: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    for reply in replies {
        Mock::given(any()).respond_with(reply).up_to_n_times(1).mount(&server).await;
    }
    let ok = ResponseTemplate::new(200).set_body_json(json!({"ok": true}));
    Mock::given(any()).respond_with(ok).mount(&server).await;
    server
}

async fn count(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn an_idempotent_call_is_repeated_on_each_passing_status() {
    for status in [408, 429, 500, 502, 503, 504] {
        let server = server(vec![ResponseTemplate::new(status)]).await;
        let (transport, _) = transport(&server.uri(), ClientOptions::new());
        assert_eq!(send(&transport, get()).await.unwrap(), json!({"ok": true}), "{status}");
        assert_eq!(count(&server).await, 2, "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_stands_is_not_asked_for_twice() {
    for (status, kind) in [
        (400, ErrorKind::BadRequest),
        (401, ErrorKind::Unauthorized),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Conflict),
        (418, ErrorKind::UnexpectedStatus),
        (422, ErrorKind::InvalidTransition),
        (501, ErrorKind::Unavailable),
    ] {
        let server = server(vec![ResponseTemplate::new(status)]).await;
        let (transport, _) = transport(&server.uri(), ClientOptions::new());
        let error = send(&transport, get()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)));
        assert_eq!(count(&server).await, 1, "{status}");
    }
}

#[tokio::test]
async fn attempts_are_limited_to_three_by_default() {
    let server = server(vec![ResponseTemplate::new(503); 9]).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    let error = send(&transport, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert_eq!(count(&server).await, 3);
}

#[tokio::test]
async fn a_call_that_changes_something_is_not_repeated_when_its_fate_is_unknown() {
    for status in [408, 500, 501, 502, 503, 504] {
        let server = server(vec![ResponseTemplate::new(status)]).await;
        let (transport, _) = transport(&server.uri(), ClientOptions::new());
        let error = send(&transport, post()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::OutcomeUnknown, Some(status)));
        assert!(!error.is_retryable());
        assert_eq!(count(&server).await, 1, "{status}");
    }
    for body in ["", "<html>", r#"{"id": 1"#] {
        let server = server(vec![ResponseTemplate::new(201).set_body_string(body)]).await;
        let (transport, _) = transport(&server.uri(), ClientOptions::new());
        let error = send(&transport, post()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{body:?}");
        assert_eq!(count(&server).await, 1, "{body:?}");
    }
}

#[tokio::test]
async fn a_broken_connection_is_an_unknown_fate() {
    let truncated = Act::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"ok\"".to_vec());
    for broken in [Act::Drop, truncated] {
        let (url, received) = scripted(vec![broken.clone(), Act::reply(200, "{}")]).await;
        let (transport, _) = transport(&url, ClientOptions::new());
        assert_eq!(send(&transport, get()).await.unwrap(), json!({}), "idempotent: repeated");
        assert_eq!(received.lock().unwrap().len(), 2);

        let (url, received) = scripted(vec![broken, Act::reply(200, "{}")]).await;
        let (transport, _) = support::transport(&url, ClientOptions::new());
        let error = send(&transport, post()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
        assert_eq!(received.lock().unwrap().len(), 1);
        assert!(error.to_string().contains("check before you repeat it"), "{error}");
    }
}

#[tokio::test]
async fn a_call_that_was_not_sent_is_repeated_whatever_it_does() {
    let (transport, clock) = transport(&support::deaf_url(), ClientOptions::new());
    let error = send(&transport, post()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSent);
    assert!(error.is_retryable());
    assert_eq!(clock.slept().len(), 2, "three attempts");
}

#[tokio::test]
async fn rate_limited_calls_of_every_kind_wait_as_told() {
    let limited = ResponseTemplate::new(429).insert_header("retry-after", "7");
    let server = server(vec![limited]).await;
    let (transport, clock) = transport(&server.uri(), ClientOptions::new());
    send(&transport, post()).await.unwrap();
    assert_eq!(clock.slept(), [Duration::from_secs(7)]);
    assert_eq!(count(&server).await, 2);
}

#[tokio::test]
async fn retry_after_may_be_a_date() {
    let limited = ResponseTemplate::new(503)
        .insert_header("date", "Wed, 21 Oct 2026 07:28:00 GMT")
        .insert_header("retry-after", "Wed, 21 Oct 2026 07:28:09 GMT");
    let server = server(vec![limited]).await;
    let (transport, clock) = transport(&server.uri(), ClientOptions::new());
    send(&transport, get()).await.unwrap();
    assert_eq!(clock.slept(), [Duration::from_secs(9)]);
}

#[tokio::test]
async fn a_pause_holds_for_every_clone() {
    let limited = ResponseTemplate::new(429).insert_header("retry-after", "50");
    let server = server(vec![limited]).await;
    let (first, clock) = transport(&server.uri(), ClientOptions::new().max_attempts(1));
    let second = first.clone();
    let error = send(&first, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(50)));
    assert!(clock.slept().is_empty());

    send(&second, get()).await.unwrap();
    assert_eq!(clock.slept(), [Duration::from_secs(50)], "the clone waited first");
}

#[tokio::test]
async fn a_pause_past_the_deadline_ends_the_call_unsent() {
    let limited = ResponseTemplate::new(429).insert_header("retry-after", "99999999");
    let server = server(vec![limited]).await;
    let (transport, clock) = transport(&server.uri(), ClientOptions::new());
    for _ in 0..2 {
        let error = send(&transport, get()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
    }
    assert!(clock.slept().is_empty());
    assert_eq!(count(&server).await, 1, "the second call was not sent");

    // However long the server asked for, after five minutes the client asks again.
    clock.sleep(Duration::from_mins(5)).await;
    send(&transport, get()).await.unwrap();
}

#[tokio::test]
async fn a_wait_never_overshoots_the_deadline() {
    let limited = ResponseTemplate::new(503).insert_header("retry-after", "10");
    let server = server(vec![limited; 9]).await;
    let options = ClientOptions::new().timeout(Duration::from_secs(15)).max_attempts(9);
    let (transport, clock) = transport(&server.uri(), options);
    let error = send(&transport, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "the server's word, not a bare timeout");
    assert_eq!(clock.slept(), [Duration::from_secs(10)]);
}

#[tokio::test]
async fn the_retry_budget_stops_a_storm_and_refills_by_success() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(503)).mount(&server).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    for _ in 0..20 {
        send(&transport, get()).await.unwrap_err();
    }
    // 20 first attempts, and the ten repetitions that the full budget pays for.
    assert_eq!(count(&server).await, 30);

    server.reset().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .up_to_n_times(10)
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(ResponseTemplate::new(503)).mount(&server).await;
    for _ in 0..10 {
        send(&transport, get()).await.unwrap();
    }
    for _ in 0..5 {
        send(&transport, get()).await.unwrap_err();
    }
    assert_eq!(count(&server).await, 16, "ten successes paid for one repetition");
}

#[tokio::test]
async fn an_attempt_that_may_have_worked_is_not_forgotten_by_a_later_one_that_was_not_sent() {
    let busy = Act::reply(429, "{}");
    for between in [vec![], vec![busy.clone()], vec![busy; 2]] {
        let (url, _) = scripted([vec![Act::Drop], between].concat()).await;
        let (transport, _) = transport(&url, ClientOptions::new());
        let error = send(&transport, post().idempotent()).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Interrupted,
            "not: nothing was sent, nor: too many calls"
        );
    }
}

#[tokio::test]
async fn a_look_waits_as_long_as_the_server_asked() {
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "20");
    let server = server(vec![busy]).await;
    let (transport, clock) = transport(&server.uri(), ClientOptions::new());
    let call = post().recover_with(|_| {
        Probe::new(get(), |found| found.map(agent_client_core::ProbeResult::Done))
    });
    send(&transport, call).await.unwrap();
    assert_eq!(clock.slept(), [Duration::from_secs(20)]);
}

#[tokio::test]
async fn a_single_attempt_is_one() {
    let server = server(vec![ResponseTemplate::new(503)]).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    send(&transport, get().single_attempt()).await.unwrap_err();
    assert_eq!(count(&server).await, 1);
}
