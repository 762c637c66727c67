//! One check: a permit, or a denial with its cause.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use machineid_client::{ClientOptions, DecisionCode, ErrorKind, Gate, Reason};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{allow, allowing_server, builder, client, deny, device};
use test_support::server;

#[tokio::test]
async fn a_permit_names_device_and_request() {
    let body = allow();
    let server = server(200, &body).await;
    let permit = Gate::new(&client(&server), device()).check().await.unwrap();
    assert_eq!(permit.device(), &device());
    assert_eq!(permit.request_id(), body["request_id"].as_str());
}

/// A server that sends a second reply to its first request when it is told to, and denies the others.
fn stray_reply_server() -> (String, Sender<()>, Receiver<()>) {
    fn reply(body: &Value) -> Vec<u8> {
        let body = body.to_string();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (now, is_time) = mpsc::channel();
    let (sent, is_sent) = mpsc::channel();
    thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        assert!(first.read(&mut [0; 4096]).unwrap() > 0);
        first.write_all(&reply(&allow())).unwrap();
        is_time.recv().unwrap();
        first.write_all(&reply(&allow())).unwrap();
        sent.send(()).unwrap();
        let (mut second, _) = listener.accept().unwrap();
        assert!(second.read(&mut [0; 4096]).unwrap() > 0);
        second.write_all(&reply(&deny("DEVICE_REVOKED"))).unwrap();
    });
    (url, now, is_sent)
}

#[rstest]
#[tokio::test]
async fn a_reply_that_came_before_the_question_is_not_its_answer(
    #[values(false, true)] is_spawned: bool,
) {
    let (url, now, is_sent) = stray_reply_server();
    let gate = Gate::new(&builder(&url).build().unwrap(), device());
    let work = async move {
        let _permit = gate.check().await.unwrap();
        now.send(()).unwrap();
        // Blocks the thread, so that the client cannot see the second reply come.
        is_sent.recv().unwrap();
        gate.check().await.unwrap_err()
    };
    let denied = if is_spawned { tokio::spawn(work).await.unwrap() } else { work.await };
    assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
}

#[tokio::test]
async fn a_refused_connection_denies_with_the_cause() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let gate = Gate::new(&builder(&url).build().unwrap(), device());
    let denied = gate.check().await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::SystemUnavailable);
    assert!(denied.is_outage());
    let Reason::NoDecision(error) = denied.reason() else { panic!("{denied:?}") };
    assert_eq!(error.kind(), ErrorKind::NotSent);
    let source = std::error::Error::source(&denied).unwrap().to_string();
    assert!(!denied.to_string().contains(&source), "{denied}");
    assert_eq!(format!("{denied:#}").matches(&source).count(), 1, "{denied:#}");
}

#[tokio::test]
async fn a_server_that_hangs_denies_within_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let options = ClientOptions::new().timeout(Duration::from_millis(50));
    let gate = Gate::new(&builder(&url).options(options).build().unwrap(), device());
    let denied = gate.check().await.unwrap_err();
    let Reason::NoDecision(error) = denied.reason() else { panic!("{denied:?}") };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn a_check_outside_a_runtime_denies_without_a_panic() {
    let gate = Gate::new(&builder("http://127.0.0.1:9").build().unwrap(), device());
    let mut check = Box::pin(gate.check());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(denied)) = check.as_mut().poll(&mut context) else {
        panic!("not denied at once")
    };
    let Reason::NoDecision(error) = denied.reason() else { panic!("{denied:?}") };
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "it is certain that nothing was sent");
    assert!(denied.to_string().contains("tokio runtime"), "{denied}");
}

#[tokio::test]
async fn a_denial_never_has_the_code_allow() {
    let server = server(200, &json!({"status": "ALLOW"})).await;
    let denied = Gate::new(&client(&server), device()).register().await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::SystemUnavailable);
}

#[tokio::test]
async fn a_denial_shows_no_control_characters() {
    let server = server(200, &deny("\u{1b}]52;c;x\u{7}\nfake log line")).await;
    let denied = Gate::new(&client(&server), device()).check().await.unwrap_err();
    assert!(!denied.to_string().contains(char::is_control), "{denied:?}");
}

#[tokio::test]
async fn run_returns_the_result_of_the_work() {
    let server = allowing_server().await;
    assert_eq!(Gate::new(&client(&server), device()).run(async { 42 }).await.unwrap(), 42);
}

#[tokio::test]
async fn run_does_not_start_work_that_is_denied() {
    let started = AtomicBool::new(false);
    let work = async { started.store(true, Ordering::SeqCst) };
    let server = server(200, &deny("PLAN_FROZEN")).await;
    let denied = Gate::new(&client(&server), device()).run(work).await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::PlanFrozen);
    assert!(!started.load(Ordering::SeqCst));
}
