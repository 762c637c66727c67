//! Calls of an org and of the control API.

use std::sync::LazyLock;

use machins_mock::{MockServer, Org, Plan};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// An HTTP reply, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the reply is JSON")
    }
}

/// The client of all tests, which takes long to make. It keeps no connection, since each test has
/// a runtime of its own.
pub(crate) fn client() -> &'static Client {
    static CLIENT: LazyLock<Client> =
        LazyLock::new(|| Client::builder().pool_max_idle_per_host(0).build().unwrap());
    &CLIENT
}

/// Sends a request with a JSON body, or none for null.
pub(crate) async fn send(
    server: &MockServer,
    method: Method,
    path: &str,
    key: &str,
    body: Value,
) -> Reply {
    try_send(server, method, path, key, body).await.expect("a reply")
}

pub(crate) async fn try_send(
    server: &MockServer,
    method: Method,
    path: &str,
    key: &str,
    body: Value,
) -> reqwest::Result<Reply> {
    let mut request = client().request(method, format!("{}{path}", server.url()));
    if key.starts_with("at_") {
        request = request.header("x-api-key", key);
    } else if key.starts_with("eyJ") {
        request = request.bearer_auth(key);
    } else if !key.is_empty() {
        request = request.header("x-org-key", key);
    }
    exchange(request, &body).await
}

/// Sends a request with a JSON body, or none for null, and reads the reply.
pub(crate) async fn exchange(request: RequestBuilder, body: &Value) -> reqwest::Result<Reply> {
    let request = if body.is_null() { request } else { request.json(body) };
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Reply { status, headers, text: response.text().await? })
}

/// A POST about MachineID with the org's key; status and JSON.
pub(crate) async fn post(server: &MockServer, org: &Org, call: &str, body: Value) -> (u16, Value) {
    let reply = send(server, Method::POST, &format!("/api/v1/{call}"), org.key(), body).await;
    (reply.status.as_u16(), reply.json())
}

/// A GET about MachineID with the org's key; status and JSON.
pub(crate) async fn get(server: &MockServer, org: &Org, call: &str) -> (u16, Value) {
    let path = format!("/api/v1/{call}");
    let reply = send(server, Method::GET, &path, org.key(), Value::Null).await;
    (reply.status.as_u16(), reply.json())
}

/// A control call; status and JSON.
pub(crate) async fn control(
    server: &MockServer,
    method: Method,
    path: &str,
    body: Value,
) -> (u16, Value) {
    let reply = send(server, method, &format!("/_mock/{path}"), "", body).await;
    (reply.status.as_u16(), reply.json())
}

/// Registers devices and expects it to work.
pub(crate) async fn register(server: &MockServer, org: &Org, ids: &[&str]) {
    for id in ids {
        let (status, reply) = post(server, org, "devices/register", device(id)).await;
        assert_eq!((status, &reply["status"]), (200, &json!("ok")), "{id}: {reply}");
    }
}

pub(crate) fn device(id: &str) -> Value {
    json!({"deviceId": id})
}

/// A server with one org.
pub(crate) async fn server_with_org(plan: Plan) -> (MockServer, Org) {
    let server = MockServer::start().await;
    let org = server.create_org(plan);
    (server, org)
}
