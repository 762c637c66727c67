//! Hostile replies of a service: a call reaches the server only after an exact allow.
//!
//! The replies and the rule, which uses none of the client's code, are those of machineid-client's tests.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../machineid-client/tests/support/hostile.rs"]
mod hostile;
mod support;

use hostile::{Framing, Judge, MAX_BODY, NEW_ID, Reply, Server};
use machineid_client::{Client, ClientOptions, DeviceId, Gate, OrgKey};
use machins_mcp::McpGate;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::{PING, Session, answer, call};

const CASES: u32 = 400;

fn replies() -> impl Strategy<Value = Reply> {
    let statuses = prop_oneof![6 => Just(200_u16), 1 => Just(201), 2 => 200_u16..600];
    let headers = select(vec![
        "content-type: application/json",
        "content-type: text/html",
        "content-type: application/json; charset=utf-16",
        "content-encoding: gzip",
        "age: 1",
        "no colon",
    ]);
    let framings = prop_oneof![
        6 => Just(Framing::Length),
        2 => Just(Framing::Chunked),
        1 => select(vec![Framing::UntilClose, Framing::Short, Framing::LengthAndChunked]),
    ];
    let allowed = prop_oneof![6 => Just("true"), 1 => select(vec!["false", "1", "\"true\"", "null", "[true]"])];
    let code = prop_oneof![
        6 => Just("\"ALLOW\""),
        1 => select(vec!["\"allow\"", "\"ALLOW \"", "\"\\u0041LLOW\"", "\"DEVICE_REVOKED\"", "ALLOW"]),
    ];
    let more = prop_oneof![
        6 => Just(""),
        1 => select(vec![
            ",\"allowed\":false",
            ",\"\\u0061llowed\":true",
            ",\"error\":\"x\"",
            ",\"status\":\"revoked\"",
            ",\"deviceId\":\"another\"",
            ",\"handler\":\"devices/register\"",
            ",",
            "}",
        ]),
    ];
    let kept = prop_oneof![6 => Just(MAX_BODY), 1 => 0..60_usize];
    (
        statuses,
        prop::collection::vec(headers, 0..2),
        framings,
        (allowed, code, more),
        kept,
        1..60_usize,
    )
        .prop_map(|(status, headers, framing, (allowed, code, more), kept, piece)| {
            let body = format!(
                "{{\"allowed\":{allowed},\"code\":{code},\"request_id\":\"{NEW_ID}\"{more}}}"
            );
            let headers = headers.into_iter().map(str::to_owned).collect();
            let body = body.bytes().take(kept).collect();
            Reply { status, headers, body, framing, piece }
        })
}

#[tokio::test]
async fn a_call_reaches_the_server_only_after_an_exact_allow() {
    let service = Server::start().await;
    let client = Client::builder()
        .org_key(OrgKey::new("org_0123456789abcdef").unwrap())
        .base_url(&service.url)
        .options(ClientOptions::new().max_attempts(1).max_reply_bytes(MAX_BODY))
        .build()
        .unwrap();
    let gate = McpGate::new(Gate::new(&client, DeviceId::new("agent-01").unwrap()));
    let mut session = Session::start(gate);
    let mut runner = TestRunner::deterministic();
    let mut judge = Judge::default();
    let mut reached = 0;
    for id in 0..CASES {
        let reply = judge.with_new_id(replies().new_tree(&mut runner).unwrap().current());
        service.answer_with(reply.clone());
        session.client.send(call(id, "echo")).await;
        session.client.send(PING).await;
        let first = session.server.line().await;
        let is_called = first != PING;
        if is_called {
            reached += 1;
            assert_eq!(session.server.line().await, PING);
            session.server.send(answer(id)).await;
        }
        session.server.send(r#"{"jsonrpc":"2.0","id":"ping","result":{}}"#).await;
        let answered = session.client.message().await;
        assert_eq!(answered["result"]["isError"] == true, !is_called, "{answered}");
        assert_eq!(session.client.message().await["id"], "ping");
        let permit = reply.allowing_id().filter(|_| is_called);
        assert!(!is_called || permit.is_some(), "called after {reply:?}");
        assert_eq!(judge.judge(&reply, permit.as_deref()), Ok(()), "{reply:?}");
    }
    assert!(reached > CASES / 20 && reached < CASES / 2, "{reached}");
}
