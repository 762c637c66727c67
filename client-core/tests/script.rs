//! Calls that a script answers.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use agent_client_core::{ClientOptions, ErrorKind, Method, Reply, Script};
use rstest::rstest;
use serde_json::{Value, json};
use support::{get, post, send, transport_with};

/// Nothing listens there: a scripted call opens no connection.
const URL: &str = "https://api.example.com/v1";

fn client(script: &Script) -> agent_client_core::Async {
    transport_with(URL, ClientOptions::scripted(script))
}

fn paths(script: &Script) -> Vec<String> {
    let requests = script.requests().into_iter();
    requests.map(|request| format!("{} {}", request.method, request.path)).collect()
}

#[tokio::test]
async fn answers_come_in_order_and_the_last_one_stays() {
    let script = Script::new();
    let name = |name: &str| Reply::new(200, &json!({"name": name}));
    script.on(Method::GET, "/thing").reply(name("first")).reply(name("last"));
    let client = client(&script);
    for expected in ["first", "last", "last"] {
        assert_eq!(send(&client, get()).await.unwrap()["name"], expected);
    }
    assert_eq!(paths(&script), ["GET /thing"; 3]);
}

#[tokio::test]
async fn rules_match_method_path_body_and_condition() {
    let script = Script::new();
    let number = |number: u8| Reply::new(200, &number);
    script.on(Method::POST, "/thing").body(json!({"a": 2})).reply(number(1));
    script.on(Method::POST, "/thing").matching(|request| request.body["a"] == 1).reply(number(2));
    script.on(Method::GET, "/thing").matching(|request| request.query == "x=1").reply(number(3));
    script.on(Method::GET, "/thing").reply(number(4));
    let client = client(&script);
    assert_eq!(send(&client, post()).await.unwrap(), 2);
    assert_eq!(send(&client, get().query(&[("x", 1)])).await.unwrap(), 3);
    assert_eq!(send(&client, get()).await.unwrap(), 4);
}

#[tokio::test]
async fn a_reply_can_depend_on_the_request() {
    let script = Script::new();
    let echo = |body: &Value| Reply::new(200, &json!({"sent": body}));
    script.on(Method::POST, "/thing").reply_with(move |request| echo(&request.body));
    assert_eq!(send(&client(&script), post()).await.unwrap(), json!({"sent": {"a": 1}}));
}

#[tokio::test]
async fn retries_and_waits_are_those_of_a_server() {
    let script = Script::new();
    let busy = Reply::new(429, &json!({})).with_header("retry-after", "20");
    script
        .on(Method::GET, "/thing")
        .reply(busy)
        .fail(ErrorKind::Interrupted)
        .reply(Reply::new(200, &1));
    assert_eq!(send(&client(&script), get()).await.unwrap(), 1);
    assert_eq!(script.requests().len(), 3);
}

#[rstest]
#[case::not_sent(ErrorKind::NotSent, ErrorKind::NotSent)]
#[case::interrupted(ErrorKind::Interrupted, ErrorKind::OutcomeUnknown)]
#[case::timed_out(ErrorKind::TimedOut, ErrorKind::OutcomeUnknown)]
#[tokio::test]
async fn a_failure_counts_as_one_of_the_network(
    #[case] failure: ErrorKind,
    #[case] kind: ErrorKind,
) {
    let script = Script::new();
    script.on(Method::POST, "/thing").fail(failure);
    assert_eq!(send(&client(&script), post()).await.unwrap_err().kind(), kind);
}

#[tokio::test]
async fn a_request_without_a_rule_is_named_and_recorded() {
    let script = Script::new();
    let error = send(&client(&script), post()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("no answer to POST /thing"), "{error}");
    assert_eq!(paths(&script), ["POST /thing"]);
}
