//! The query of a call: what is sent for what was given.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use agent_client_core::{Call, ClientOptions, ErrorKind, Reply, Transport};
use rstest::rstest;
use serde::Serialize;
use support::{Act, closed_url, scripted, transport};

#[derive(Serialize)]
struct Filter {
    status: Option<&'static str>,
    limit: Option<u32>,
}

fn call() -> Call<Reply> {
    Call::get("/things")
}

#[rstest]
#[case::none(call(), "")]
#[case::a_struct(call().query(&Filter { status: Some("new"), limit: Some(5) }), "?status=new&limit=5")]
#[case::without_a_field(call().query(&Filter { status: None, limit: Some(5) }), "?limit=5")]
#[case::an_empty_struct(call().query(&Filter { status: None, limit: None }), "")]
#[case::a_map(call().query(&BTreeMap::from([("a", 1), ("b", 2)])), "?a=1&b=2")]
#[case::pairs(call().query(&[("a", "1"), ("a", "2")]), "?a=1&a=2")]
#[case::appended(call().query(&[("a", 1)]).query(&()).query(&[("b", 2)]), "?a=1&b=2")]
#[case::escaped(call().query(&[("a b", "x&y=ä'*-._~+")]), "?a+b=x%26y%3D%C3%A4%27*-._%7E%2B")]
#[tokio::test]
async fn a_query_is_sent_form_encoded(#[case] call: Call<Reply>, #[case] query: &str) {
    let (url, received) = scripted(vec![Act::reply(200, "{}")]).await;
    transport(&url, ClientOptions::new()).0.send(call).await.unwrap();
    let received = received.lock().unwrap();
    let line = received[0].lines().next().unwrap();
    assert_eq!(line, format!("GET /things{query} HTTP/1.1"));
}

#[tokio::test]
async fn a_query_of_another_shape_is_an_error_when_it_is_sent() {
    let call = call().query("text").query(&[("a", 1)]);
    let error = transport(&closed_url(), ClientOptions::new()).0.send(call).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("key=value pairs"), "{error}");
}
