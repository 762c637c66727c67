//! What the tests of this crate share.
#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, reason = "test support")]

use machineid_client::{Client, ClientBuilder, ClientOptions, DeviceId, OrgKey};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// The key of every test client.
pub const KEY: &str = "org_0123456789abcdef";

pub fn device() -> DeviceId {
    DeviceId::new("agent-01").unwrap()
}

pub fn builder(url: &str) -> ClientBuilder {
    Client::builder().org_key(OrgKey::new(KEY).unwrap()).base_url(url)
}

/// A client that asks once, so that what it makes of a reply is seen at once.
pub fn client(server: &MockServer) -> Client {
    builder(&server.uri()).options(ClientOptions::new().max_attempts(1)).build().unwrap()
}

/// A server that gives this reply to everything.
pub async fn server(status: u16, body: &Value) -> MockServer {
    let server = MockServer::start().await;
    let reply = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(any()).respond_with(reply).mount(&server).await;
    server
}

/// The reply that allows.
pub fn allow() -> Value {
    json!({
        "status": "ok",
        "handler": "devices/validate",
        "allowed": true,
        "code": "ALLOW",
        "deviceId": "agent-01",
        "request_id": "5f2e7c1a-0000-4000-8000-000000000001",
    })
}

/// The reply that denies with this code.
pub fn deny(code: &str) -> Value {
    let mut reply = allow();
    reply["allowed"] = json!(false);
    reply["code"] = json!(code);
    reply
}
