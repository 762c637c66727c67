//! When a call is sent again, as a server sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::time::Duration;

use agent_client_core::{Call, ClientOptions, Clock, ErrorKind, Probe};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Act, get, post, scripted, send, transport};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A server that gives these replies in turn, and then always a success.
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

#[rstest]
#[tokio::test]
async fn an_idempotent_call_is_sent_again(#[values(408, 429, 500, 502, 503, 504)] status: u16) {
    let server = server(vec![ResponseTemplate::new(status)]).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    assert_eq!(send(&transport, get()).await.unwrap(), json!({"ok": true}));
    assert_eq!(count(&server).await, 2);
}

#[rstest]
#[case::with_a_key(get(), false)]
#[case::without_one(Call::get("/thing").json(), true)]
#[tokio::test]
async fn a_reply_from_a_cache_is_none_to_a_call_with_a_key(
    #[case] call: Call<Value>,
    #[case] is_believed: bool,
) {
    let stored = ResponseTemplate::new(200).insert_header("age", "60").set_body_json(json!(true));
    let server = server(vec![stored]).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    let reply = send(&transport, call).await.map_err(|error| error.kind());
    assert_eq!(reply, if is_believed { Ok(json!(true)) } else { Err(ErrorKind::UnreadableReply) });
}

#[rstest]
#[case::bad_request(400, ErrorKind::BadRequest)]
#[case::unauthorized(401, ErrorKind::Unauthorized)]
#[case::forbidden(403, ErrorKind::Forbidden)]
#[case::not_found(404, ErrorKind::NotFound)]
#[case::conflict(409, ErrorKind::Conflict)]
#[case::unexpected(418, ErrorKind::UnexpectedStatus)]
#[case::invalid_transition(422, ErrorKind::InvalidTransition)]
#[case::not_implemented(501, ErrorKind::Unavailable)]
#[tokio::test]
async fn a_final_answer_is_not_asked_for_twice(#[case] status: u16, #[case] kind: ErrorKind) {
    let server = server(vec![ResponseTemplate::new(status)]).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    let error = send(&transport, get()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (kind, Some(status)));
    assert_eq!(count(&server).await, 1);
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

#[rstest]
#[tokio::test]
async fn a_non_idempotent_call_is_not_sent_again(
    #[values(408, 500, 501, 502, 503, 504)] status: u16,
) {
    let server = server(vec![ResponseTemplate::new(status)]).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    let error = send(&transport, post()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::OutcomeUnknown, Some(status)));
    assert!(!error.is_retryable());
    assert_eq!(count(&server).await, 1);
}

#[rstest]
#[case::empty("")]
#[case::html_page("<html>")]
#[case::cut_off(r#"{"id": 1"#)]
#[tokio::test]
async fn a_creation_with_an_unreadable_reply_is_not_sent_again(#[case] body: &str) {
    let server = server(vec![ResponseTemplate::new(201).set_body_string(body)]).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    let error = send(&transport, post()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(count(&server).await, 1);
}

fn cut_off_reply() -> Act {
    Act::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"ok\"".to_vec())
}

#[rstest]
#[case::before_the_reply(Act::Drop)]
#[case::within_the_reply(cut_off_reply())]
#[tokio::test]
async fn a_broken_connection_makes_an_idempotent_call_retry(#[case] broken: Act) {
    let (url, received) = scripted(vec![broken, Act::reply(200, "{}")]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    assert_eq!(send(&transport, get()).await.unwrap(), json!({}));
    assert_eq!(received.lock().unwrap().len(), 2);
}

#[rstest]
#[case::before_the_reply(Act::Drop)]
#[case::within_the_reply(cut_off_reply())]
#[tokio::test]
async fn a_broken_connection_leaves_the_outcome_unknown(#[case] broken: Act) {
    let (url, received) = scripted(vec![broken, Act::reply(200, "{}")]).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let error = send(&transport, post()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(received.lock().unwrap().len(), 1);
    assert!(error.to_string().contains("check before you repeat it"), "{error}");
}

#[tokio::test]
async fn a_call_that_was_not_sent_is_always_sent_again() {
    let (transport, clock) = transport(&support::closed_url(), ClientOptions::new());
    let error = send(&transport, post()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSent);
    assert!(error.is_retryable());
    assert_eq!(clock.slept().len(), 2, "three attempts");
}

/// A reply that limits the rate for this long.
fn limited(seconds: u32) -> ResponseTemplate {
    ResponseTemplate::new(429).insert_header("retry-after", &*seconds.to_string())
}

#[tokio::test]
async fn a_rate_limited_call_of_any_kind_waits_as_asked() {
    let server = server(vec![limited(7)]).await;
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
async fn a_rate_limit_holds_for_every_clone() {
    let server = server(vec![limited(50)]).await;
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
async fn a_rate_limit_past_the_deadline_ends_the_call_unsent() {
    let server = server(vec![limited(99_999_999)]).await;
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
async fn a_rate_limit_of_its_own_is_not_that_of_the_others() {
    let server = server(vec![limited(20), limited(30)]).await;
    let (transport, clock) = transport(&server.uri(), ClientOptions::new().max_attempts(1));
    let other = || post().separate_rate_limit();
    send(&transport, get()).await.unwrap_err();
    send(&transport, other()).await.unwrap_err();
    assert!(clock.slept().is_empty(), "the second did not wait for the first");
    assert_eq!(count(&server).await, 2);

    send(&transport, get()).await.unwrap();
    assert_eq!(clock.slept(), [Duration::from_secs(20)], "nor the first for the second");
    send(&transport, other()).await.unwrap();
    assert_eq!(clock.slept(), [Duration::from_secs(20), Duration::from_secs(10)]);
}

#[tokio::test]
async fn a_pause_longer_than_a_call_may_wait_fails_it_at_once() {
    let server = server(vec![limited(20)]).await;
    let (transport, clock) = transport(&server.uri(), ClientOptions::new().max_attempts(1));
    send(&transport, get()).await.unwrap_err();
    let error = send(&transport, get().longest_pause(Duration::from_secs(19))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(20)));
    assert_eq!((count(&server).await, clock.slept()), (1, vec![]), "it was not sent");

    send(&transport, get().ignore_pause()).await.unwrap();
    assert!(clock.slept().is_empty(), "it was sent during the pause");
    send(&transport, get().longest_pause(Duration::from_secs(20))).await.unwrap();
    assert_eq!(clock.slept(), [Duration::from_secs(20)]);
}

#[tokio::test]
async fn a_wait_never_passes_the_deadline() {
    let limited = ResponseTemplate::new(503).insert_header("retry-after", "10");
    let server = server(vec![limited; 9]).await;
    let options = ClientOptions::new().timeout(Duration::from_secs(15)).max_attempts(9);
    let (transport, clock) = transport(&server.uri(), options);
    let error = send(&transport, get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "the server's answer, not a timeout");
    assert_eq!(clock.slept(), [Duration::from_secs(10)]);
}

#[tokio::test]
async fn the_retry_budget_is_limited_and_refilled_by_successes() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(503)).mount(&server).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    for _ in 0..20 {
        send(&transport, get()).await.unwrap_err();
    }
    // 20 first attempts, and the ten retries that the full budget pays for.
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
    assert_eq!(count(&server).await, 16, "ten successes pay for one retry");
}

#[rstest]
#[case::not_sent(0)]
#[case::rate_limited_once(1)]
#[case::rate_limited_twice(2)]
#[tokio::test]
async fn a_later_attempt_without_effect_does_not_hide_a_doubt(#[case] rate_limited: usize) {
    let mut acts = vec![Act::Drop];
    acts.extend(std::iter::repeat_n(Act::reply(429, "{}"), rate_limited));
    let (url, _) = scripted(acts).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let error = send(&transport, post().idempotent()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted, "neither NotSent nor RateLimited");
}

#[tokio::test]
async fn a_probe_waits_as_long_as_the_server_asked() {
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
async fn a_single_attempt_call_is_sent_once() {
    let server = server(vec![ResponseTemplate::new(503)]).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());
    send(&transport, get().single_attempt()).await.unwrap_err();
    assert_eq!(count(&server).await, 1);
}
