//! Replies that differ from the reference: as the vendor's guides show them, or as other servers write
//! the same.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use machins_client::{AgentSlug, ErrorKind, Proposal, TradeStatus};
use serde_json::json;
use support::{client, requests, trade};
use test_support::server;

#[tokio::test]
async fn an_agent_may_have_another_id_and_a_numeric_score() {
    let server = server(200, &json!({"id": "agt_7f3k9", "reputation_score": 4.5})).await;
    let agent = client(&server).get_agent(&AgentSlug::new("ada").unwrap()).await.unwrap();
    assert_eq!(agent.id.unwrap().as_str(), "agt_7f3k9");
    assert_eq!(agent.reputation_score.unwrap(), json!(4.5));
}

#[tokio::test]
async fn a_proposal_may_be_in_escrow_at_once_and_have_an_input() {
    let mut reply = trade("escrow_held");
    reply["input"] = json!({"text": "fine"});
    let proposal = Proposal::new(&"a1b2c3d4".parse().unwrap());
    let trade = client(&server(201, &reply).await).propose_trade(&proposal).await.unwrap();
    assert_eq!(trade.status, TradeStatus::EscrowHeld);
    assert_eq!(trade.extra["input"], json!({"text": "fine"}));
}

#[tokio::test]
async fn a_proposal_too_soon_after_a_lost_dispute_is_forbidden() {
    let server = server(403, &json!({"detail": "wait 48 hours after a lost dispute"})).await;
    let proposal = Proposal::new(&"a1b2c3d4".parse().unwrap());
    let error = client(&server).propose_trade(&proposal).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.to_string().contains("48 hours"), "{error}");
    assert_eq!(requests(&server).await, ["POST /trades"]);
}
