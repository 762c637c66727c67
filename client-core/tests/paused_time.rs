//! Calls while the time of the tokio runtime is paused, as in `#[tokio::test(start_paused = true)]`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_client_core::{ClientOptions, ErrorKind, MockClock};
use serde_json::json;
use support::{Act, get, post, scripted, send, transport_with};
use tokio::time::{Instant, timeout};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

const SLOW: Duration = Duration::from_millis(100);

/// A server that takes some real time to answer.
async fn slow_server() -> MockServer {
    let server = MockServer::start().await;
    let reply = ResponseTemplate::new(200).set_body_json(json!({"id": 1})).set_delay(SLOW);
    Mock::given(any()).respond_with(reply).mount(&server).await;
    server
}

/// A reply that asks to wait.
fn refusal(status: u16, seconds: u64) -> Act {
    let head = format!("HTTP/1.1 {status} X\r\nretry-after: {seconds}\r\nconnection: close");
    Act::Write(format!("{head}\r\ncontent-length: 0\r\n\r\n").into_bytes())
}

#[tokio::test(start_paused = true)]
async fn a_slow_reply_is_waited_for() {
    let server = slow_server().await;
    let client = transport_with(&server.uri(), ClientOptions::new());
    let start = Instant::now();
    for call in [get(), post()] {
        assert_eq!(send(&client, call).await.unwrap()["id"], 1);
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "time stands still during a call");
}

#[tokio::test(start_paused = true)]
async fn a_timer_around_a_call_does_not_fire() {
    let server = slow_server().await;
    let client = transport_with(&server.uri(), ClientOptions::new());
    let reply = timeout(Duration::from_secs(1), send(&client, get())).await;
    assert_eq!(reply.unwrap().unwrap()["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn the_waits_between_attempts_take_no_time() {
    let answers = vec![refusal(429, 20), refusal(429, 30), Act::reply(200, "{}")];
    let (url, received) = scripted(answers).await;
    let client = transport_with(&url, ClientOptions::new());
    let start = Instant::now();
    send(&client, get()).await.unwrap();
    assert_eq!(received.lock().unwrap().len(), 3);
    assert!(start.elapsed() >= Duration::from_secs(50), "the clock of the runtime shows the waits");
}

#[tokio::test(start_paused = true)]
async fn the_waits_count_towards_the_time_limit() {
    let (url, received) = scripted(vec![refusal(503, 20); 4]).await;
    let options = ClientOptions::new().timeout(Duration::from_secs(50)).max_attempts(9);
    let error = send(&transport_with(&url, options), get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(received.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_given_up_in_real_time() {
    let (url, _) = scripted(vec![Act::Hang]).await;
    let options = ClientOptions::new().attempt_timeout(SLOW).max_attempts(1);
    let start = std::time::Instant::now();
    let error = send(&transport_with(&url, options), get()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SLOW);
}

#[tokio::test(start_paused = true)]
async fn a_mock_clock_leaves_the_time_of_the_runtime_alone() {
    let (url, _) = scripted(vec![refusal(503, 20), Act::reply(200, "{}")]).await;
    let clock = MockClock::new(0.5);
    let client = transport_with(&url, ClientOptions::new().clock(clock.clone()));
    let start = Instant::now();
    send(&client, get()).await.unwrap();
    assert_eq!(clock.slept(), [Duration::from_secs(20)]);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_mock_clock_takes_another_clock_along() {
    let (url, _) = scripted(vec![refusal(429, 20), Act::reply(200, "{}")]).await;
    let passed = Arc::new(Mutex::new(Duration::ZERO));
    let server_time = Arc::clone(&passed);
    let clock = MockClock::new(0.5).on_sleep(move |wait| *server_time.lock().unwrap() += wait);
    send(&transport_with(&url, ClientOptions::new().clock(clock)), get()).await.unwrap();
    assert_eq!(*passed.lock().unwrap(), Duration::from_secs(20));
}
