//! Streamable HTTP, with the gate between client and server.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use machineid_client::CancellationToken;
use machins_mcp::{CallDenied, HttpServer, McpGate, OnDenial};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};
use support::{World, call};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A gate in front of a server with the endpoint `/mcp`.
struct Gated {
    address: String,
    end: JoinHandle<Result<(), CallDenied>>,
}

impl Gated {
    async fn start(gate: McpGate, server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = HttpServer::new(&format!("{server}/mcp")).unwrap();
        let end = tokio::spawn(async move {
            gate.serve_http(listener, server, &CancellationToken::new()).await
        });
        Self { address, end }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let client = Client::builder().no_proxy().build().unwrap();
        client.request(method, format!("http://{}{path}", self.address))
    }

    fn post(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request(Method::POST, "/mcp")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body)
    }
}

/// A server that answers everything with this.
async fn server(reply: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(reply).mount(&server).await;
    server
}

async fn received(server: &MockServer) -> Vec<wiremock::Request> {
    server.received_requests().await.unwrap()
}

async fn json_of(response: Response) -> Value {
    response.json().await.unwrap()
}

fn ok() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"jsonrpc": "2.0", "id": 1, "result": {}}))
}

#[tokio::test]
async fn an_allowed_call_passes_with_its_headers() {
    let world = World::new();
    let body = "{ \"jsonrpc\":\"2.0\", \"id\":1, \"result\":{} }";
    let reply = ResponseTemplate::new(200)
        .set_body_raw(body, "application/json")
        .insert_header("mcp-session-id", "session-1")
        .insert_header("www-authenticate", "Bearer")
        .append_header("set-cookie", "a=1")
        .append_header("set-cookie", "b=2");
    let server = server(reply).await;
    let gated = Gated::start(world.gate(), &server.uri()).await;
    let response = gated
        .post(call(1, "echo"))
        .header("authorization", "Bearer token")
        .header("mcp-session-id", "session-1")
        .header("mcp-protocol-version", "2025-11-25")
        .header("mcp-param-region", "eu")
        .header("connection", "Upgrade, HTTP2-Settings")
        .header("http2-settings", "AAEAAEAA")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["mcp-session-id"], "session-1");
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(response.text().await.unwrap(), body);
    let request = &received(&server).await[0];
    assert_eq!(request.body, call(1, "echo").as_bytes());
    let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("authorization"), Some("Bearer token"));
    assert_eq!(header("mcp-session-id"), Some("session-1"));
    assert_eq!(header("mcp-protocol-version"), Some("2025-11-25"));
    assert_eq!(header("mcp-param-region"), Some("eu"));
    assert_eq!(header("http2-settings"), None);
    assert_eq!(header("host"), Some(&*server.address().to_string()));
}

#[rstest]
#[case::result(OnDenial::Result)]
#[case::error(OnDenial::Error)]
#[tokio::test]
async fn a_denied_call_never_reaches_the_server(#[case] on_denial: OnDenial) {
    let world = World::new();
    let server = server(ok()).await;
    let gated = Gated::start(world.gate().on_denial(on_denial), &server.uri()).await;
    assert!(gated.post(call(1, "echo")).send().await.unwrap().status().is_success());
    world.revoke().await;
    let answer = json_of(gated.post(call(2, "echo")).send().await.unwrap()).await;
    assert!(answer.to_string().contains("DEVICE_REVOKED"), "{answer}");
    assert_eq!(
        (&answer["id"], answer.get("error").is_some()),
        (&json!(2), on_denial == OnDenial::Error)
    );
    // Everything else still passes.
    let list = r#"{"jsonrpc":"2.0","id":3,"method":"tools/list"}"#;
    assert!(gated.post(list).send().await.unwrap().status().is_success());
    assert_eq!(received(&server).await.len(), 2);
}

#[tokio::test]
async fn a_denial_can_end_the_gate() {
    let world = World::new();
    let server = server(ok()).await;
    let gated = Gated::start(world.gate().on_denial(OnDenial::Stop), &server.uri()).await;
    assert!(gated.post(call(1, "echo")).send().await.unwrap().status().is_success());
    world.revoke().await;
    let answer = json_of(gated.post(call(2, "echo")).send().await.unwrap()).await;
    assert_eq!(answer["result"]["isError"], true);
    assert_eq!(gated.end.await.unwrap().unwrap_err().code(), "DEVICE_REVOKED");
}

#[tokio::test]
async fn fifty_calls_at_once_are_each_asked_about() {
    let world = World::new();
    let server = server(ok()).await;
    let gated = Gated::start(world.gate(), &server.uri()).await;
    let calls = (0..50).map(|id| tokio::spawn(gated.post(call(id, "echo")).send()));
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap().unwrap().status().is_success());
    }
    assert_eq!(received(&server).await.len(), 50);
    world.revoke().await;
    let calls = (0..50).map(|id| tokio::spawn(gated.post(call(id, "echo")).send()));
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(json_of(call.await.unwrap().unwrap()).await["result"]["isError"], true);
    }
    assert_eq!(received(&server).await.len(), 50);
}

#[rstest]
#[case::of_this_client("cursor", true)]
#[case::of_another("claude-code", false)]
#[tokio::test]
async fn the_client_of_a_session_can_have_a_device(#[case] client: &str, #[case] is_denied: bool) {
    let world = World::new();
    let server = server(ok().insert_header("mcp-session-id", "session-1")).await;
    let gate = world.gate().device_for_client("cursor", world.gate_of("device-of-cursor"));
    let gated = Gated::start(gate, &server.uri()).await;
    world.revoke_device("device-of-cursor").await;
    let hello = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"clientInfo": {"name": client, "version": "1"}},
    });
    assert!(gated.post(hello.to_string()).send().await.unwrap().status().is_success());
    let in_session = gated.post(call(2, "echo")).header("mcp-session-id", "session-1");
    let answer = json_of(in_session.send().await.unwrap()).await;
    assert_eq!(answer["result"]["isError"] == true, is_denied, "{answer}");
    // In the stateless revision, and in no session.
    let info = json!({"io.modelcontextprotocol/clientInfo": {"name": client}});
    let stateless = json!({
        "jsonrpc": "2.0", "id": 3, "method": "tools/call",
        "params": {"name": "echo", "_meta": info},
    });
    let answer = json_of(gated.post(stateless.to_string()).send().await.unwrap()).await;
    assert_eq!(answer["result"]["isError"] == true, is_denied, "{answer}");
    let answer = json_of(gated.post(call(4, "echo")).send().await.unwrap()).await;
    assert_ne!(answer["result"]["isError"], true, "{answer}");
}

#[rstest]
#[case::origin("origin", "https://evil.example", 403)]
#[case::null_origin("origin", "null", 403)]
#[case::rebound_host("host", "evil.example", 403)]
#[case::encoded("content-encoding", "gzip", 415)]
#[case::charset("content-type", "application/json; charset=utf-16", 415)]
#[case::charset_and_a_space("content-type", "application/json; charset =utf-7", 415)]
#[case::text("content-type", "text/plain", 415)]
#[case::type_of_the_connection("connection", "content-type", 400)]
#[case::version_of_the_connection("connection", "close, MCP-Protocol-Version", 400)]
#[case::own_header_of_the_connection("connection", "x-mine", 400)]
#[case::unreadable_connection("connection", "é", 400)]
#[case::other_method("mcp-method", "tools/list", 400)]
#[case::other_tool("mcp-name", "other", 400)]
#[case::other_encoded_tool("mcp-name", "=?base64?b3RoZXI=?=", 400)]
#[tokio::test]
async fn requests_with_wrong_headers_are_refused(
    #[case] name: &'static str,
    #[case] value: &'static str,
    #[case] status: u16,
) {
    let world = World::new();
    let server = server(ok()).await;
    let gated = Gated::start(world.gate(), &server.uri()).await;
    let mut headers = HeaderMap::new();
    headers.insert(name, value.parse().unwrap());
    let response = gated.post(call(1, "echo")).headers(headers).send().await.unwrap();
    assert_eq!(response.status(), status);
    let answer = json_of(response).await;
    assert_eq!(answer["error"]["code"] == -32020, name.starts_with("mcp-"), "{answer}");
    assert!(received(&server).await.is_empty());
    assert_eq!(world.questions(), 0);
}

/// However the client spells it, the server reads the body as the gate did.
#[rstest]
#[case::plain("application/json")]
#[case::spelled_otherwise("Application/JSON ;charset= \"UTF-8\";profile=x")]
#[tokio::test]
async fn the_server_is_told_plain_json(#[case] spelled: &str) {
    let world = World::new();
    let server = server(ok()).await;
    let gated = Gated::start(world.gate(), &server.uri()).await;
    let spelled = HeaderMap::from_iter([(CONTENT_TYPE, spelled.parse().unwrap())]);
    let response = gated.post(call(1, "echo")).headers(spelled).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let received = received(&server).await;
    let types: Vec<_> = received[0].headers.get_all("content-type").iter().collect();
    assert_eq!(types, ["application/json"]);
}

#[rstest]
#[case::plain("echo", "echo")]
#[case::encoded("echo", "=?base64?ZWNobw==?=")]
#[case::not_ascii("é", "=?base64?w6k=?=")]
#[tokio::test]
async fn headers_that_repeat_the_body_pass(#[case] tool: &str, #[case] name: &'static str) {
    let world = World::new();
    let server = server(ok()).await;
    let gated = Gated::start(world.gate(), &server.uri()).await;
    let request = gated
        .post(call(1, tool))
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", name);
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(received(&server).await.len(), 1);
}

#[rstest]
#[case::batch(r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}]"#)]
#[case::duplicate(r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#)]
#[case::garbage("garbage")]
#[case::empty("")]
#[tokio::test]
async fn ambiguous_bodies_are_refused(#[case] body: &'static str) {
    let world = World::new();
    let server = server(ok()).await;
    let gated = Gated::start(world.gate(), &server.uri()).await;
    let response = gated.post(body).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(json_of(response).await["error"]["code"].is_i64());
    assert!(received(&server).await.is_empty());
}

#[tokio::test]
async fn too_large_bodies_are_refused() {
    let world = World::new();
    let server = server(ok()).await;
    let gated = Gated::start(world.gate().max_message_bytes(1000), &server.uri()).await;
    let response = gated.post(call(1, &"x".repeat(2000))).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(received(&server).await.is_empty());
}

#[rstest]
#[case::other_path(Method::POST, "/other", 404)]
#[case::below(Method::POST, "/mcp/", 404)]
#[case::put(Method::PUT, "/mcp", 405)]
#[case::patch(Method::PATCH, "/mcp", 405)]
#[case::metadata_post(Method::POST, "/.well-known/x", 404)]
#[case::out_of_metadata(Method::GET, "/.well-known/%2e%2e/admin", 404)]
#[case::get(Method::GET, "/mcp", 200)]
#[case::delete(Method::DELETE, "/mcp", 200)]
#[case::options(Method::OPTIONS, "/mcp", 200)]
#[case::metadata(Method::GET, "/.well-known/oauth-protected-resource/mcp", 200)]
#[tokio::test]
async fn only_the_endpoint_is_served(
    #[case] method: Method,
    #[case] path: &str,
    #[case] status: u16,
) {
    let world = World::new();
    let server = server(ok()).await;
    let gated = Gated::start(world.gate(), &server.uri()).await;
    let request = gated.request(method.clone(), path).header("last-event-id", "7");
    assert_eq!(request.send().await.unwrap().status(), status);
    let passed = received(&server).await;
    assert_eq!(passed.len(), usize::from(status == 200));
    for request in passed {
        assert_eq!((&request.method, request.url.path()), (&method, path));
        assert_eq!(request.headers["last-event-id"], "7");
    }
}

#[tokio::test]
async fn a_redirection_past_the_gate_is_refused() {
    let world = World::new();
    let elsewhere = server(ok()).await;
    let reply =
        ResponseTemplate::new(307).insert_header("location", format!("{}/mcp", elsewhere.uri()));
    let server = server(reply).await;
    let gated = Gated::start(world.gate(), &server.uri()).await;
    let response = gated.post(call(1, "echo")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("location")), (502, None));
    assert!(received(&elsewhere).await.is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_with_the_id() {
    let world = World::new();
    let server = server(ok()).await;
    let gated = Gated::start(world.gate(), &server.uri()).await;
    drop(server);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unused = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let gone = Gated::start(world.gate(), &unused).await;
    let response = gone.post(call(7, "echo")).send().await.unwrap();
    assert_eq!(response.status(), 502);
    assert_eq!(json_of(response).await["id"], 7);
    drop(gated);
}

/// A server that the test plays: it accepts one request at a time.
struct Played(TcpListener);

impl Played {
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (Self(listener), url)
    }

    /// Receives a request whose body is one JSON object.
    async fn request(&self) -> (TcpStream, String) {
        let (mut stream, _) = self.0.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        (stream, String::from_utf8(request).unwrap())
    }
}

const EVENTS: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

#[tokio::test]
async fn events_pass_as_they_come() {
    let world = World::new();
    let (server, url) = Played::start().await;
    let gated = Gated::start(world.gate(), &url).await;
    let response = tokio::spawn(gated.post(call(1, "echo")).send());
    let (mut stream, _) = server.request().await;
    stream.write_all(EVENTS.as_bytes()).await.unwrap();
    let mut response = response.await.unwrap().unwrap();
    for part in ["id: 1\n", "data: {}\r\n", "\r\n", ": kept alive\n\n"] {
        stream.write_all(chunk(part).as_bytes()).await.unwrap();
        // The next part is sent only when this one has arrived.
        assert_eq!(response.chunk().await.unwrap().unwrap(), part);
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(response.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_request() {
    let world = World::new();
    let (server, url) = Played::start().await;
    let gated = Gated::start(world.gate(), &url).await;
    let response = tokio::spawn(gated.post(call(1, "echo")).send());
    let (mut stream, _) = server.request().await;
    stream.write_all(EVENTS.as_bytes()).await.unwrap();
    drop(response.await.unwrap().unwrap());
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
}

#[rstest]
#[case::before_the_response("", "2025-11-25", true)]
#[case::between_events("data: {}\n\n", "2025-11-25", true)]
#[case::stateless("data: {}\n\n", "2026-07-28", false)]
#[tokio::test]
async fn a_running_call_is_cancelled_when_the_device_is_revoked(
    #[case] sent: &str,
    #[case] version: &'static str,
    #[case] is_told: bool,
) {
    let world = World::new();
    let (server, url) = Played::start().await;
    let gate = world.gate().recheck_every(Duration::from_millis(20));
    let gated = Gated::start(gate, &url).await;
    let request = gated.post(call(1, "slow")).header("mcp-protocol-version", version);
    let response = tokio::spawn(request.header("mcp-session-id", "s").send());
    let (mut stream, _) = server.request().await;
    if !sent.is_empty() {
        stream.write_all(format!("{EVENTS}{}", chunk(sent)).as_bytes()).await.unwrap();
    }
    world.revoke().await;
    let text = response.await.unwrap().unwrap().text().await.unwrap();
    let answer = text.strip_prefix(sent).unwrap().trim_start_matches("event: message\ndata: ");
    let answer: Value = serde_json::from_str(answer.trim()).unwrap();
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(1), &json!(true)));
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    if is_told {
        let (_stream, cancellation) = server.request().await;
        assert!(cancellation.contains("notifications/cancelled"), "{cancellation}");
        assert!(cancellation.contains("mcp-session-id: s"), "{cancellation}");
    }
}

/// A server cancels the later of two requests with the same id.
#[rstest]
#[case::call("tools/call", true)]
#[case::other("resources/read", true)]
#[case::not_asked_again("tools/call", false)]
#[tokio::test]
async fn an_id_is_in_use_until_its_response_has_ended(
    #[case] method: &str,
    #[case] asks_again: bool,
) {
    let world = World::new();
    let (server, url) = Played::start().await;
    let gate = world.gate();
    let gate = if asks_again { gate.recheck_every(Duration::from_hours(1)) } else { gate };
    let gated = Gated::start(gate, &url).await;
    let first = call(1, "slow").replace("tools/call", method);
    let response = tokio::spawn(gated.post(first).header("mcp-session-id", "s").send());
    let (mut stream, _) = server.request().await;
    stream.write_all(EVENTS.as_bytes()).await.unwrap();
    let response = response.await.unwrap().unwrap();
    let second = call(1, "echo").replace("\"id\":1", "\"id\":\"1\"");
    let in_use = gated.post(second.clone()).header("mcp-session-id", "s").send().await.unwrap();
    assert_eq!(in_use.status(), 400);
    let answer = json_of(in_use).await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("no response"), "{answer}");
    // In another session it is free.
    let other = tokio::spawn(gated.post(second.clone()).header("mcp-session-id", "t").send());
    server.request().await;
    other.await.unwrap().unwrap();
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(response.text().await.unwrap(), "");
    let _again = tokio::spawn(gated.post(second).header("mcp-session-id", "s").send());
    // The connection is used again.
    assert_ne!(stream.read(&mut [0]).await.unwrap(), 0);
}

#[rstest]
#[case::before_the_response(false)]
#[case::within_the_response(true)]
#[tokio::test]
async fn a_client_that_leaves_has_its_call_cancelled(#[case] has_begun: bool) {
    let world = World::new();
    let (server, url) = Played::start().await;
    let gated = Gated::start(world.gate().recheck_every(Duration::from_hours(1)), &url).await;
    let mut client = TcpStream::connect(&gated.address).await.unwrap();
    let body = call(1, "slow");
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let (mut stream, _) = server.request().await;
    if has_begun {
        stream.write_all(EVENTS.as_bytes()).await.unwrap();
        client.read_u8().await.unwrap();
    }
    drop(client);
    let (_stream, cancellation) = server.request().await;
    assert!(cancellation.contains("notifications/cancelled"), "{cancellation}");
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_call_that_has_ended_is_not_cancelled() {
    let world = World::new();
    let server = server(ok()).await;
    let gated =
        Gated::start(world.gate().recheck_every(Duration::from_hours(1)), &server.uri()).await;
    for id in 0..20 {
        json_of(gated.post(call(id, "echo")).send().await.unwrap()).await;
    }
    assert_eq!(received(&server).await.len(), 20);
}

#[tokio::test]
async fn a_client_that_does_not_read_keeps_no_call_running() {
    let world = World::new();
    let (server, url) = Played::start().await;
    let gate = world.gate().recheck_every(Duration::from_millis(20)).on_denial(OnDenial::Stop);
    let gated = Gated::start(gate, &url).await;
    let response = tokio::spawn(gated.post(call(1, "slow")).send());
    let (mut stream, _) = server.request().await;
    stream.write_all(EVENTS.as_bytes()).await.unwrap();
    let _unread = response.await.unwrap().unwrap();
    // It is written until nobody takes it any more.
    let event = chunk(&format!("data: {}\n\n", "x".repeat(100_000)));
    let flood =
        tokio::spawn(async move { while stream.write_all(event.as_bytes()).await.is_ok() {} });
    world.revoke().await;
    let (_stream, cancellation) = server.request().await;
    assert!(cancellation.contains("notifications/cancelled"), "{cancellation}");
    assert_eq!(gated.end.await.unwrap().unwrap_err().code(), "DEVICE_REVOKED");
    flood.await.unwrap();
}

#[tokio::test]
async fn a_denial_within_an_event_breaks_the_response_off() {
    let world = World::new();
    let (server, url) = Played::start().await;
    let gate = world.gate().recheck_every(Duration::from_millis(20));
    let gated = Gated::start(gate, &url).await;
    let request = gated.post(call(1, "slow")).header("mcp-protocol-version", "2026-07-28");
    let response = tokio::spawn(request.send());
    let (mut stream, _) = server.request().await;
    let half = chunk("data: {\"jsonrpc\":");
    stream.write_all(format!("{EVENTS}{half}").as_bytes()).await.unwrap();
    world.revoke().await;
    response.await.unwrap().unwrap().text().await.unwrap_err();
}

#[rstest]
#[case::ftp("ftp://127.0.0.1/mcp")]
#[case::no_scheme("127.0.0.1/mcp")]
#[case::password("http://user:secret@127.0.0.1/mcp")]
fn addresses_that_cannot_be_used_are_refused(#[case] url: &str) {
    let error = HttpServer::new(url).unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
}
