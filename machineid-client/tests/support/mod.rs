//! What the tests of this crate share.
#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, reason = "test support")]

use machineid_client::{Client, ClientBuilder, ClientOptions, DeviceId, OrgKey};
use serde_json::{Value, json};
pub use test_support::server;
use wiremock::MockServer;

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
