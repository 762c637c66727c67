//! One check: a permit, or a denial with its cause.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use machineid_client::{ClientOptions, DecisionCode, ErrorKind, Gate, Reason};
use serde_json::json;
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
