//! One client and one server, with the gate between them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use machins_mcp::{OnDenial, SessionEnd};
use machins_mock::{Fault, OrgUpdate};
use rstest::rstest;
use serde_json::json;
use support::{PING, Session, World, answer, call};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};

#[tokio::test]
async fn messages_pass_byte_for_byte_in_both_directions() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    let of_client = [
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#,
        r#" { "method" : "tools\/call" , "params":{"name":"\u0065cho"},"jsonrpc":"2.0","id":"a\"b"}  "#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"a":1e2,"b":1.0}}}"#,
        r#"{"jsonrpc":"2.0","id":9,"result":{"role":"assistant","content":{"type":"text","text":"é"}}}"#,
        r#"{"jsonrpc":"2.0","id":10,"error":{"code":-1,"message":"no"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
    ];
    for line in of_client {
        session.client.send(line).await;
        assert_eq!(session.server.line().await, line);
    }
    let of_server = [
        r#"{"jsonrpc":"2.0","id":0,"result":{ "protocolVersion":"2025-11-25"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.5}}"#,
        r#"{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":10,"method":"elicitation/create","params":{"message":"\u2028"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"\u0000"}}"#,
        r#"{"jsonrpc":"2.0","id":"a\"b","result":{"content":[{"type":"image","data":"AAAA"}]}}"#,
    ];
    for line in of_server {
        session.server.send(line).await;
        assert_eq!(session.client.line().await, line);
    }
    assert_eq!(world.questions(), 1);
}

#[tokio::test]
async fn large_messages_pass() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    let large = "A".repeat(8 * 1024 * 1024);
    let line = format!(r#"{{"jsonrpc":"2.0","method":"a","params":{{"blob":"{large}"}}}}"#);
    let ((), received) = tokio::join!(session.client.send(&line), session.server.line());
    assert!(received == line);
    let ((), received) = tokio::join!(session.server.send(&line), session.client.line());
    assert!(received == line);
}

#[tokio::test]
async fn each_call_has_a_question_of_its_own() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    for id in 1..=3 {
        assert_eq!(session.call_and_answer(id).await["result"], json!({"content": []}));
        assert_eq!(world.questions(), id as usize);
    }
}

#[tokio::test]
async fn a_revocation_stops_the_next_call() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    session.call_and_answer(1).await;
    world.revoke().await;
    let denied = session.call_denied(2).await;
    assert_eq!((&denied["id"], &denied["result"]["isError"]), (&json!(2), &json!(true)));
    let text = denied["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("DEVICE_REVOKED") && !text.contains("unrevoke"), "{text}");
    let _change = world.client.unrevoke(&"agent-01".parse().unwrap()).await.unwrap();
    session.call_and_answer(3).await;
}

#[rstest]
#[case::org_disabled(OrgUpdate::new().execution_enabled(false), "ORG_DISABLED")]
#[case::frozen(OrgUpdate::new().frozen(true), "PLAN_FROZEN")]
#[case::expired(OrgUpdate::new().entitlement_active(false), "ENTITLEMENT_EXPIRED")]
#[case::unavailable(OrgUpdate::new().available(false), "SYSTEM_UNAVAILABLE")]
#[tokio::test]
async fn a_denial_holds_the_code(#[case] update: OrgUpdate, #[case] code: &str) {
    let world = World::new();
    let mut session = Session::start(world.gate());
    session.call_and_answer(1).await;
    world.org.update(update).unwrap();
    let denied = session.call_denied(2).await;
    let text = denied["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains(code), "{text}");
    assert_eq!(denied["result"]["_meta"]["io.machineid/code"], code);
}

#[rstest]
#[case::dropped(Fault::drop_before(), "SYSTEM_UNAVAILABLE")]
#[case::lost(Fault::drop_after(), "SYSTEM_UNAVAILABLE")]
#[case::truncated(Fault::truncate(), "SYSTEM_UNAVAILABLE")]
#[case::garbage(Fault::garbage(), "SYSTEM_UNAVAILABLE")]
#[case::error_500(Fault::status(500), "SYSTEM_UNAVAILABLE")]
#[tokio::test]
async fn without_a_decision_no_tool_runs(#[case] fault: Fault, #[case] code: &str) {
    let world = World::new();
    let mut session = Session::start(world.gate());
    session.call_and_answer(1).await;
    let _fault = world.mock.fault_scoped(fault.path("/api/v1/devices/validate")).unwrap();
    let denied = session.call_denied(2).await;
    assert_eq!(denied["result"]["_meta"]["io.machineid/code"], code);
}

#[tokio::test]
async fn without_a_service_no_tool_runs() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    world.mock.shutdown().await;
    let denied = session.call_denied(1).await;
    assert_eq!(denied["result"]["_meta"]["io.machineid/code"], "SYSTEM_UNAVAILABLE");
}

#[tokio::test]
async fn fifty_calls_at_once_share_questions_and_keep_their_order() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    for id in 0..50 {
        session.client.send(call(id, "echo")).await;
    }
    session.client.send(PING).await;
    for id in 0..50 {
        assert_eq!(session.server.line().await, call(id, "echo"));
    }
    assert_eq!(session.server.line().await, PING);
    for id in (0..50).rev() {
        session.server.send(answer(id)).await;
        assert_eq!(session.client.message().await["id"], id);
    }
    assert!(world.questions() < 10, "{}", world.questions());
}

#[tokio::test]
async fn of_fifty_calls_none_reaches_the_server_when_denied() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    session.call_and_answer(100).await;
    world.revoke().await;
    for id in 0..50 {
        session.client.send(call(id, "echo")).await;
    }
    for id in 0..50 {
        let answer = session.client.message().await;
        assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(id), &json!(true)));
    }
    session.client.close().await;
    assert_eq!(session.server.rest().await, "");
}

#[tokio::test]
async fn a_denial_can_be_a_protocol_error() {
    let world = World::new();
    let mut session = Session::start(world.gate().on_denial(OnDenial::Error));
    session.call_and_answer(1).await;
    world.revoke().await;
    let denied = session.call_denied(2).await;
    assert_eq!(denied["error"]["code"], -31403);
    assert_eq!(denied["error"]["data"]["code"], "DEVICE_REVOKED");
    assert!(denied["error"]["message"].as_str().unwrap().contains("DEVICE_REVOKED"));
}

#[tokio::test]
async fn a_denial_can_end_the_session() {
    let world = World::new();
    let mut session = Session::start(world.gate().on_denial(OnDenial::Stop));
    session.client.send(call(1, "slow")).await;
    session.server.line().await;
    world.revoke().await;
    session.client.send(call(2, "echo")).await;
    assert_eq!(session.client.message().await["result"]["isError"], true);
    // The call that was running is answered too.
    assert!(session.client.line().await.contains("DEVICE_REVOKED"));
    assert_eq!(session.server.rest().await, "");
    let SessionEnd::Denied(denied) = session.end.await.unwrap() else { panic!("not denied") };
    assert_eq!(denied.code(), "DEVICE_REVOKED");
}

/// The service is not there, so that the clock can stand still while anything moves.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_stopped_too() {
    let world = World::new();
    let gate = world.gate().on_denial(OnDenial::Stop).max_message_bytes(10_000);
    let mut session = Session::start(gate);
    world.mock.shutdown().await;
    let line = format!(r#"{{"jsonrpc":"2.0","method":"a","params":["{}"]}}"#, "x".repeat(1_000));
    while tokio::time::timeout(Duration::from_mins(1), session.server.send(&line)).await.is_ok() {}
    session.client.send(call(1, "echo")).await;
    let end = tokio::time::timeout(Duration::from_hours(1), session.end).await;
    assert!(matches!(end, Ok(Ok(SessionEnd::Denied(_)))), "{end:?}");
}

#[rstest]
#[case::not_among_those_allowed(&["other"], &[])]
#[case::denied(&[], &["echo"])]
#[case::denied_and_allowed(&["echo"], &["echo"])]
#[tokio::test]
async fn tools_outside_the_lists_are_not_called(
    #[case] allowed: &[&'static str],
    #[case] denied: &[&'static str],
) {
    let world = World::new();
    let mut gate = world.gate().on_denial(OnDenial::Stop).deny_tools(denied.to_vec());
    if !allowed.is_empty() {
        gate = gate.allow_tools(allowed.to_vec());
    }
    let answer = Session::start(gate).call_denied(1).await;
    assert_eq!(answer["result"]["_meta"]["io.machineid/code"], "TOOL_NOT_ALLOWED");
    assert_eq!(world.questions(), 0);
}

#[tokio::test]
async fn a_tool_can_have_a_device_of_its_own() {
    let world = World::new();
    let gate = world.gate().device_for("deploy", world.gate_of("deployer"));
    let mut session = Session::start(gate);
    session.call_and_answer(1).await;
    world.revoke().await;
    session.client.send(call(2, "deploy")).await;
    assert_eq!(session.server.line().await, call(2, "deploy"));
    session.call_denied(3).await;
}

fn initialize(client: &str) -> String {
    json!({
        "jsonrpc": "2.0", "id": "i", "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "clientInfo": {"name": client, "version": "1"}},
    })
    .to_string()
}

fn call_of(client: &str, id: u32, tool: &str) -> String {
    let info = json!({"io.modelcontextprotocol/clientInfo": {"name": client, "version": "1"}});
    json!({
        "jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {"_meta": info, "name": tool, "arguments": {"name": "other"}},
    })
    .to_string()
}

#[rstest]
#[case::of_this_client("cursor", true)]
#[case::of_another("claude-code", false)]
#[tokio::test]
async fn a_client_can_have_a_device_of_its_own(#[case] client: &str, #[case] is_denied: bool) {
    let world = World::new();
    let gate = world.gate().device_for_client("cursor", world.gate_of("device-of-cursor"));
    let gate = gate.device_for("deploy", world.gate_of("deployer"));
    // In revisions with sessions, it introduces itself.
    let mut session = Session::start(gate.clone());
    session.client.send(initialize(client)).await;
    assert_eq!(session.server.line().await, initialize(client));
    session.call_and_answer(1).await;
    world.revoke_device("device-of-cursor").await;
    if is_denied {
        session.call_denied(2).await;
    } else {
        session.call_and_answer(2).await;
    }
    // A second introduction changes nothing.
    session.client.send(initialize("somebody-else").replace("\"i\"", "\"j\"")).await;
    session.server.line().await;
    if is_denied {
        session.call_denied(3).await;
    }
    // A tool's own device goes before.
    session.client.send(call(4, "deploy")).await;
    assert_eq!(session.server.line().await, call(4, "deploy"));
    // In the stateless revision, each call says whose it is.
    let mut session = Session::start(gate);
    session.client.send(call_of(client, 1, "echo")).await;
    if is_denied {
        assert_eq!(session.client.message().await["result"]["isError"], true);
    } else {
        assert_eq!(session.server.line().await, call_of(client, 1, "echo"));
    }
    session.call_and_answer(2).await;
}

#[rstest]
#[case::text(r#""cursor""#)]
#[case::list(r#"["cursor"]"#)]
#[case::null("null")]
#[case::info_as_text(r#"{"io.modelcontextprotocol/clientInfo":"cursor"}"#)]
#[case::name_as_list(r#"{"io.modelcontextprotocol/clientInfo":{"name":["cursor"]}}"#)]
#[case::elsewhere(r#"{"a":{"io.modelcontextprotocol/clientInfo":{"name":"cursor"}}}"#)]
#[tokio::test]
async fn what_is_no_name_of_a_client_is_none(#[case] meta: &str) {
    let world = World::new();
    let gate = world.gate().device_for_client("cursor", world.gate_of("device-of-cursor"));
    let mut session = Session::start(gate);
    session.call_and_answer(1).await;
    world.revoke_device("device-of-cursor").await;
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"_meta":{meta},"name":"echo"}}}}"#
    );
    session.client.send(&line).await;
    assert_eq!(session.server.line().await, line);
}

/// A client that stops reading, so that its denials can't be written, keeps no call alive.
#[tokio::test]
async fn a_client_that_does_not_read_keeps_no_call_running() {
    let world = World::new();
    let gate = world.gate().recheck_every(Duration::from_millis(300)).max_message_bytes(10_000);
    let mut session = Session::start(gate);
    session.client.send(call(1, "slow")).await;
    session.server.line().await;
    world.revoke().await;
    let (mut reader, mut writer) = (session.client.lines, session.client.writer);
    let flood = tokio::spawn(async move {
        for id in 1000.. {
            let line = call(id, "echo") + "\n";
            if writer.write_all(line.as_bytes()).await.is_err() {
                break;
            }
        }
    });
    let cancelled = session.server.message().await;
    assert_eq!(cancelled["method"], "notifications/cancelled");
    assert_eq!(cancelled["params"]["requestId"], 1);
    flood.abort();
    let mut line = String::new();
    tokio::io::AsyncBufReadExt::read_line(&mut reader, &mut line).await.unwrap();
    assert!(line.contains("DEVICE_REVOKED"), "{line}");
}

#[rstest]
#[case::batch(r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}]"#)]
#[case::duplicate(
    r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"a"}}"#
)]
#[case::escaped(r#"{"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/call"}"#)]
#[case::deep(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[{"b":1,"b":2}]}}"#)]
#[case::notification(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}"#)]
#[case::line_within(
    "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":\r{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"}}\r}"
)]
#[case::garbage("garbage")]
#[tokio::test]
async fn ambiguous_messages_are_refused_and_the_session_goes_on(#[case] line: &str) {
    let world = World::new();
    let mut session = Session::start(world.gate());
    session.client.send(line).await;
    let answer = session.client.message().await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("does not pass"), "{answer}");
    session.call_and_answer(2).await;
    assert_eq!(world.questions(), 1);
}

#[tokio::test]
async fn too_long_messages_are_refused_on_both_sides() {
    let world = World::new();
    let mut session = Session::start(world.gate().max_message_bytes(10_000));
    // As long as a hundred of the largest, and never held whole.
    let long = format!(r#"{{"jsonrpc":"2.0","id":5,"method":"{}"}}"#, "x".repeat(1_000_000));
    session.client.send(&long).await;
    assert!(session.client.line().await.contains("too long"));
    session.server.send(&long).await;
    session.call_and_answer(1).await;
    let events = world.events.lock().unwrap().clone();
    assert!(events.iter().any(|event| event.contains("of the server")), "{events:?}");
}

#[tokio::test]
async fn garbage_of_the_server_is_dropped() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    session.server.send("Listening on port 3000\n\n{\"level\":\"info\"}\n\u{1b}[2J").await;
    session.server.send(b"\xff\xfe").await;
    session.call_and_answer(1).await;
    assert_eq!(world.events.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_response_that_is_refused_is_answered_in_its_place() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    session.client.send(call(1, "echo")).await;
    session.server.line().await;
    session.server.send(r#"{"jsonrpc":"2.0","result":{"a":1,"a":2},"id":1}"#).await;
    let answer = session.client.message().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32603)));
}

#[tokio::test]
async fn a_response_that_nobody_waits_for_is_dropped() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    session.server.send(answer(77)).await;
    session.call_and_answer(1).await;
}

#[rstest]
#[case::same(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#)]
#[case::as_text(r#"{"jsonrpc":"2.0","id":"1","method":"tools/list"}"#)]
#[tokio::test]
async fn an_id_that_is_in_use_is_refused(#[case] second: &str) {
    let world = World::new();
    let mut session = Session::start(world.gate());
    session.client.send(call(1, "slow")).await;
    session.server.line().await;
    session.client.send(second).await;
    let answer = session.client.message().await;
    // Not under the id, as the client would take it for the answer to the first.
    assert_eq!(answer["id"], json!(null));
    assert!(answer["error"]["message"].as_str().unwrap().contains("id"), "{answer}");
}

#[tokio::test]
async fn running_calls_are_cancelled_when_the_device_is_revoked() {
    let world = World::new();
    let gate = world.gate().recheck_every(Duration::from_millis(20));
    let mut session = Session::start(gate);
    session.client.send(call(1, "slow")).await;
    session.server.line().await;
    world.revoke().await;
    let cancelled = session.server.message().await;
    assert_eq!(cancelled["method"], "notifications/cancelled");
    assert_eq!(cancelled["params"]["requestId"], 1);
    let denied = session.client.message().await;
    assert_eq!((&denied["id"], &denied["result"]["isError"]), (&json!(1), &json!(true)));
    assert!(denied["result"]["content"][0]["text"].as_str().unwrap().contains("DEVICE_REVOKED"));
    // The result comes all the same.
    session.server.send(answer(1)).await;
    session.call_denied(2).await;
}

/// The server may compare ids differently, or ignore the client's cancellation.
#[rstest]
#[case::by_its_id("1")]
#[case::by_its_id_as_text(r#""1""#)]
#[tokio::test]
async fn a_call_that_its_client_cancels_is_asked_about(#[case] id: &str) {
    let world = World::new();
    let gate = world.gate().recheck_every(Duration::from_millis(20)).on_denial(OnDenial::Stop);
    let mut session = Session::start(gate);
    session.client.send(call(1, "slow")).await;
    session.server.line().await;
    let cancelled = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
    );
    session.client.send(&cancelled).await;
    assert_eq!(session.server.line().await, cancelled);
    // Its id is not free yet, as the answer could then be taken for that of another call.
    session.client.send(call(1, "echo")).await;
    assert_eq!(session.client.message().await["id"], json!(null));
    world.revoke().await;
    let end = session.end.await.unwrap();
    assert!(matches!(end, SessionEnd::Denied(_)), "{end:?}");
}

/// No network is involved, so that an hour passes at once.
#[tokio::test(start_paused = true)]
async fn while_no_call_runs_nothing_is_asked() {
    let world = World::new();
    let _session = Session::start(world.gate().recheck_every(Duration::from_secs(1)));
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(world.questions(), 0);
}

#[tokio::test]
async fn the_end_of_the_server_answers_what_is_open() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    session.client.send(call(1, "slow")).await;
    session.server.line().await;
    drop(session.server);
    let answer = session.client.message().await;
    assert_eq!(answer["id"], 1);
    assert!(answer["error"]["message"].as_str().unwrap().contains("ended"), "{answer}");
    assert_eq!(session.client.rest().await, "");
    assert!(matches!(session.end.await.unwrap(), SessionEnd::ServerClosed));
}

#[tokio::test]
async fn what_the_client_sent_arrives_before_its_end() {
    let world = World::new();
    let mut session = Session::start(world.gate());
    session.client.send(call(1, "echo")).await;
    session.client.close().await;
    assert_eq!(session.server.line().await, call(1, "echo"));
    assert_eq!(session.server.rest().await, "");
    session.server.send(answer(1)).await;
    assert_eq!(session.client.line().await, answer(1));
    session.server.close().await;
    assert!(matches!(session.end.await.unwrap(), SessionEnd::ServerClosed));
}

#[tokio::test]
async fn a_message_that_is_cut_off_is_not_passed_on() {
    let world = World::new();
    let (mut client, of_client) = duplex(1024);
    let (server, of_server) = duplex(1024);
    client.write_all(call(1, "echo").as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let gate = world.gate();
    let pass = async {
        let ((from_client, to_client), (from_server, to_server)) =
            (split(of_client), split(of_server));
        gate.pass(from_client, to_client, from_server, to_server).await
    };
    let received = async {
        let (mut reader, writer) = split(server);
        let mut received = String::new();
        reader.read_to_string(&mut received).await.unwrap();
        drop((reader, writer));
        received
    };
    let (_, received) = tokio::join!(pass, received);
    assert_eq!(received, "");
}

/// No network is involved, so that the clock can stand still while anything moves.
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_holds_up_its_client() {
    const MAX: usize = 10_000;
    let world = World::new();
    let mut session = Session::start(world.gate().max_message_bytes(MAX));
    let line = format!(r#"{{"jsonrpc":"2.0","method":"a","params":["{}"]}}"#, "x".repeat(1_000));
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_mins(1), session.client.send(&line)).await.is_ok() {
        sent += line.len();
        assert!(sent < 1024 * 1024, "no bound in sight");
    }
    // Pipes, what is read at a time, the line in hand and the queue.
    assert!(sent < 3 * 64 * 1024 + 64 * 1024 + 2 * MAX, "{sent}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_up_its_server() {
    let world = World::new();
    let mut session = Session::start(world.gate().max_message_bytes(10_000));
    let line = format!(r#"{{"jsonrpc":"2.0","method":"a","params":["{}"]}}"#, "x".repeat(1_000));
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_mins(1), session.server.send(&line)).await.is_ok() {
        sent += line.len();
        assert!(sent < 1024 * 1024, "no bound in sight");
    }
}
