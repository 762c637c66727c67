//! Every row of the reference's table: what is sent, with which key, and what is made of the
//! reply.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use machins_client::{
    Action, AgentSlug, AgentType, Claim, Client, Delivery, Error, ErrorKind, EventType, InboxQuery,
    ListingId, ListingType, ListingUpdate, MarketplaceQuery, Money, NewAgent, NewListing,
    NewReview, NewSubscription, NotificationId, PageQuery, Proposal, Rating, Role, Secret, Side,
    Sort, SubscriptionId, TradeId, TradeQuery, TradeStatus,
};
use serde_json::{Value, json};
use support::{KEY, TOKEN, client, listing, server, trade};
use wiremock::MockServer;

/// What the one request was: method, path with query, body, key.
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

/// Makes a call against a server that gives `reply`, and checks what was sent.
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

fn trade_id() -> TradeId {
    TradeId::new("t1r2a3d4").unwrap()
}

fn listing_id() -> ListingId {
    ListingId::new("a1b2c3d4").unwrap()
}

#[tokio::test]
async fn onboarding_and_claim() {
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
    assert_eq!(joined.starter_credits, Some(Money::credits(500)));
    assert_eq!(joined.trust_tier.as_ref().unwrap().max_trade_size, Some(Money::credits(100)));
    assert_eq!(joined.extra["matching_requests"], json!([]));
    let shown = format!("{joined:?}");
    assert!(!shown.contains("at_fresh") && !shown.contains("TOKEN"), "{shown}");

    let claim = Claim::new(
        joined.claim_url.as_ref().unwrap(),
        "human@example.com",
        Secret::new("securepassword"),
    )
    .name("Alice");
    let body = json!({"email": "human@example.com", "password": "securepassword", "name": "Alice"});
    let reply = json!({"message": "claimed"});
    check(reply, async |c| c.claim(&claim).await, "POST /claim/TOKEN", "none", body).await;
}

#[tokio::test]
async fn marketplace() {
    let item = json!({
        "id": "785c40a1", "seller_agent_id": "3eb37a3c", "seller_agent_name": "PixelMind",
        "seller_agent_slug": "pixelmind", "seller_reputation_score": "0.00",
        "title": "Image Analysis & Tagging", "slug": "pm-image-analysis",
        "description": "Send images, get labels + confidence scores.", "listing_type": "task",
        "price": "45.00", "currency": "CREDIT", "tags": ["images", "cv", "tagging"],
        "side": "offer", "completed_trades": 12, "bounty_held": false, "expires_at": null,
        "created_at": "2026-02-28T14:30:00Z"
    });
    let page = json!({"items": [item], "total": 87, "offset": 0, "limit": 50, "has_more": true});
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

    let mut detail = item;
    detail["reviews"] = json!([{"id": "r1", "rating": 5, "trade_id": "t1"}]);
    detail["seller"] = json!({"id": "3eb37a3c", "slug": "pixelmind", "badges": ["fast"]});
    let id = ListingId::new("785c40a1").unwrap();
    let call = "GET /marketplace/785c40a1";
    let get = async |c: Client| c.get_marketplace_listing(&id).await;
    let detail = check(detail, get, call, "none", Value::Null).await;
    assert_eq!(detail.reviews.unwrap()[0].rating, 5);
    assert_eq!(detail.seller.unwrap().extra["badges"], json!(["fast"]));
}

#[tokio::test]
async fn listings() {
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
    let made = check(listing(), create, "POST /listings", "API key", body).await;
    assert_eq!(made.price, Money::credits(50));
    let mut back = serde_json::to_value(&made).unwrap();
    back["expires_at"] = Value::Null;
    assert_eq!(back, listing(), "nothing of the reply is lost");

    let list = async |c: Client| c.list_listings().await;
    let all = check(json!([listing()]), list, "GET /listings", "API key", Value::Null).await;
    assert_eq!(all.len(), 1);
    let get = async |c: Client| c.get_listing(&listing_id()).await;
    check(listing(), get, "GET /listings/a1b2c3d4", "API key", Value::Null).await;
    let update = ListingUpdate::new().price(Money::credits(60)).field("max_concurrent_trades", 3);
    let body = json!({"price": "60.00", "max_concurrent_trades": 3});
    let put = async |c: Client| c.update_listing(&listing_id(), &update).await;
    check(listing(), put, "PUT /listings/a1b2c3d4", "API key", body).await;
    let delete = async |c: Client| c.deactivate_listing(&listing_id()).await;
    check(listing(), delete, "DELETE /listings/a1b2c3d4", "API key", Value::Null).await;
}

#[tokio::test]
async fn trades() {
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
    let made = check(trade("proposed"), propose, "POST /trades", "API key", body).await;
    assert_eq!(made.status, TradeStatus::Proposed);
    assert_eq!(made.role_of(&made.seller_agent_id), Some(Role::Seller));

    let query = TradeQuery::new().role(Role::Buyer).status(TradeStatus::EscrowHeld).limit(5);
    let page = json!({"items": [trade("proposed")], "total": 1, "offset": 0, "limit": 5,
        "has_more": false});
    let list = async |c: Client| c.list_trades(&query).await;
    let call = "GET /trades?role=buyer&status=escrow_held&limit=5";
    check(page, list, call, "API key", Value::Null).await;
    let get = async |c: Client| c.get_trade(&trade_id()).await;
    check(trade("new_state"), get, "GET /trades/t1r2a3d4", "API key", Value::Null).await;
}

#[tokio::test]
async fn trade_actions() {
    let why = Some("no time");
    let reason = json!({"reason": "no time"});
    let delivery = Delivery::task("done");
    for action in Action::ALL {
        let (verb, body) = match action {
            Action::Accept => ("accept", json!({})),
            Action::Reject => ("reject", reason.clone()),
            Action::Cancel => ("cancel", reason.clone()),
            Action::Deliver => ("deliver", json!({"payload": {"result": "done"}})),
            Action::Confirm => ("confirm", json!({})),
            Action::Dispute => ("dispute", reason.clone()),
            _ => unreachable!(),
        };
        let act = async |c: Client| match action {
            Action::Accept => c.accept_trade(&trade_id()).await,
            Action::Reject => c.reject_trade(&trade_id(), why).await,
            Action::Cancel => c.cancel_trade(&trade_id(), why).await,
            Action::Deliver => c.deliver_trade(&trade_id(), &delivery).await,
            Action::Confirm => c.confirm_trade(&trade_id()).await,
            Action::Dispute => c.dispute_trade(&trade_id(), why).await,
            _ => unreachable!(),
        };
        let call = format!("POST /trades/t1r2a3d4/{verb}");
        let after = trade(action.to().as_str());
        assert_eq!(check(after, act, &call, "API key", body).await.status, action.to());
    }
}

#[test]
fn deliveries_are_what_the_types_require() {
    for (delivery, listing_type, body) in [
        (Delivery::task("r"), ListingType::Task, json!({"payload": {"result": "r"}})),
        (Delivery::data([json!(1)]), ListingType::Data, json!({"payload": {"data": [1]}})),
        (
            Delivery::api("https://api.example", json!({"k": "v"})),
            ListingType::Api,
            json!({"endpoint_url": "https://api.example", "credentials": {"k": "v"}}),
        ),
        (
            Delivery::model("https://model.example", json!({})),
            ListingType::Model,
            json!({"endpoint_url": "https://model.example", "credentials": {}}),
        ),
        (
            Delivery::asset("0x1"),
            ListingType::Asset,
            json!({"transaction_proof": {"tx_id": "0x1"}}),
        ),
    ] {
        assert_eq!(serde_json::to_value(&delivery).unwrap(), body);
        assert_eq!(delivery.listing_type(), Some(&listing_type));
    }
    let access = Delivery::api("https://api.example", json!({"token": "hush"}));
    assert!(!format!("{access:?}").contains("hush"));
}

#[tokio::test]
async fn reviews_wallet_and_transactions() {
    let review = NewReview::new(Rating::new(5).unwrap()).body("Fast delivery, clean data format.");
    let reply = json!({"id": "r1", "trade_id": "t1r2a3d4", "rating": 5, "body": null});
    let body = json!({"rating": 5, "body": "Fast delivery, clean data format."});
    let create = async |c: Client| c.create_review(&trade_id(), &review).await;
    check(reply, create, "POST /trades/t1r2a3d4/review", "API key", body).await;

    let reply = json!({"id": "w", "agent_id": "a", "balance": "500.00", "held_balance": 50,
        "available_balance": 450.5, "currency": "CREDIT", "version": 3,
        "created_at": "2026-03-01T12:00:00Z"});
    let get = async |c: Client| c.get_wallet().await;
    let wallet = check(reply, get, "GET /wallets/me", "API key", Value::Null).await;
    assert_eq!(wallet.held_balance, Money::credits(50));
    assert_eq!(wallet.available_balance.to_string(), "450.50");

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
async fn inbox() {
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
    let machins_client::Event::TradeProposed(event) = page.items[0].event() else { panic!() };
    assert_eq!(event.price, Some(Money::credits(50)));
    assert_eq!(event.buyer_agent_slug, Some(AgentSlug::new("some-agent").unwrap()));

    let ids = [NotificationId::new("n1").unwrap(), NotificationId::new("n2").unwrap()];
    let ack = async |c: Client| c.ack_inbox(&ids).await;
    let body = json!({"notification_ids": ["n1", "n2"]});
    check(json!({"acknowledged": 2}), ack, "POST /inbox/ack", "API key", body).await;
    let ack = async |c: Client| c.ack_all_inbox().await;
    check(json!({"acknowledged": 2}), ack, "POST /inbox/ack-all", "API key", json!({})).await;
}

#[tokio::test]
async fn subscriptions() {
    let new = NewSubscription::new(EventType::TradeProposed, "https://agent.example/hook")
        .secret(Secret::new("optional-hmac-secret"))
        .filter("listing_id", "l1");
    assert!(!format!("{new:?}").contains("optional-hmac-secret"));
    let body = json!({"event_type": "trade_proposed", "webhook_url": "https://agent.example/hook",
        "secret": "optional-hmac-secret", "filters": {"listing_id": "l1"}});
    let made = json!({"id": "s1", "event_type": "trade_proposed",
        "webhook_url": "https://agent.example/hook", "filters": {}, "is_active": true});
    let subscribe = async |c: Client| c.subscribe(&new).await;
    check(made.clone(), subscribe, "POST /subscriptions", "API key", body).await;
    let list = async |c: Client| c.list_subscriptions().await;
    let all = check(json!([made]), list, "GET /subscriptions", "API key", Value::Null).await;
    assert_eq!(all[0].is_active, Some(true));
    let id = SubscriptionId::new("s1").unwrap();
    let end = async |c: Client| c.unsubscribe(&id).await;
    check(json!({}), end, "DELETE /subscriptions/s1", "API key", Value::Null).await;
}

#[tokio::test]
async fn owners() {
    let password = Secret::new("securepassword");
    let login = async |c: Client| c.owner_login("human@example.com", &password).await;
    let body = json!({"email": "human@example.com", "password": "securepassword"});
    let reply = json!({"access_token": "jwt", "token_type": "bearer"});
    let session = check(reply, login, "POST /owners/login", "none", body).await;
    assert_eq!(session.token.expose(), "jwt");
    assert!(!format!("{session:?}").contains("jwt"));
    let reply = json!({"id": "o1", "email": "human@example.com", "agents": []});
    let me = async |c: Client| c.get_owner().await;
    let owner = check(reply, me, "GET /owners/me", "owner token", Value::Null).await;
    assert_eq!(owner.extra["agents"], json!([]));
}

#[tokio::test]
async fn public() {
    let stats = json!({"total_agents": 1, "active_listings": 2, "total_trades": 3,
        "total_volume": "4.50", "trades_by_type": {"task": 3}, "recent_activity": []});
    let get = async |c: Client| c.get_stats().await;
    let stats = check(stats, get, "GET /public/stats", "none", Value::Null).await;
    assert_eq!(stats.total_volume.hundredths(), 450);
    let get = async |c: Client| c.get_leaderboard().await;
    check(json!([]), get, "GET /public/leaderboard", "none", Value::Null).await;
    let slug = AgentSlug::new("pixelmind").unwrap();
    let get = async |c: Client| c.get_agent(&slug).await;
    check(json!({"slug": "pixelmind"}), get, "GET /public/agent/pixelmind", "none", Value::Null)
        .await;
    let get = async |c: Client| c.get_recent_trades().await;
    check(json!([]), get, "GET /public/recent-trades", "none", Value::Null).await;
    let get = async |c: Client| c.get_platform_info().await;
    check(json!({}), get, "GET /platform/info", "none", Value::Null).await;
}

#[tokio::test]
async fn each_documented_status_is_a_kind_of_its_own() {
    for (status, code, kind) in [
        (400, "VALIDATION", ErrorKind::BadRequest),
        (400, "INSUFFICIENT_FUNDS", ErrorKind::InsufficientFunds),
        (401, "UNAUTHORIZED", ErrorKind::Unauthorized),
        (403, "FORBIDDEN", ErrorKind::Forbidden),
        (404, "NOT_FOUND", ErrorKind::NotFound),
        (409, "DUPLICATE", ErrorKind::Conflict),
        (422, "INVALID_TRANSITION", ErrorKind::InvalidTransition),
        (429, "RATE_LIMITED", ErrorKind::RateLimited),
    ] {
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
}

#[tokio::test]
async fn keys_are_kept_apart_and_missing_ones_are_told_before_sending() {
    let server = server(200, &json!({})).await;
    let nobody = Client::builder().base_url(server.uri()).build().unwrap();
    let error = nobody.get_wallet().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingCredential);
    let error = nobody.get_owner().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingCredential);
    assert!(error.to_string().contains("owner_login"), "{error}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[test]
fn ids_can_not_change_the_path() {
    for bad in
        ["", " ", "../x", "a/b", "a%2fb", "a?b", "a#b", "a\0b", ".", "..", "a b", "caf\u{e9}"]
    {
        assert_eq!(TradeId::new(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
        assert!(AgentSlug::new(bad).is_err(), "{bad:?}");
    }
    for good in ["785c40a1-0000-4000-8000-000000000000", "lst_x9y8z7w6", "a.b~c:d"] {
        assert_eq!(ListingId::new(good).unwrap().as_str(), good);
    }
}
