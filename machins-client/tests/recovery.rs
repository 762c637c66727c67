//! What the client does when the outcome of a call is unknown: nothing is lost, nothing is made
//! twice.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use machins_client::{
    Action, CallOptions, ErrorKind, EventType, ListingId, ListingType, ListingUpdate,
    MemoryIntentStore, Money, NewAgent, NewListing, NewReview, NewSubscription, Proposal, Rating,
    SubscriptionId, TradeStatus,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::{act, builder, client, listing, lost, once, reply, requests, trade, trade_id};
use wiremock::matchers::{method, path as path_is};
use wiremock::{Mock, MockServer, ResponseTemplate};

#[rstest]
#[case::accept(Action::Accept, "accept")]
#[case::reject(Action::Reject, "reject")]
#[case::cancel(Action::Cancel, "cancel")]
#[case::deliver(Action::Deliver, "deliver")]
#[case::confirm(Action::Confirm, "confirm")]
#[case::dispute(Action::Dispute, "dispute")]
#[tokio::test]
async fn an_action_takes_effect_once_if_its_reply_is_lost(
    #[case] action: Action,
    #[case] path: &str,
    #[values(true, false)] took_effect: bool,
) {
    let path = format!("/trades/t1r2a3d4/{path}");
    let server = MockServer::start().await;
    once(&server, "POST", &path, lost()).await;
    let status = if took_effect { action.to() } else { action.from() };
    once(&server, "GET", "/trades/t1r2a3d4", reply(&trade(status.as_str()))).await;
    if !took_effect {
        once(&server, "POST", &path, reply(&trade(action.to().as_str()))).await;
    }
    let trade = act(&client(&server), action, None).await.unwrap();
    assert_eq!(trade.status, action.to());
    assert_eq!(requests(&server).await.len(), if took_effect { 2 } else { 3 });
}

#[rstest]
#[case::accept(Action::Accept, "accept")]
#[case::confirm(Action::Confirm, "confirm")]
#[tokio::test]
async fn a_reply_about_another_trade_is_not_that_of_an_action(
    #[case] action: Action,
    #[case] path: &str,
) {
    let mut other = trade(action.to().as_str());
    other["id"] = json!("another");
    let server = MockServer::start().await;
    once(&server, "POST", &format!("/trades/t1r2a3d4/{path}"), reply(&other)).await;
    once(&server, "GET", "/trades/t1r2a3d4", reply(&trade(action.to().as_str()))).await;
    let done = act(&client(&server), action, None).await.unwrap();
    assert_eq!(done.id, trade_id());
}

/// A second copy of the reply to the action before, for example.
#[rstest]
#[case::deliver(Action::Deliver, "deliver")]
#[case::cancel(Action::Cancel, "cancel")]
#[tokio::test]
async fn a_reply_with_the_state_before_is_not_that_of_an_action(
    #[case] action: Action,
    #[case] path: &str,
) {
    let server = MockServer::start().await;
    once(&server, "POST", &format!("/trades/t1r2a3d4/{path}"), reply(&trade("escrow_held"))).await;
    once(&server, "GET", "/trades/t1r2a3d4", reply(&trade(action.to().as_str()))).await;
    let done = act(&client(&server), action, None).await.unwrap();
    assert_eq!(done.status, action.to());
}

#[tokio::test]
async fn a_reply_about_another_listing_is_not_that_of_a_proposal() {
    let mut other = trade("proposed");
    other["id"] = json!("another");
    other["listing_id"] = json!("another");
    let server = MockServer::start().await;
    once(&server, "POST", "/trades", reply(&other)).await;
    once(&server, "GET", "/trades", trades(&[other, with_reference("mine")])).await;
    let proposed = client(&server).propose_trade(&proposal()).await.unwrap();
    assert_eq!(proposed.id, trade_id());
}

#[tokio::test]
async fn a_reply_about_an_earlier_proposal_is_not_that_of_this_one() {
    let server = MockServer::start().await;
    once(&server, "POST", "/trades", reply(&with_reference("of another purchase"))).await;
    once(&server, "GET", "/trades", trades(&[with_reference("of another purchase")])).await;
    let error = client(&server).propose_trade(&proposal()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_reply_about_another_object_is_unreadable() {
    let server = MockServer::start().await;
    let id: ListingId = "another".parse().unwrap();
    for path in ["/listings/another", "/marketplace/another"] {
        Mock::given(method("GET"))
            .and(path_is(format!("/api/v1{path}")))
            .respond_with(reply(&listing()))
            .mount(&server)
            .await;
    }
    let client = client(&server);
    let found = client.get_listing(&id).await.map(drop);
    assert_eq!(found.unwrap_err().kind(), ErrorKind::UnreadableReply);
    let found = client.get_marketplace_listing(&id).await.map(drop);
    assert_eq!(found.unwrap_err().kind(), ErrorKind::UnreadableReply);
    // The case of a UUID means nothing.
    once(&server, "GET", "/listings/A1B2C3D4", reply(&listing())).await;
    client.get_listing(&"A1B2C3D4".parse().unwrap()).await.unwrap();
}

#[rstest]
#[case::later_state("delivered", Ok(TradeStatus::Delivered))]
#[case::other_state("rejected", Err(ErrorKind::InvalidTransition))]
#[case::unknown_state("frozen", Err(ErrorKind::OutcomeUnknown))]
#[tokio::test]
async fn the_state_of_the_trade_decides_what_became_of_an_action(
    #[case] state: &str,
    #[case] expected: Result<TradeStatus, ErrorKind>,
) {
    let server = MockServer::start().await;
    once(&server, "POST", "/trades/t1r2a3d4/accept", lost()).await;
    once(&server, "GET", "/trades/t1r2a3d4", reply(&trade(state))).await;
    let result = act(&client(&server), Action::Accept, None).await;
    assert_eq!(result.map(|trade| trade.status).map_err(|error| error.kind()), expected);
}

fn offer() -> NewListing {
    let price = Money::credits(50);
    NewListing::new("Sentiment Analysis", "sentiment-analysis", ListingType::Task, price)
        .tag("nlp")
        .tag("sentiment")
}

#[rstest]
#[case::as_requested(offer())]
// The service keeps a repeated tag once.
#[case::with_a_repeated_tag(offer().tag("nlp"))]
#[tokio::test]
async fn a_listing_that_was_created_is_found(#[case] new: NewListing) {
    let server = MockServer::start().await;
    once(&server, "POST", "/listings", lost()).await;
    once(&server, "GET", "/listings", reply(&json!([listing()]))).await;
    assert_eq!(client(&server).create_listing(&new).await.unwrap().id.as_str(), "a1b2c3d4");
    assert_eq!(requests(&server).await, ["POST /listings", "GET /listings"]);
}

#[tokio::test]
async fn an_empty_description_is_that_of_a_listing_without_one() {
    let mut created = listing();
    created["description"] = json!("");
    let server = MockServer::start().await;
    once(&server, "POST", "/listings", lost()).await;
    once(&server, "GET", "/listings", reply(&json!([created]))).await;
    assert_eq!(client(&server).create_listing(&offer()).await.unwrap().id.as_str(), "a1b2c3d4");
}

#[rstest]
#[case::another_price("price", json!("51.00"))]
#[case::accepted_at_once("auto_accept", json!(true))]
#[case::with_a_schema("input_schema", json!({"type": "object"}))]
#[case::deactivated("is_active", json!(false))]
#[tokio::test]
async fn a_listing_that_differs_is_not_the_one_that_was_created(
    #[case] field: &str,
    #[case] value: Value,
) {
    let mut other = listing();
    other[field] = value;
    let server = MockServer::start().await;
    once(&server, "POST", "/listings", lost()).await;
    once(&server, "GET", "/listings", reply(&json!([other]))).await;
    let error = client(&server).create_listing(&offer()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_change_of_a_listing_is_made_again_if_it_does_not_show() {
    let server = MockServer::start().await;
    let (path, id) = ("/listings/a1b2c3d4", "a1b2c3d4".parse().unwrap());
    once(&server, "PUT", path, lost()).await;
    once(&server, "GET", path, reply(&listing())).await;
    let mut changed = listing();
    changed["title"] = json!("Better");
    once(&server, "PUT", path, reply(&changed)).await;
    let update = ListingUpdate::new().title("Better");
    let found = client(&server).update_listing(&id, &update).await.unwrap();
    assert_eq!(found.title, "Better");
    assert_eq!(requests(&server).await.len(), 3);
}

#[tokio::test]
async fn a_listing_that_arrived_late_is_found_as_the_duplicate() {
    let server = MockServer::start().await;
    once(&server, "POST", "/listings", lost()).await;
    once(&server, "GET", "/listings", reply(&json!([]))).await;
    let duplicate = json!({"detail": "slug taken"});
    once(&server, "POST", "/listings", ResponseTemplate::new(409).set_body_json(duplicate)).await;
    once(&server, "GET", "/listings", reply(&json!([listing()]))).await;
    assert_eq!(client(&server).create_listing(&offer()).await.unwrap().slug, "sentiment-analysis");
}

/// A call was killed after it had sent the listing, and the next one is faster than that request.
#[tokio::test]
async fn a_listing_that_arrives_after_the_search_is_found() {
    let server = MockServer::start().await;
    let client = builder(&server).intent_store(MemoryIntentStore::new()).build().unwrap();
    let none = || reply(&json!([]));
    once(&server, "POST", "/listings", lost()).await;
    once(&server, "GET", "/listings", lost()).await;
    let error = client.clone().with(CallOptions::new().max_attempts(1));
    let error = error.create_listing_once("k", &offer()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    server.reset().await;

    once(&server, "GET", "/listings", none()).await;
    let duplicate = json!({"detail": "slug taken"});
    once(&server, "POST", "/listings", ResponseTemplate::new(409).set_body_json(duplicate)).await;
    once(&server, "GET", "/listings", reply(&json!([listing()]))).await;
    let created = client.create_listing_once("k", &offer()).await.unwrap();
    assert_eq!(created.id.as_str(), "a1b2c3d4");
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

/// A proposal whose metadata the service does not show.
fn without_metadata() -> Value {
    let mut trade = trade("proposed");
    trade["metadata"] = json!({});
    trade
}

#[rstest]
#[tokio::test]
async fn a_proposal_that_is_not_found_is_not_made_again(
    #[values(500, 503, 504)] status: u16,
    #[values(vec![], vec![trade("proposed")], vec![without_metadata()])] shown: Vec<Value>,
) {
    let server = MockServer::start().await;
    once(&server, "POST", "/trades", ResponseTemplate::new(status)).await;
    once(&server, "GET", "/trades", trades(&shown)).await;
    let error = client(&server).propose_trade(&proposal()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(error.to_string().contains("your trades"), "{error}");
    assert_eq!(requests(&server).await, ["POST /trades", "GET /trades"]);
}

#[tokio::test]
async fn every_page_of_trades_is_searched() {
    let server = MockServer::start().await;
    once(&server, "POST", "/trades", lost()).await;
    // One item a page, though 200 were requested, and only the total says that more follow.
    let first = reply(&json!({"items": [with_reference("other")], "total": 2, "limit": 1}));
    once(&server, "GET", "/trades", first).await;
    once(&server, "GET", "/trades", trades(&[with_reference("mine")])).await;
    client(&server).propose_trade(&proposal()).await.unwrap();
    let received = server.received_requests().await.unwrap();
    assert_eq!(received[2].url.query(), Some("offset=1&limit=200"));
}

#[tokio::test]
async fn each_proposal_gets_a_reference_of_its_own() {
    let server = test_support::server(200, &trade("proposed")).await;
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
fn review_by(author: &str) -> Value {
    json!({"id": "r1", "trade_id": "t1r2a3d4", "rating": 5, "body": "Fast",
        "reviewer_agent_id": author})
}

fn new_review() -> NewReview {
    NewReview::new(Rating::new(5).unwrap()).body("Fast")
}

const REVIEW: &str = "/trades/t1r2a3d4/review";

/// Answers the questions by which a review is found: who the caller is, which listing was traded
/// on, and which reviews the listing shows.
async fn show_reviews(server: &MockServer, reviews: &[Value]) {
    let wallet = json!({"agent_id": "buyer-uuid", "balance": "1.00", "held_balance": "0.00",
        "available_balance": "1.00"});
    once(server, "GET", "/wallets/me", reply(&wallet)).await;
    once(server, "GET", "/trades/t1r2a3d4", reply(&trade("completed"))).await;
    let mut detail = listing();
    detail["reviews"] = json!(reviews);
    once(server, "GET", "/marketplace/a1b2c3d4", reply(&detail)).await;
}

#[rstest]
#[case::lost(lost())]
#[case::empty(ResponseTemplate::new(204))]
#[tokio::test]
async fn a_review_that_was_left_is_found_by_its_author(#[case] answer: ResponseTemplate) {
    let server = MockServer::start().await;
    once(&server, "POST", REVIEW, answer).await;
    show_reviews(&server, &[review_by("seller-uuid"), review_by("buyer-uuid")]).await;
    let found = client(&server).create_review(&trade_id(), &new_review()).await.unwrap();
    assert_eq!(found.reviewer_agent_id.unwrap().as_str(), "buyer-uuid");
    assert_eq!(requests(&server).await.len(), 4);
}

#[rstest]
#[case::no_review(vec![])]
#[case::the_same_by_the_other_party(vec![review_by("seller-uuid")])]
#[tokio::test]
async fn a_review_that_is_not_found_is_left_again(#[case] shown: Vec<Value>) {
    let server = MockServer::start().await;
    once(&server, "POST", REVIEW, lost()).await;
    show_reviews(&server, &shown).await;
    once(&server, "POST", REVIEW, reply(&review_by("buyer-uuid"))).await;
    client(&server).create_review(&trade_id(), &new_review()).await.unwrap();
    assert_eq!(requests(&server).await.len(), 5);
}

fn slow_review() -> Value {
    let mut review = review_by("buyer-uuid");
    review["body"] = json!("Slow");
    review
}

#[rstest]
#[case::that_is_not_shown(vec![], ErrorKind::OutcomeUnknown)]
#[case::with_another_text(vec![slow_review()], ErrorKind::Conflict)]
#[tokio::test]
async fn a_duplicate_review_may_be_the_one_that_was_left(
    #[case] shown: Vec<Value>,
    #[case] kind: ErrorKind,
) {
    let server = MockServer::start().await;
    once(&server, "POST", REVIEW, lost()).await;
    show_reviews(&server, &shown).await;
    let duplicate = ResponseTemplate::new(409).set_body_json(json!({"detail": "reviewed"}));
    once(&server, "POST", REVIEW, duplicate).await;
    show_reviews(&server, &shown).await;
    let error = client(&server).create_review(&trade_id(), &new_review()).await.unwrap_err();
    assert_eq!(error.kind(), kind);
}

fn stopped() -> Value {
    let mut subscription = created();
    subscription["is_active"] = json!(false);
    subscription
}

/// A subscription with this time of creation and these filters.
fn subscription(created_at: &str, filters: &Value) -> Value {
    json!({"id": "s1", "event_type": "trade_proposed", "webhook_url": "https://a/b",
        "filters": filters, "created_at": created_at})
}

fn created() -> Value {
    subscription("2099-01-01T00:00:00Z", &json!({}))
}

fn older() -> Value {
    subscription("2020-01-01T00:00:00Z", &json!({}))
}

fn filtered() -> Value {
    subscription("2099-01-01T00:00:00Z", &json!({"listing_id": "l1"}))
}

fn new_subscription() -> NewSubscription {
    NewSubscription::new(EventType::TradeProposed, "https://a/b")
}

#[rstest]
#[case::lost(lost())]
#[case::empty(ResponseTemplate::new(204))]
#[tokio::test]
async fn a_subscription_that_was_created_is_found(#[case] answer: ResponseTemplate) {
    let server = MockServer::start().await;
    once(&server, "POST", "/subscriptions", answer).await;
    once(&server, "GET", "/subscriptions", reply(&json!([older(), filtered(), created()]))).await;
    let found = client(&server).subscribe(&new_subscription()).await.unwrap();
    assert_eq!(found.id.as_str(), "s1");
}

#[rstest]
#[case::none(json!([]))]
#[case::only_others(json!([older(), filtered()]))]
#[case::two_alike(json!([created(), created()]))]
#[case::stopped(json!([stopped()]))]
#[tokio::test]
async fn a_subscription_that_is_not_found_is_not_made_again(#[case] shown: Value) {
    let server = MockServer::start().await;
    once(&server, "POST", "/subscriptions", lost()).await;
    once(&server, "GET", "/subscriptions", reply(&shown)).await;
    let error = client(&server).subscribe(&new_subscription()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(requests(&server).await.len(), 2);
}

#[tokio::test]
async fn a_subscription_that_is_gone_after_a_lost_reply_has_ended() {
    let server = MockServer::start().await;
    once(&server, "DELETE", "/subscriptions/s1", lost()).await;
    let gone = ResponseTemplate::new(404).set_body_json(json!({"detail": "no such"}));
    once(&server, "DELETE", "/subscriptions/s1", gone).await;
    client(&server).unsubscribe(&SubscriptionId::new("s1").unwrap()).await.unwrap();
}

#[rstest]
#[case::alone(json!({"api_key": "at_fresh"}))]
#[case::among_unreadable_fields(json!({"api_key": "at_fresh", "starter_credits": [],
    "trust_tier": "starter", "agent_id": 7}))]
#[tokio::test]
async fn a_new_key_is_read_whatever_else_the_reply_holds(#[case] body: Value) {
    let server = test_support::server(201, &body).await;
    let joined = client(&server).join(&NewAgent::new("Ada", "ada")).await.unwrap();
    assert_eq!(joined.api_key.expose(), "at_fresh");
}

#[rstest]
#[case::no_reply(lost())]
#[case::an_unreadable_reply(reply(&json!({"api_key": ["at_fresh"]})))]
#[tokio::test]
async fn a_lost_join_says_that_the_key_is_lost(#[case] answer: ResponseTemplate) {
    let server = MockServer::start().await;
    once(&server, "POST", "/agents/onboard", answer).await;
    let error = client(&server).join(&NewAgent::new("Ada", "ada")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(error.to_string().contains("join under another slug"), "{error}");
    assert!(!format!("{error} {error:?}").contains("at_fresh"));
    assert_eq!(requests(&server).await.len(), 1);
}
