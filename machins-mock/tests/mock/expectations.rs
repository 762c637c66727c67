//! Expectations: met, unmet, and how a test learns of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use machins_mock::{Conditions, Fault, Method, MockServer, NewAgent, Plan, blocking};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{device, get, post, register, send, server_with_org};

/// The message of the panic that a drop ends in, if it does.
fn drop_message(server: MockServer) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(server))).err()?;
    Some(*panic.downcast::<String>().unwrap())
}

#[tokio::test]
async fn met_expectations_pass() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.expect(Method::GET, "/api/v1/usage", 1..=2);
    server.expect(Method::POST, "/api/**", 1..);
    server.expect(Method::DELETE, "/**", ..1);
    server.expect(Method::GET, "/api/v1/usage", 2..3);
    assert!(server.verify().is_err(), "not yet");
    get(&server, &org, "usage").await;
    get(&server, &org, "usage").await;
    register(&server, &org, &["a"]).await;
    server.verify().unwrap();
    assert_eq!(drop_message(server), None);
}

#[tokio::test]
async fn unmet_expectations_panic_on_drop_and_list_the_requests() {
    let (server, org) = server_with_org(Plan::Free).await;
    server.expect(Method::POST, "/api/v1/devices/*", 2..=2);
    server.expect(Method::GET, "/api/v1/usage", 0..=0);
    server.expect(Method::GET, "/api/v1/devices/list", 1..);
    register(&server, &org, &["a"]).await;
    server.add_fault(Fault::status(500).times(1)).unwrap();
    get(&server, &org, "usage").await;
    get(&server, &org, "devices/list").await;
    let message = drop_message(server).unwrap();
    assert_eq!(
        message,
        "the mock server did not receive the expected requests\n\
         expected:\n  \
           POST /api/v1/devices/*: 2 times, received 1\n  \
           GET /api/v1/usage: 0 times, received 1\n\
         received:\n  \
           POST /api/v1/devices/register → 200\n  \
           GET /api/v1/usage → 500 (fault: status)\n  \
           GET /api/v1/devices/list → 200"
    );
}

#[tokio::test]
async fn requests_before_an_expectation_are_not_listed_with_it() {
    let (server, org) = server_with_org(Plan::Free).await;
    get(&server, &org, "usage").await;
    server.expect(Method::POST, "/api/v1/devices/*", 1..);
    get(&server, &org, "devices/list").await;
    let message = drop_message(server).unwrap();
    assert!(message.ends_with("received:\n  GET /api/v1/devices/list → 200"), "{message}");
}

#[test]
fn expectations_report_no_requests_and_invalid_globs() {
    let server = MockServer::builder().start().unwrap();
    server.expect(Method::GET, "/a[b", ..);
    server.expect(Method::GET, "/c", 1..=3);
    let message = drop_message(server).unwrap();
    assert!(message.contains("`/a[b` is not a glob"), "{message}");
    assert!(message.contains("GET /c: 1 to 3 times, received 0"), "{message}");
    assert!(message.ends_with("received:\n  nothing"), "{message}");
}

#[test]
fn expectations_do_not_panic_during_a_panic() {
    let panic = catch_unwind(|| {
        let server = blocking::MockServer::start();
        server.expect(Method::GET, "/never", 1..);
        panic!("the test's own reason");
    });
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "the test's own reason");
}

#[test]
fn expectations_count_only_later_requests() {
    let server = blocking::MockServer::start();
    reqwest::blocking::get(format!("{}/x", server.url())).unwrap();
    server.expect(Method::GET, "/x", 1..=1);
    reqwest::blocking::get(format!("{}/x", server.url())).unwrap();
    server.verify().unwrap();
}

#[rstest]
#[case::device(Conditions::new().device("a"), 2)]
#[case::other_device(Conditions::new().device("c"), 0)]
#[case::agent(Conditions::new().agent("ada"), 1)]
#[case::query(Conditions::new().query("limit", "5"), 1)]
#[case::header(Conditions::new().header("x-api-key", "at_ada"), 1)]
#[case::body(Conditions::new().body(json!({"deviceId": "b"})), 1)]
#[case::all(Conditions::new().method("post").path("/api/v1/devices/*").device("a"), 2)]
#[case::none(Conditions::new(), 4)]
#[tokio::test]
async fn expectations_count_by_conditions(#[case] conditions: Conditions, #[case] times: u64) {
    let (server, org) = server_with_org(Plan::Free).await;
    server.create_agent(NewAgent::new().slug("ada").api_key("at_ada")).unwrap();
    server.expect_matching(conditions, times..=times);
    register(&server, &org, &["a", "b"]).await;
    post(&server, &org, "devices/validate", device("a")).await;
    send(&server, Method::GET, "/api/v1/trades?limit=5", "at_ada", Value::Null).await;
    server.verify().unwrap();
}

#[tokio::test]
async fn what_is_expected_is_told_without_keys() {
    let (server, _) = server_with_org(Plan::Free).await;
    let expected = Conditions::new().path("/api/v1/usage").agent("ada").query("a", "at_secret");
    server.expect_matching(expected.header("x-org-key", "org_secret"), 1..=1);
    server.expect_matching(Conditions::new().status(200), ..);
    let message = drop_message(server).unwrap();
    let line = "any method /api/v1/usage with agent ada, query a=at_…, header x-org-key: 1 times, received 0";
    assert!(message.contains(line), "{message}");
    assert!(message.contains("any method any path with status 200: `match.status`"), "{message}");
}
