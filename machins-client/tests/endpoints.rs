//! Every endpoint of the reference: what is sent, with which key, and how the reply is read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use machins_client::{
    Action, AgentSlug, AgentType, Claim, Client, Delivery, Error, ErrorKind, Event, EventType,
    InboxQuery, ListingId, ListingType, ListingUpdate, MarketplaceFilter, MarketplaceQuery, Money,
    NewAgent, NewListing, NewReview, NewSubscription, NotificationId, PageQuery, Proposal, Rating,
    Role, Secret, Side, Sort, SubscriptionId, TradeId, TradeQuery, TradeStatus,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::{KEY, TOKEN, act, client, listing, trade, trade_id};
use test_support::server;
use wiremock::MockServer;

/// The one request that a server received: method, path with query, body, key.
struct Sent {
    call: String,
    body: Value,
    key: &'static str,
}

async fn sent(server: &MockServer) -> Sent {
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let api_key = request.headers.get("x-api-key").map(|key| key.to_str().unwrap());
    let token = request.headers.get("authorization").map(|token| token.to_str().unwrap());
    let key = match (api_key, token) {
        (None, None) => "none",
        (Some(KEY), None) => "API key",
        (None, Some(token)) if token == format!("Bearer {TOKEN}") => "owner token",
        other => panic!("{other:?}"),
    };
    Sent {
        call: format!("{} {}{query}", request.method, request.url.path()),
        body: serde_json::from_slice(&request.body).unwrap_or(Value::Null),
        key,
    }
}

/// Makes a call to a server that sends `reply`, and checks what was sent.
async fn check<R>(
    reply: Value,
    make: impl AsyncFnOnce(Client) -> Result<R, Error>,
    call: &str,
    key: &str,
    body: Value,
) -> R {
    let server = server(200, &reply).await;
    let result = make(client(&server)).await.unwrap_or_else(|error| panic!("{call}: {error:?}"));
    let sent = sent(&server).await;
    let (method, path) = call.split_once(' ').unwrap();
    assert_eq!(sent.call, format!("{method} /api/v1{path}"));
    assert_eq!(sent.key, key, "{call}");
    assert_eq!(sent.body, body, "{call}");
    result
}

fn listing_id() -> ListingId {
    ListingId::new("a1b2c3d4").unwrap()
}

#[tokio::test]
async fn join_sends_the_profile_and_hides_the_secrets() {
    let reply = json!({
        "agent_id": "uuid",
        "agent_slug": "your-agent-slug",
        "api_key": "at_fresh",
        "starter_credits": 500,
        "claim_url": "/claim/TOKEN",
        "trust_tier": {"current": "starter", "max_trade_size": 100,
            "upgrade_action": "POST /api/v1/claim/<token>"},
        "matching_requests": []
    });
    let agent = NewAgent::new("Your Agent Name", "your-agent-slug")
        .description("What you do and what you offer.")
        .agent_type(AgentType::Custom)
        .capability("nlp")
        .capability("data-analysis");
    let body = json!({
        "name": "Your Agent Name",
        "slug": "your-agent-slug",
        "description": "What you do and what you offer.",
        "agent_type": "custom",
        "capabilities": ["nlp", "data-analysis"]
    });
    let call = "POST /agents/onboard";
    let joined = check(reply, async |c| c.join(&agent).await, call, "none", body).await;
    assert_eq!(joined.api_key.expose(), "at_fresh");
    assert_eq!(joined.claim_url.as_ref().unwrap().expose(), "/claim/TOKEN");
    assert_eq!(joined.starter_credits, Some(Money::credits(500)));
    assert_eq!(joined.trust_tier.as_ref().unwrap().max_trade_size, Some(Money::credits(100)));
    assert_eq!(joined.extra["matching_requests"], json!([]));
    let shown = format!("{joined:?}");
    assert!(!shown.contains("at_fresh") && !shown.contains("TOKEN"), "{shown}");
}

#[rstest]
#[case::a_path("/claim/TOKEN")]
#[case::a_url("https://machins.co/claim/TOKEN/")]
#[case::the_token_alone("TOKEN")]
#[tokio::test]
async fn claim_takes_a_token_or_the_url_that_holds_it(#[case] token: &str) {
    let password = Secret::new("securepassword");
    let claim = Claim::new(&Secret::new(token), "human@example.com", password).name("Alice");
    let body = json!({"email": "human@example.com", "password": "securepassword", "name": "Alice"});
    let reply = json!({"message": "claimed"});
    check(reply, async |c| c.claim(&claim).await, "POST /claim/TOKEN", "none", body).await;
}

fn marketplace_listing() -> Value {
    json!({
        "id": "785c40a1", "seller_agent_id": "3eb37a3c", "seller_agent_name": "PixelMind",
        "seller_agent_slug": "pixelmind", "seller_reputation_score": "0.00",
        "title": "Image Analysis & Tagging", "slug": "pm-image-analysis",
        "description": "Send images, get labels + confidence scores.", "listing_type": "task",
        "price": "45.00", "currency": "CREDIT", "tags": ["images", "cv", "tagging"],
        "side": "offer", "completed_trades": 12, "bounty_held": false, "expires_at": null,
        "created_at": "2026-02-28T14:30:00Z"
    })
}

#[tokio::test]
async fn browse_sends_every_filter() {
    let page = json!({"items": [marketplace_listing()], "total": 87, "offset": 0, "limit": 50,
        "has_more": true});
    let query = MarketplaceQuery::new()
        .listing_type(ListingType::Task)
        .side(Side::Offer)
        .tag("images")
        .tag("cv")
        .min_price("0.50".parse().unwrap())
        .max_price(Money::credits(45))
        .search("a&b c")
        .sort(Sort::PriceAscending)
        .offset(10)
        .limit(50);
    let call = "GET /marketplace?listing_type=task&side=offer&tags=images%2Ccv&min_price=0.50\
        &max_price=45.00&search=a%26b+c&sort=price_asc&offset=10&limit=50";
    let page = check(page, async |c| c.browse(&query).await, call, "none", Value::Null).await;
    assert_eq!((page.total, page.has_more), (Some(87), Some(true)));
    assert_eq!(page.items[0].price, Money::credits(45));
    assert_eq!(page.items[0].completed_trades, Some(12));
}

#[tokio::test]
async fn browse_sends_no_filter_that_is_not_set() {
    let query = MarketplaceQuery::from(MarketplaceFilter {
        search: Some("nlp".into()),
        min_price: None,
        ..Default::default()
    });
    let page = json!({"items": []});
    let browse = async |c: Client| c.browse(&query).await;
    check(page.clone(), browse, "GET /marketplace?search=nlp", "none", Value::Null).await;
    let browse = async |c: Client| c.browse(&MarketplaceQuery::new()).await;
    check(page, browse, "GET /marketplace", "none", Value::Null).await;
}

#[tokio::test]
async fn get_marketplace_listing_has_reviews_and_seller() {
    let mut reply = marketplace_listing();
    reply["reviews"] = json!([{"id": "r1", "rating": 5, "trade_id": "t1"}]);
    reply["seller"] = json!({"id": "3eb37a3c", "slug": "pixelmind", "badges": ["fast"]});
    let id = ListingId::new("785c40a1").unwrap();
    let get = async |c: Client| c.get_marketplace_listing(&id).await;
    let listing = check(reply, get, "GET /marketplace/785c40a1", "none", Value::Null).await;
    assert_eq!(listing.reviews.unwrap()[0].rating, Some(5));
    assert_eq!(listing.seller.unwrap().extra["badges"], json!(["fast"]));
}

#[tokio::test]
async fn create_listing_sends_every_field() {
    let new = NewListing::new(
        "Sentiment Analysis",
        "sentiment-analysis",
        ListingType::Task,
        Money::credits(50),
    )
    .description("Send text, get sentiment + confidence.")
    .tag("nlp")
    .tag("sentiment")
    .input_schema(json!({"type": "object"}))
    .output_schema(json!({"type": "object"}))
    .expires_in_hours(24);
    let body = json!({
        "title": "Sentiment Analysis", "slug": "sentiment-analysis", "listing_type": "task",
        "side": "offer", "price": "50.00", "description": "Send text, get sentiment + confidence.",
        "tags": ["nlp", "sentiment"], "input_schema": {"type": "object"},
        "output_schema": {"type": "object"}, "expires_in_hours": 24
    });
    let create = async |c: Client| c.create_listing(&new).await;
    let created = check(listing(), create, "POST /listings", "API key", body).await;
    assert_eq!(created.price, Money::credits(50));
    let mut back = serde_json::to_value(&created).unwrap();
    back["expires_at"] = Value::Null;
    assert_eq!(back, listing(), "nothing of the reply is lost");
}

#[tokio::test]
async fn list_listings_returns_them_all() {
    let list = async |c: Client| c.list_listings().await;
    let all = check(json!([listing()]), list, "GET /listings", "API key", Value::Null).await;
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn get_listing_asks_for_its_id() {
    let get = async |c: Client| c.get_listing(&listing_id()).await;
    check(listing(), get, "GET /listings/a1b2c3d4", "API key", Value::Null).await;
}

#[tokio::test]
async fn update_listing_sends_only_what_changes() {
    let update = ListingUpdate::new().price(Money::credits(60)).field("max_concurrent_trades", 3);
    let body = json!({"price": "60.00", "max_concurrent_trades": 3});
    let put = async |c: Client| c.update_listing(&listing_id(), &update).await;
    check(listing(), put, "PUT /listings/a1b2c3d4", "API key", body).await;
}

#[tokio::test]
async fn deactivate_listing_deletes_it() {
    let delete = async |c: Client| c.deactivate_listing(&listing_id()).await;
    check(listing(), delete, "DELETE /listings/a1b2c3d4", "API key", Value::Null).await;
}

#[tokio::test]
async fn propose_trade_sends_every_field() {
    let proposal = Proposal::new(&listing_id())
        .terms("Optional message to the counterparty")
        .metadata("client_reference", "mine")
        .verification_url("https://agent.example/verify");
    let body = json!({
        "listing_id": "a1b2c3d4", "terms": "Optional message to the counterparty",
        "metadata": {"client_reference": "mine"},
        "verification_url": "https://agent.example/verify"
    });
    let propose = async |c: Client| c.propose_trade(&proposal).await;
    let proposed = check(trade("proposed"), propose, "POST /trades", "API key", body).await;
    assert_eq!(proposed.status, TradeStatus::Proposed);
    assert_eq!(proposed.role_of(proposed.seller_agent_id.as_ref().unwrap()), Some(Role::Seller));
}

#[tokio::test]
async fn list_trades_sends_every_filter() {
    let query = TradeQuery::new().role(Role::Buyer).status(TradeStatus::EscrowHeld).limit(5);
    let page = json!({"items": [trade("proposed")], "total": 1, "offset": 0, "limit": 5,
        "has_more": false});
    let list = async |c: Client| c.list_trades(&query).await;
    let call = "GET /trades?role=buyer&status=escrow_held&limit=5";
    check(page, list, call, "API key", Value::Null).await;
}

#[tokio::test]
async fn get_trade_takes_a_status_that_is_new() {
    let get = async |c: Client| c.get_trade(&trade_id()).await;
    let trade = trade("new_state");
    let trade = check(trade, get, "GET /trades/t1r2a3d4", "API key", Value::Null).await;
    assert_eq!(trade.status.as_str(), "new_state");
}

#[rstest]
#[case::accept(Action::Accept, "accept", json!({}))]
#[case::reject(Action::Reject, "reject", json!({"reason": "no time"}))]
#[case::cancel(Action::Cancel, "cancel", json!({"reason": "no time"}))]
#[case::deliver(Action::Deliver, "deliver", json!({"payload": {"result": "done"}}))]
#[case::confirm(Action::Confirm, "confirm", json!({}))]
#[case::dispute(Action::Dispute, "dispute", json!({"reason": "no time"}))]
#[tokio::test]
async fn an_action_posts_to_its_path(
    #[case] action: Action,
    #[case] path: &str,
    #[case] body: Value,
) {
    let act = async |c: Client| act(&c, action, Some("no time")).await;
    let call = format!("POST /trades/t1r2a3d4/{path}");
    let after = trade(action.to().as_str());
    assert_eq!(check(after, act, &call, "API key", body).await.status, action.to());
}

#[rstest]
#[case::task(Delivery::task("r"), ListingType::Task, json!({"payload": {"result": "r"}}))]
#[case::data(
    Delivery::data([json!(1)]),
    ListingType::Data,
    json!({"payload": {"data": [1]}})
)]
#[case::api(
    Delivery::api("https://api.example", json!({"k": "v"})),
    ListingType::Api,
    json!({"endpoint_url": "https://api.example", "credentials": {"k": "v"}})
)]
#[case::model(
    Delivery::model("https://model.example", json!({})),
    ListingType::Model,
    json!({"endpoint_url": "https://model.example", "credentials": {}})
)]
#[case::asset(
    Delivery::asset("0x1"),
    ListingType::Asset,
    json!({"transaction_proof": {"tx_id": "0x1"}})
)]
fn a_delivery_has_what_its_type_requires(
    #[case] delivery: Delivery,
    #[case] listing_type: ListingType,
    #[case] body: Value,
) {
    assert_eq!(serde_json::to_value(&delivery).unwrap(), body);
    assert_eq!(delivery.listing_type(), Some(&listing_type));
}

#[test]
fn a_delivery_does_not_show_its_credentials() {
    let access = Delivery::api("https://api.example", json!({"token": "hush"}));
    assert!(!format!("{access:?}").contains("hush"));
}

#[tokio::test]
async fn create_review_sends_rating_and_text() {
    let review = NewReview::new(Rating::new(5).unwrap()).body("Fast delivery, clean data format.");
    let reply = json!({"id": "r1", "trade_id": "t1r2a3d4", "rating": 5, "body": null});
    let body = json!({"rating": 5, "body": "Fast delivery, clean data format."});
    let create = async |c: Client| c.create_review(&trade_id(), &review).await;
    check(reply, create, "POST /trades/t1r2a3d4/review", "API key", body).await;
}

#[tokio::test]
async fn get_wallet_reads_amounts_of_any_notation() {
    let reply = json!({"id": "w", "agent_id": "a", "balance": "500.00", "held_balance": 50,
        "available_balance": 450.5, "currency": "CREDIT", "version": 3,
        "created_at": "2026-03-01T12:00:00Z"});
    let get = async |c: Client| c.get_wallet().await;
    let wallet = check(reply, get, "GET /wallets/me", "API key", Value::Null).await;
    assert_eq!(wallet.balance, Money::credits(500));
    assert_eq!(wallet.held_balance, Money::credits(50));
    assert_eq!(wallet.available_balance.to_string(), "450.50");
}

#[tokio::test]
async fn list_transactions_asks_for_one_page() {
    let entry = json!({"id": "e1", "transaction_id": "x1", "entry_type": "debit",
        "amount": "50.00", "balance_after": "450.00", "category": "escrow_hold"});
    let page = json!({"items": [entry], "total": 1, "offset": 5, "limit": 10, "has_more": false});
    let query = PageQuery::new().offset(5).limit(10);
    let get = async |c: Client| c.list_transactions(&query).await;
    let call = "GET /wallets/transactions?offset=5&limit=10";
    let page = check(page, get, call, "API key", Value::Null).await;
    assert_eq!(page.items[0].balance_after, Some(Money::credits(450)));
}

#[tokio::test]
async fn list_inbox_gives_typed_events() {
    let reply = json!({
        "items": [{
            "id": "notif-uuid", "event_type": "trade_proposed",
            "payload": {"trade_id": "t", "listing_id": "l", "buyer_agent_slug": "some-agent",
                "price": "50.00"},
            "is_read": false, "created_at": "2026-03-02T10:00:00Z"
        }],
        "unread_count": 3,
        "total": 15
    });
    let query = InboxQuery::new().unread().event_type(EventType::TradeProposed);
    let get = async |c: Client| c.list_inbox(&query).await;
    let call = "GET /inbox?unread=true&event_type=trade_proposed";
    let page = check(reply, get, call, "API key", Value::Null).await;
    assert_eq!((page.unread_count, page.total), (Some(3), Some(15)));
    let Event::TradeProposed(event) = page.items[0].event() else { panic!("{page:?}") };
    assert_eq!(event.price, Some(Money::credits(50)));
    assert_eq!(event.buyer_agent_slug, Some(AgentSlug::new("some-agent").unwrap()));
}

#[tokio::test]
async fn ack_inbox_sends_the_ids() {
    let ids = [NotificationId::new("n1").unwrap(), NotificationId::new("n2").unwrap()];
    let ack = async |c: Client| c.ack_inbox(&ids).await;
    let body = json!({"notification_ids": ["n1", "n2"]});
    check(json!({"acknowledged": 2}), ack, "POST /inbox/ack", "API key", body).await;
}

#[tokio::test]
async fn ack_all_inbox_needs_no_ids() {
    let ack = async |c: Client| c.ack_all_inbox().await;
    check(json!({"acknowledged": 2}), ack, "POST /inbox/ack-all", "API key", json!({})).await;
}

fn subscription() -> Value {
    json!({"id": "s1", "event_type": "trade_proposed",
        "webhook_url": "https://agent.example/hook", "filters": {}, "is_active": true})
}

#[tokio::test]
async fn subscribe_sends_the_secret_and_does_not_show_it() {
    let new = NewSubscription::new(EventType::TradeProposed, "https://agent.example/hook")
        .secret(Secret::new("optional-hmac-secret"))
        .filter("listing_id", "l1");
    assert!(!format!("{new:?}").contains("optional-hmac-secret"));
    let body = json!({"event_type": "trade_proposed", "webhook_url": "https://agent.example/hook",
        "secret": "optional-hmac-secret", "filters": {"listing_id": "l1"}});
    let subscribe = async |c: Client| c.subscribe(&new).await;
    check(subscription(), subscribe, "POST /subscriptions", "API key", body).await;
}

#[tokio::test]
async fn list_subscriptions_returns_them_all() {
    let list = async |c: Client| c.list_subscriptions().await;
    let reply = json!([subscription()]);
    let all = check(reply, list, "GET /subscriptions", "API key", Value::Null).await;
    assert_eq!(all[0].is_active, Some(true));
}

#[tokio::test]
async fn unsubscribe_deletes_the_subscription() {
    let id = SubscriptionId::new("s1").unwrap();
    let end = async |c: Client| c.unsubscribe(&id).await;
    check(json!({}), end, "DELETE /subscriptions/s1", "API key", Value::Null).await;
}

#[rstest]
#[case::access_token("access_token")]
#[case::token("token")]
#[case::jwt("jwt")]
#[tokio::test]
async fn owner_login_finds_the_token_and_hides_it(#[case] field: &str) {
    let password = Secret::new("securepassword");
    let login = async |c: Client| c.owner_login("human@example.com", &password).await;
    let body = json!({"email": "human@example.com", "password": "securepassword"});
    let reply = json!({field: "eyJhbGci", "token_type": "bearer"});
    let session = check(reply, login, "POST /owners/login", "none", body).await;
    assert_eq!(session.token.expose(), "eyJhbGci");
    assert!(!format!("{session:?}").contains("eyJhbGci"));
}

#[tokio::test]
async fn get_owner_sends_the_owner_token() {
    let reply = json!({"id": "o1", "email": "human@example.com", "agents": []});
    let get = async |c: Client| c.get_owner().await;
    let owner = check(reply, get, "GET /owners/me", "owner token", Value::Null).await;
    assert_eq!(owner.extra["agents"], json!([]));
}

#[tokio::test]
async fn get_stats_reads_the_figures() {
    let reply = json!({"total_agents": 1, "active_listings": 2, "total_trades": 3,
        "total_volume": "4.50", "trades_by_type": {"task": 3}, "recent_activity": []});
    let get = async |c: Client| c.get_stats().await;
    let stats = check(reply, get, "GET /public/stats", "none", Value::Null).await;
    assert_eq!(stats.total_volume, Some(Money::from_hundredths(450)));
}

#[tokio::test]
async fn get_agent_asks_for_the_slug() {
    let slug = AgentSlug::new("pixelmind").unwrap();
    let get = async |c: Client| c.get_agent(&slug).await;
    let reply = json!({"slug": "pixelmind"});
    let agent = check(reply, get, "GET /public/agent/pixelmind", "none", Value::Null).await;
    assert_eq!(agent.slug, Some(slug));
}

#[tokio::test]
async fn undocumented_replies_are_given_as_json() {
    let reply = json!([{"any": "shape"}]);
    let get = async |c: Client| c.get_leaderboard().await;
    let call = "GET /public/leaderboard";
    assert_eq!(check(reply.clone(), get, call, "none", Value::Null).await, reply);
    let get = async |c: Client| c.get_recent_trades().await;
    let call = "GET /public/recent-trades";
    assert_eq!(check(reply.clone(), get, call, "none", Value::Null).await, reply);
    let get = async |c: Client| c.get_platform_info().await;
    assert_eq!(check(reply.clone(), get, "GET /platform/info", "none", Value::Null).await, reply);
}

#[rstest]
#[case::bad_request(400, "VALIDATION", ErrorKind::BadRequest)]
#[case::insufficient_funds(400, "INSUFFICIENT_FUNDS", ErrorKind::InsufficientFunds)]
#[case::unauthorized(401, "UNAUTHORIZED", ErrorKind::Unauthorized)]
#[case::forbidden(403, "FORBIDDEN", ErrorKind::Forbidden)]
#[case::not_found(404, "NOT_FOUND", ErrorKind::NotFound)]
#[case::conflict(409, "DUPLICATE", ErrorKind::Conflict)]
#[case::invalid_transition(422, "INVALID_TRANSITION", ErrorKind::InvalidTransition)]
#[case::rate_limited(429, "RATE_LIMITED", ErrorKind::RateLimited)]
#[tokio::test]
async fn each_documented_status_has_its_error_kind(
    #[case] status: u16,
    #[case] code: &str,
    #[case] kind: ErrorKind,
) {
    for body in [
        json!({"detail": "text"}),
        json!({"detail": {"code": code, "message": "text"}}),
        json!({"detail": "text", "error": {"code": code, "message": "text", "details": {}}}),
    ] {
        let server = server(status, &body).await;
        let error = client(&server).confirm_trade(&trade_id()).await.unwrap_err();
        let expected = match kind {
            ErrorKind::InsufficientFunds if error.code().is_none() => ErrorKind::BadRequest,
            kind => kind,
        };
        assert_eq!(error.kind(), expected, "{body}");
        assert!(error.to_string().contains("text"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_key_is_an_error_before_anything_is_sent() {
    let server = server(200, &json!({})).await;
    let client = Client::builder().base_url(server.uri()).build().unwrap();
    let error = client.get_wallet().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingCredential);
    let error = client.get_owner().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingCredential);
    assert!(error.to_string().contains("owner_login"), "{error}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[rstest]
#[case::empty("")]
#[case::blank(" ")]
#[case::parent_folder("../x")]
#[case::slash("a/b")]
#[case::escaped_slash("a%2fb")]
#[case::query("a?b")]
#[case::fragment("a#b")]
#[case::control_character("a\0b")]
#[case::dot(".")]
#[case::two_dots("..")]
#[case::inner_blank("a b")]
#[case::not_ascii("caf\u{e9}")]
fn an_id_that_could_change_the_path_is_an_error(#[case] id: &str) {
    assert_eq!(TradeId::new(id).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(AgentSlug::new(id).is_err());
}

#[rstest]
#[case::uuid("785c40a1-0000-4000-8000-000000000000")]
#[case::prefixed("lst_x9y8z7w6")]
#[case::punctuated("a.b~c:d")]
fn an_id_is_kept_as_given(#[case] id: &str) {
    assert_eq!(ListingId::new(id).unwrap().as_str(), id);
}
