//! What the tests of this crate share.
#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, reason = "test support")]

use std::sync::atomic::{AtomicU64, Ordering};

use machineid_client::{Client, ClientBuilder, ClientOptions, DeviceId, OrgKey};
use serde_json::{Value, json};
#[allow(unused_imports, reason = "not every test uses it")]
pub use test_support::server;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The key of every test client.
pub const KEY: &str = "org_0123456789abcdef";

pub fn device() -> DeviceId {
    DeviceId::new("agent-01").unwrap()
}

pub fn builder(url: &str) -> ClientBuilder {
    Client::builder().org_key(OrgKey::new(KEY).unwrap()).base_url(url)
}

/// A client that does not retry, so that a test sees how it treats one reply.
pub fn client(server: &MockServer) -> Client {
    builder(&server.uri()).options(ClientOptions::new().max_attempts(1)).build().unwrap()
}

/// The reply that allows. Each has a request id of its own.
pub fn allow() -> Value {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    json!({
        "status": "ok",
        "handler": "devices/validate",
        "allowed": true,
        "code": "ALLOW",
        "deviceId": "agent-01",
        "request_id": format!("5f2e7c1a-0000-4000-8000-{count:012}"),
    })
}

/// The reply that denies with this code.
pub fn deny(code: &str) -> Value {
    let mut reply = allow();
    reply["allowed"] = json!(false);
    reply["code"] = json!(code);
    reply
}

/// Allows every request, with a new request id each time.
pub struct Allow;

impl Respond for Allow {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        ResponseTemplate::new(200).set_body_json(allow())
    }
}

/// Starts a server that allows every request.
pub async fn allowing_server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(Allow).mount(&server).await;
    server
}
