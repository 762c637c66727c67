//! Replies that differ from the reference: as the vendor's guides show them, or as other servers write
//! the same.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use machins_client::{
    AgentSlug, Claim, Document, ErrorKind, InboxQuery, Listing, ListingUpdate, MarketplaceListing,
    MarketplaceQuery, Money, Notification, PageQuery, Proposal, Review, Secret, Subscription,
    TradeQuery, TradeStatus, Transaction,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::{client, listing, once, reply, requests, trade};
use test_support::server;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

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

/// What the reference shows in samples alone may be missing, in one item as in a list of them.
#[tokio::test]
async fn what_only_samples_show_may_be_missing() {
    let bare = json!({"id": "t1", "listing_id": "a1b2c3d4", "status": "proposed"});
    let server = server(200, &json!({"items": [bare]})).await;
    let trades = client(&server).list_trades(&TradeQuery::new()).await.unwrap().items;
    let [trade] = &trades[..] else { panic!("{trades:?}") };
    assert_eq!((&trade.buyer_agent_id, &trade.seller_agent_id, trade.price), (&None, &None, None));
    assert_eq!(trade.role_of(&"ada".parse().unwrap()), None);
    assert_eq!(serde_json::to_value(trade).unwrap()["price"], Value::Null);

    let entry: Transaction = serde_json::from_value(json!({"id": "e1"})).unwrap();
    assert_eq!((entry.entry_type, entry.amount), (None, None));
    let review: Review = serde_json::from_value(json!({"body": "Fast"})).unwrap();
    assert_eq!((review.id, review.rating), (None, None));
    let subscription: Subscription = serde_json::from_value(json!({"id": "s1"})).unwrap();
    assert_eq!((subscription.event_type, subscription.webhook_url), (None, None));
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

#[rstest]
#[case::no_content(204, "")]
#[case::empty(200, "")]
#[case::a_line_break(200, "\n")]
#[tokio::test]
async fn a_success_without_a_documented_body_may_be_empty(#[case] status: u16, #[case] body: &str) {
    let server = MockServer::start().await;
    let empty = ResponseTemplate::new(status).set_body_string(body);
    Mock::given(any()).respond_with(empty).mount(&server).await;
    let client = client(&server);
    let claim = Claim::new(&Secret::new("TOKEN"), "a@b.example", Secret::new("securepassword"));
    let replies = [
        client.ack_inbox(&["n1".parse().unwrap()]).await.unwrap().reply,
        client.ack_all_inbox().await.unwrap().reply,
        client.unsubscribe(&"s1".parse().unwrap()).await.unwrap().reply,
        client.deactivate_listing(&"a1b2c3d4".parse().unwrap()).await.unwrap().reply,
        client.claim(&claim).await.unwrap().reply,
    ];
    assert_eq!(replies, [(); 5].map(|()| Document::default()));
    assert_eq!(requests(&server).await.len(), 5, "each was sent once");
}

#[rstest]
#[case::no_content(ResponseTemplate::new(204))]
#[case::another_body(reply(&json!({"message": "updated"})))]
#[tokio::test]
async fn a_listing_that_was_changed_is_read(#[case] answer: ResponseTemplate) {
    let server = MockServer::start().await;
    once(&server, "PUT", "/listings/a1b2c3d4", answer).await;
    once(&server, "GET", "/listings/a1b2c3d4", reply(&listing())).await;
    let update = ListingUpdate::new().price(Money::credits(50)).tags(["nlp", "sentiment"]);
    let id = "a1b2c3d4".parse().unwrap();
    let changed = client(&server).update_listing(&id, &update).await.unwrap();
    assert_eq!(changed.price, Money::credits(50));
    assert_eq!(requests(&server).await, ["PUT /listings/a1b2c3d4", "GET /listings/a1b2c3d4"]);
}

#[tokio::test]
async fn a_list_that_is_null_is_empty() {
    let server = server(200, &json!({"items": null, "total": null, "has_more": null})).await;
    let client = client(&server);
    assert_eq!(client.browse(&MarketplaceQuery::new()).await.unwrap().items, []);
    assert_eq!(client.list_trades(&TradeQuery::new()).await.unwrap().items, []);
    assert_eq!(client.list_inbox(&InboxQuery::new()).await.unwrap().items, []);
    assert_eq!(client.list_transactions(&PageQuery::new()).await.unwrap().items, []);
}

#[rstest]
#[case::nothing(json!({}), None)]
#[case::null(json!({"total_agents": null, "total_volume": null, "trades_by_type": null}), None)]
#[case::thousandths(json!({"total_agents": 3, "total_volume": "12.345"}), Some(3))]
#[case::other_shapes(json!({"total_agents": 3, "total_trades": "many", "trades_by_type": []}), Some(3))]
#[tokio::test]
async fn statistics_are_read_as_far_as_they_can_be(
    #[case] reply: Value,
    #[case] total_agents: Option<u64>,
) {
    let stats = client(&server(200, &reply).await).get_stats().await.unwrap();
    assert_eq!((stats.total_agents, stats.total_volume), (total_agents, None));
    for name in ["total_volume", "total_trades"].into_iter().filter(|name| !reply[name].is_null()) {
        assert_eq!(stats.extra[name], reply[name], "what cannot be read is kept");
    }
}

#[tokio::test]
async fn a_page_without_items_is_not_an_empty_one() {
    let server = server(200, &json!({"detail": "maintenance"})).await;
    let error = client(&server).list_trades(&TradeQuery::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnreadableReply);
}

#[test]
fn a_list_or_flag_of_an_item_that_is_null_is_missing() {
    let notification = json!({"id": "n1", "event_type": "match_found", "is_read": null});
    assert!(!serde_json::from_value::<Notification>(notification).unwrap().is_read);
    let mut listing = listing();
    (listing["tags"], listing["is_active"], listing["bounty_held"]) = Default::default();
    let own: Listing = serde_json::from_value(listing.clone()).unwrap();
    assert_eq!((own.tags.len(), own.is_active, own.bounty_held), (0, None, None));
    (listing["reviews"], listing["seller"]) = (Value::Null, json!({"capabilities": null}));
    let found: MarketplaceListing = serde_json::from_value(listing).unwrap();
    assert_eq!((found.tags.len(), found.reviews), (0, None));
    assert_eq!(found.seller.unwrap().capabilities, [""; 0]);
}
