//! Unit tests of a program that trades, without a server.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use machins_client::{
    ApiKey, CallOutcome, CallSummary, Client, ClientOptions, ErrorKind, Joined, Method, NotReached,
    OwnerSession, ParkedNotification, Reply, Script, TradeStatus,
};
use serde_json::json;
use support::{KEY, trade, trade_id};

fn scripted(script: &Script) -> machins_client::ClientBuilder {
    let key = ApiKey::new(KEY).unwrap();
    Client::builder().api_key(key).options(ClientOptions::scripted(script))
}

#[tokio::test]
async fn an_action_whose_reply_is_lost_is_looked_up() {
    let script = Script::new();
    let id = trade_id();
    script.on(Method::POST, format!("/trades/{id}/accept")).fail(ErrorKind::Interrupted);
    let accepted = Reply::new(200, &trade("escrow_held"));
    script.on(Method::GET, format!("/trades/{id}")).reply(accepted);
    let client = scripted(&script).build().unwrap();
    assert_eq!(client.accept_trade(&id).await.unwrap().status, TradeStatus::EscrowHeld);
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn a_blocking_client_follows_the_script() {
    let script = Script::new();
    script.on(Method::GET, "/public/stats").reply(Reply::new(503, &json!({})));
    let client = scripted(&script).build_blocking().unwrap();
    assert_eq!(client.get_stats().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(script.requests().len(), 3, "it was tried again");
}

#[test]
fn replies_that_hold_keys_can_be_created() {
    let joined = Joined::from_reply(&Reply::new(200, &json!({"api_key": KEY}))).unwrap();
    assert_eq!(joined.api_key.expose(), KEY);
    let session = json!({"access_token": "a token"});
    let session = OwnerSession::from_reply(&Reply::new(200, &session)).unwrap();
    assert_eq!(session.token.expose(), "a token");
    let raw = json!({"id": "n1", "event_type": "new_agent", "payload": {}, "created_at": null});
    let parked = ParkedNotification::new(raw.into(), "it failed");
    assert_eq!((parked.failures, &*parked.reason), (1, "it failed"));
    let summary = CallSummary::new("machins.get_wallet", CallOutcome::Success);
    assert_eq!(summary.operation, "machins.get_wallet");
    let reason = NotReached::new(TradeStatus::Completed, None);
    assert_eq!(reason.to_string(), "it could not be read");
}
