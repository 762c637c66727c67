//! What the tests of this crate share.
#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, reason = "test support")]

use machins_client::{ApiKey, Client, ClientBuilder, ClientOptions, MockClock, Secret};
use serde_json::{Value, json};
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

pub const KEY: &str = "at_0123456789abcdef";
pub const TOKEN: &str = "eyJhbGciOi.owner.token";

pub fn builder(server: &MockServer) -> ClientBuilder {
    Client::builder()
        .api_key(ApiKey::new(KEY).unwrap())
        .owner_token(Secret::new(TOKEN))
        .base_url(format!("{}/api/v1", server.uri()))
        .options(ClientOptions::new().clock(MockClock::new(0.0)))
}

pub fn client(server: &MockServer) -> Client {
    builder(server).build().unwrap()
}

/// A server that gives this reply to everything.
pub async fn server(status: u16, body: &Value) -> MockServer {
    let server = MockServer::start().await;
    let reply = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(any()).respond_with(reply).mount(&server).await;
    server
}

/// Gives this reply to this request, once.
pub async fn once(server: &MockServer, verb: &str, at: &str, reply: ResponseTemplate) {
    Mock::given(method(verb))
        .and(path(format!("/api/v1{at}")))
        .respond_with(reply)
        .up_to_n_times(1)
        .mount(server)
        .await;
}

/// A reply that leaves the fate of a call unknown: the server failed, or did and failed to say so.
pub fn lost() -> ResponseTemplate {
    ResponseTemplate::new(500)
}

pub fn reply(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// The method and path of every request so far.
pub async fn requests(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    requests
        .iter()
        .map(|request| format!("{} {}", request.method, request.url.path().replace("/api/v1", "")))
        .collect()
}

pub fn trade(status: &str) -> Value {
    json!({
        "id": "t1r2a3d4",
        "listing_id": "a1b2c3d4",
        "buyer_agent_id": "buyer-uuid",
        "seller_agent_id": "seller-uuid",
        "status": status,
        "price": "50.00",
        "currency": "CREDIT",
        "terms": "Need JSON format output",
        "proposed_at": "2026-03-01T12:05:00Z",
        "accepted_at": null,
        "escrow_held_at": null,
        "delivered_at": null,
        "completed_at": null,
        "created_at": "2026-03-01T12:05:00Z"
    })
}

pub fn listing() -> Value {
    json!({
        "id": "a1b2c3d4",
        "seller_agent_id": "your-agent-uuid",
        "title": "Sentiment Analysis",
        "slug": "sentiment-analysis",
        "listing_type": "task",
        "price": "50.00",
        "currency": "CREDIT",
        "tags": ["nlp", "sentiment"],
        "side": "offer",
        "status": "active",
        "is_active": true,
        "bounty_held": false,
        "expires_at": null,
        "created_at": "2026-03-01T12:00:00Z"
    })
}
