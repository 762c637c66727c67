//! Nothing lost, nothing twice: what the client does when the fate of a call is unknown.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use machins_client::{
    Action, Delivery, ErrorKind, EventType, ListingId, ListingType, Money, NewAgent, NewListing,
    NewReview, NewSubscription, Proposal, Rating, SubscriptionId, TradeId, TradeStatus,
};
use serde_json::{Value, json};
use support::{client, listing, lost, once, reply, requests, trade};
use wiremock::{MockServer, ResponseTemplate};

fn trade_id() -> TradeId {
    TradeId::new("t1r2a3d4").unwrap()
}

async fn act(
    server: &MockServer,
    action: Action,
) -> Result<machins_client::Trade, machins_client::Error> {
    let client = client(server);
    match action {
        Action::Accept => client.accept_trade(&trade_id()).await,
        Action::Reject => client.reject_trade(&trade_id(), None).await,
        Action::Cancel => client.cancel_trade(&trade_id(), None).await,
        Action::Deliver => client.deliver_trade(&trade_id(), &Delivery::task("done")).await,
        Action::Confirm => client.confirm_trade(&trade_id()).await,
        Action::Dispute => client.dispute_trade(&trade_id(), None).await,
        _ => unreachable!(),
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Accept => "accept",
        Action::Reject => "reject",
        Action::Cancel => "cancel",
        Action::Deliver => "deliver",
        Action::Confirm => "confirm",
        _ => "dispute",
    }
}

#[tokio::test]
async fn a_transition_takes_effect_once_wherever_its_reply_was_lost() {
    for action in Action::ALL {
        let path = format!("/trades/t1r2a3d4/{}", verb(action));
        // It happened.
        let server = MockServer::start().await;
        once(&server, "POST", &path, lost()).await;
        once(&server, "GET", "/trades/t1r2a3d4", reply(&trade(action.to().as_str()))).await;
        assert_eq!(act(&server, action).await.unwrap().status, action.to());
        assert_eq!(requests(&server).await.len(), 2, "it was not sent again");

        // It did not.
        let server = MockServer::start().await;
        once(&server, "POST", &path, lost()).await;
        once(&server, "GET", "/trades/t1r2a3d4", reply(&trade(action.from().as_str()))).await;
        once(&server, "POST", &path, reply(&trade(action.to().as_str()))).await;
        assert_eq!(act(&server, action).await.unwrap().status, action.to());
        assert_eq!(requests(&server).await.len(), 3);
    }
}

#[tokio::test]
async fn a_transition_that_others_have_gone_beyond_has_happened() {
    let server = MockServer::start().await;
    once(&server, "POST", "/trades/t1r2a3d4/accept", lost()).await;
    once(&server, "GET", "/trades/t1r2a3d4", reply(&trade("delivered"))).await;
    assert_eq!(act(&server, Action::Accept).await.unwrap().status, TradeStatus::Delivered);
}

#[tokio::test]
async fn a_trade_that_went_elsewhere_is_an_error_and_an_unknown_state_a_doubt() {
    for (state, kind) in
        [("rejected", ErrorKind::InvalidTransition), ("frozen", ErrorKind::OutcomeUnknown)]
    {
        let server = MockServer::start().await;
        once(&server, "POST", "/trades/t1r2a3d4/accept", lost()).await;
        once(&server, "GET", "/trades/t1r2a3d4", reply(&trade(state))).await;
        assert_eq!(act(&server, Action::Accept).await.unwrap_err().kind(), kind);
    }
}

fn offer() -> NewListing {
    let price = Money::credits(50);
    NewListing::new("Sentiment Analysis", "sentiment-analysis", ListingType::Task, price)
        .tag("nlp")
        .tag("sentiment")
}

#[tokio::test]
async fn a_listing_is_made_once() {
    let server = MockServer::start().await;
    once(&server, "POST", "/listings", lost()).await;
    once(&server, "GET", "/listings", reply(&json!([listing()]))).await;
    assert_eq!(client(&server).create_listing(&offer()).await.unwrap().id.as_str(), "a1b2c3d4");
    assert_eq!(requests(&server).await, ["POST /listings", "GET /listings"]);

    // The service keeps a tag that is given twice once.
    let server = MockServer::start().await;
    once(&server, "POST", "/listings", lost()).await;
    once(&server, "GET", "/listings", reply(&json!([listing()]))).await;
    client(&server).create_listing(&offer().tag("nlp")).await.unwrap();

    // One of the same slug that is not what was asked for is not it, nor one taken down.
    for (field, value) in [("price", json!("51.00")), ("is_active", json!(false))] {
        let mut other = listing();
        other[field] = value;
        let server = MockServer::start().await;
        once(&server, "POST", "/listings", lost()).await;
        once(&server, "GET", "/listings", reply(&json!([other]))).await;
        let duplicate = json!({"detail": "slug taken", "error": {"code": "DUPLICATE"}});
        once(&server, "POST", "/listings", ResponseTemplate::new(409).set_body_json(duplicate))
            .await;
        once(&server, "GET", "/listings", reply(&json!([other]))).await;
        let error = client(&server).create_listing(&offer()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{field}");
    }
}

#[tokio::test]
async fn a_listing_that_arrived_late_is_the_duplicate() {
    let server = MockServer::start().await;
    once(&server, "POST", "/listings", lost()).await;
    once(&server, "GET", "/listings", reply(&json!([]))).await;
    let duplicate = json!({"detail": "slug taken"});
    once(&server, "POST", "/listings", ResponseTemplate::new(409).set_body_json(duplicate)).await;
    once(&server, "GET", "/listings", reply(&json!([listing()]))).await;
    assert_eq!(client(&server).create_listing(&offer()).await.unwrap().slug, "sentiment-analysis");
}

fn proposal() -> Proposal {
    Proposal::new(&ListingId::new("a1b2c3d4").unwrap())
        .terms("Need JSON format output")
        .metadata("client_reference", "mine")
}

fn trades(items: &[Value]) -> ResponseTemplate {
    reply(&json!({"items": items, "total": items.len(), "offset": 0, "limit": 200,
        "has_more": false}))
}

fn with_reference(reference: &str) -> Value {
    let mut trade = trade("proposed");
    trade["metadata"] = json!({"client_reference": reference});
    trade
}

#[tokio::test]
async fn a_proposal_is_found_by_its_reference() {
    let server = MockServer::start().await;
    once(&server, "POST", "/trades", lost()).await;
    let mut found = with_reference("mine");
    found["id"] = json!("found");
    once(&server, "GET", "/trades", trades(&[with_reference("other"), found])).await;
    assert_eq!(client(&server).propose_trade(&proposal()).await.unwrap().id.as_str(), "found");
    assert_eq!(requests(&server).await, ["POST /trades", "GET /trades"]);
}

#[tokio::test]
async fn a_proposal_that_is_not_found_is_not_made_again() {
    // However it broke, the first may still be on its way; and a service may hide the metadata.
    let mut hidden = trade("proposed");
    hidden["metadata"] = json!({});
    for doubt in [500, 503, 504] {
        for seen in [vec![], vec![trade("proposed")], vec![hidden.clone()]] {
            let server = MockServer::start().await;
            once(&server, "POST", "/trades", ResponseTemplate::new(doubt)).await;
            once(&server, "GET", "/trades", trades(&seen)).await;
            let error = client(&server).propose_trade(&proposal()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
            assert!(error.to_string().contains("your trades"), "{error}");
            assert_eq!(requests(&server).await, ["POST /trades", "GET /trades"]);
        }
    }
}

#[tokio::test]
async fn every_page_of_trades_is_searched() {
    let server = MockServer::start().await;
    once(&server, "POST", "/trades", lost()).await;
    // One a page, though two hundred were asked for, and only the total says so.
    let first = reply(&json!({"items": [with_reference("other")], "total": 2, "limit": 1}));
    once(&server, "GET", "/trades", first).await;
    once(&server, "GET", "/trades", trades(&[with_reference("mine")])).await;
    client(&server).propose_trade(&proposal()).await.unwrap();
    let received = server.received_requests().await.unwrap();
    assert_eq!(received[2].url.query(), Some("offset=1&limit=200"));
}

#[tokio::test]
async fn proposals_get_references_of_their_own() {
    let server = support::server(200, &trade("proposed")).await;
    let client = client(&server);
    let proposal = Proposal::new(&ListingId::new("a1b2c3d4").unwrap());
    client.propose_trade(&proposal).await.unwrap();
    client.propose_trade(&proposal).await.unwrap();
    let references: Vec<Value> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|request| {
            request.body_json::<Value>().unwrap()["metadata"]["client_reference"].clone()
        })
        .collect();
    assert!(references[0].is_string());
    assert_ne!(references[0], references[1]);
}

/// A review of the trade by this agent.
fn written(author: &str) -> Value {
    json!({"id": "r1", "trade_id": "t1r2a3d4", "rating": 5, "body": "Fast",
        "reviewer_agent_id": author})
}

/// What is looked at when the fate of a review is unknown: who the caller is, and what reviews
/// the listing shows.
async fn looked_at(server: &MockServer, reviews: &[Value]) {
    let wallet = json!({"agent_id": "buyer-uuid", "balance": "1.00", "held_balance": "0.00",
        "available_balance": "1.00"});
    once(server, "GET", "/wallets/me", reply(&wallet)).await;
    once(server, "GET", "/trades/t1r2a3d4", reply(&trade("completed"))).await;
    let mut detail = listing();
    detail["reviews"] = json!(reviews);
    once(server, "GET", "/marketplace/a1b2c3d4", reply(&detail)).await;
}

#[tokio::test]
async fn a_review_is_left_once() {
    let review = NewReview::new(Rating::new(5).unwrap()).body("Fast");
    let at = "/trades/t1r2a3d4/review";
    let server = MockServer::start().await;
    once(&server, "POST", at, lost()).await;
    looked_at(&server, &[written("seller-uuid"), written("buyer-uuid")]).await;
    let found = client(&server).create_review(&trade_id(), &review).await.unwrap();
    assert_eq!(found.reviewer_agent_id.unwrap().as_str(), "buyer-uuid");
    assert_eq!(requests(&server).await.len(), 4);

    // The other party's, however alike, is not one's own.
    for reviews in [vec![], vec![written("seller-uuid")]] {
        let server = MockServer::start().await;
        once(&server, "POST", at, lost()).await;
        looked_at(&server, &reviews).await;
        once(&server, "POST", at, reply(&written("buyer-uuid"))).await;
        client(&server).create_review(&trade_id(), &review).await.unwrap();
        assert_eq!(requests(&server).await.len(), 5);
    }
}

#[tokio::test]
async fn a_review_that_is_refused_as_a_duplicate_and_not_shown_may_be_the_one() {
    let review = NewReview::new(Rating::new(5).unwrap()).body("Fast");
    let mut other = written("buyer-uuid");
    other["body"] = json!("Slow");
    for (shown, kind) in [(vec![], ErrorKind::OutcomeUnknown), (vec![other], ErrorKind::Conflict)] {
        let server = MockServer::start().await;
        once(&server, "POST", "/trades/t1r2a3d4/review", lost()).await;
        looked_at(&server, &shown).await;
        let duplicate = ResponseTemplate::new(409).set_body_json(json!({"detail": "reviewed"}));
        once(&server, "POST", "/trades/t1r2a3d4/review", duplicate).await;
        looked_at(&server, &shown).await;
        let error = client(&server).create_review(&trade_id(), &review).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{shown:?}");
    }
}

#[tokio::test]
async fn a_subscription_is_made_once_and_ended_once() {
    let made = json!({"id": "s1", "event_type": "trade_proposed", "webhook_url": "https://a/b",
        "filters": {}, "created_at": "2099-01-01T00:00:00Z"});
    let mut old = made.clone();
    old["created_at"] = json!("2020-01-01T00:00:00Z");
    let mut other = made.clone();
    other["filters"] = json!({"listing_id": "l1"});
    let server = MockServer::start().await;
    once(&server, "POST", "/subscriptions", lost()).await;
    once(&server, "GET", "/subscriptions", reply(&json!([old, other, made]))).await;
    let new = NewSubscription::new(EventType::TradeProposed, "https://a/b");
    assert_eq!(client(&server).subscribe(&new).await.unwrap().id.as_str(), "s1");

    for unclear in [json!([]), json!([old, other]), json!([made, made])] {
        let server = MockServer::start().await;
        once(&server, "POST", "/subscriptions", lost()).await;
        once(&server, "GET", "/subscriptions", reply(&unclear)).await;
        let error = client(&server).subscribe(&new).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{unclear}");
        assert_eq!(requests(&server).await.len(), 2, "it is not made again");
    }

    let server = MockServer::start().await;
    once(&server, "DELETE", "/subscriptions/s1", lost()).await;
    let gone = ResponseTemplate::new(404).set_body_json(json!({"detail": "no such"}));
    once(&server, "DELETE", "/subscriptions/s1", gone).await;
    client(&server).unsubscribe(&SubscriptionId::new("s1").unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_key_is_not_lost_for_the_sake_of_anything_beside_it() {
    for beside in
        [json!({}), json!({"starter_credits": [], "trust_tier": "starter", "agent_id": 7})]
    {
        let mut body = json!({"api_key": "at_fresh"});
        body.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        let server = support::server(201, &body).await;
        let joined = client(&server).join(&NewAgent::new("Ada", "ada")).await.unwrap();
        assert_eq!(joined.api_key.expose(), "at_fresh");
    }
}

#[tokio::test]
async fn a_lost_join_says_that_the_key_is_lost() {
    for answer in [lost(), reply(&json!({"api_key": ["at_fresh"]}))] {
        let server = MockServer::start().await;
        once(&server, "POST", "/agents/onboard", answer).await;
        let error = client(&server).join(&NewAgent::new("Ada", "ada")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
        assert!(error.to_string().contains("join under another slug"), "{error}");
        assert!(!format!("{error} {error:?}").contains("at_fresh"));
        assert_eq!(requests(&server).await.len(), 1);
    }
}
