//! What the tests of this crate share.
#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "test support")]

pub mod inbox;

use machins_client::{
    Action, ApiKey, Client, ClientBuilder, ClientOptions, Delivery, Error, MockClock, Secret,
    Trade, TradeId,
};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
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

/// A client with an API key and an owner token, which does not sleep.
pub fn client(server: &MockServer) -> Client {
    builder(server).build().unwrap()
}

/// Answers this request with this reply, once.
pub async fn once(server: &MockServer, verb: &str, at: &str, reply: ResponseTemplate) {
    Mock::given(method(verb))
        .and(path(format!("/api/v1{at}")))
        .respond_with(reply)
        .up_to_n_times(1)
        .mount(server)
        .await;
}

/// A reply that leaves the outcome of a call unknown: the server may have failed after the call took
/// effect.
pub fn lost() -> ResponseTemplate {
    ResponseTemplate::new(500)
}

/// A successful reply with this body.
pub fn reply(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// The method and path of every request that the server received.
pub async fn requests(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    requests
        .iter()
        .map(|request| format!("{} {}", request.method, request.url.path().replace("/api/v1", "")))
        .collect()
}

pub fn trade_id() -> TradeId {
    TradeId::new("t1r2a3d4").unwrap()
}

/// Takes an action on the trade.
pub async fn act(client: &Client, action: Action, reason: Option<&str>) -> Result<Trade, Error> {
    match action {
        Action::Accept => client.accept_trade(&trade_id()).await,
        Action::Reject => client.reject_trade(&trade_id(), reason).await,
        Action::Cancel => client.cancel_trade(&trade_id(), reason).await,
        Action::Deliver => client.deliver_trade(&trade_id(), &Delivery::task("done")).await,
        Action::Confirm => client.confirm_trade(&trade_id()).await,
        Action::Dispute => client.dispute_trade(&trade_id(), reason).await,
        _ => panic!("{action:?} is not known here"),
    }
}

/// A trade, as the reference shows it.
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

/// A listing of one's own, as the reference shows it.
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
