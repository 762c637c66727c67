//! The JSON samples of both references: the clients read and write them, and the mock server's
//! replies have every field of them, of the same kind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use machineid_client::{DeviceId, OrgKey, PlanTier};
use machins_client::webhook::{Verification, Webhook};
use machins_client::{
    AgentType, ApiKey, Call, Client, Delivery, ErrorKind, Event, EventType, InboxQuery, Listing,
    ListingType, MarketplaceListing, MarketplaceQuery, Money, NewAgent, NewListing, NewReview,
    NewSubscription, Notification, Page, Proposal, Rating, Secret, Side, Trade, TradeStatus,
};
use machins_mock::{MockServer, Plan};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Compares a reply with a sample: each field of the sample is present and of the same kind. `null`
/// in the sample stands for any value.
fn assert_like(sample: &Value, reply: &Value, place: &str) {
    match (sample, reply) {
        (Value::Object(fields), Value::Object(_)) => {
            for (name, value) in fields {
                let found = reply.get(name).unwrap_or_else(|| panic!("{place}: no {name}"));
                assert_like(value, found, &format!("{place}.{name}"));
            }
        }
        (Value::Array(items), Value::Array(found)) => {
            if let Some(item) = items.first() {
                let first = found.first().unwrap_or_else(|| panic!("{place}: empty"));
                assert_like(item, first, &format!("{place}[0]"));
            }
        }
        (Value::Null, _)
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_)) => {}
        (Value::String(text), Value::String(found)) => {
            assert_eq!(is_money(text), is_money(found), "{place}: {text} and {found}");
            assert_eq!(is_moment(text), is_moment(found), "{place}: {text} and {found}");
        }
        _ => panic!("{place}: {sample} in the reference, {reply} from the mock server"),
    }
}

fn is_money(text: &str) -> bool {
    text.split_once('.').is_some_and(|(whole, decimals)| {
        decimals.len() == 2 && format!("{whole}{decimals}").bytes().all(|b| b.is_ascii_digit())
    })
}

fn is_moment(text: &str) -> bool {
    machins_client::Timestamp::from(text).time().is_some()
}

/// Checks that reading a sample as a type and writing it again keeps every field, `null` too.
fn read<T: DeserializeOwned + Serialize>(sample: &Value) -> T {
    let read: T = serde_json::from_value(sample.clone()).unwrap();
    assert_like(sample, &serde_json::to_value(&read).unwrap(), "written again");
    read
}

fn joined_sample() -> Value {
    json!({
        "agent_id": "uuid",
        "agent_slug": "your-agent-slug",
        "api_key": "at_...",
        "starter_credits": 500,
        "claim_url": "/claim/TOKEN",
        "trust_tier": {
            "current": "starter",
            "max_trade_size": 100,
            "upgrade_action": "POST /api/v1/claim/<token>"
        }
    })
}

fn marketplace_sample() -> Value {
    json!({
        "items": [{
            "id": "785c40a1-...",
            "seller_agent_id": "3eb37a3c-...",
            "seller_agent_name": "PixelMind",
            "seller_agent_slug": "pixelmind",
            "seller_reputation_score": "0.00",
            "title": "Image Analysis & Tagging",
            "slug": "pm-image-analysis",
            "description": "Send images, get labels + confidence scores.",
            "listing_type": "task",
            "price": "45.00",
            "currency": "CREDIT",
            "tags": ["images", "cv", "tagging"],
            "side": "offer",
            "completed_trades": 12,
            "bounty_held": false,
            "expires_at": null,
            "created_at": "2026-02-28T14:30:00Z"
        }],
        "total": 87,
        "offset": 0,
        "limit": 50,
        "has_more": true
    })
}

fn new_listing_sample() -> Value {
    json!({
        "title": "Sentiment Analysis",
        "slug": "sentiment-analysis",
        "listing_type": "task",
        "side": "offer",
        "price": 50,
        "description": "Send text, get sentiment + confidence.",
        "tags": ["nlp", "sentiment"],
        "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}},
        "output_schema": {"type": "object", "properties": {"sentiment": {"type": "string"}}}
    })
}

fn listing_sample() -> Value {
    json!({
        "id": "a1b2c3d4-...",
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

fn trade_sample() -> Value {
    json!({
        "id": "t1r2a3d4-...",
        "listing_id": "a1b2c3d4-...",
        "buyer_agent_id": "buyer-uuid",
        "seller_agent_id": "seller-uuid",
        "status": "proposed",
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

fn inbox_sample() -> Value {
    json!({
        "items": [{
            "id": "notif-uuid",
            "event_type": "trade_proposed",
            "payload": {
                "trade_id": "...",
                "listing_id": "...",
                "buyer_agent_slug": "some-agent",
                "price": "50.00"
            },
            "is_read": false,
            "created_at": "2026-03-02T10:00:00Z"
        }],
        "unread_count": 3,
        "total": 15
    })
}

fn webhook_sample() -> Value {
    json!({
        "event": "trade_proposed",
        "subscription_id": "sub-uuid",
        "data": {
            "trade_id": "...",
            "listing_id": "...",
            "buyer_agent_slug": "...",
            "price": "50.00"
        }
    })
}

#[test]
fn the_clients_read_every_sample_of_a_reply() {
    let page: Page<MarketplaceListing> = read(&marketplace_sample());
    assert_eq!(
        (page.total, page.has_more, page.items[0].price),
        (Some(87), Some(true), Money::credits(45))
    );
    let listing: Listing = read(&listing_sample());
    assert_eq!(listing.is_active, Some(true));
    let trade: Trade = read(&trade_sample());
    assert_eq!((trade.status, trade.accepted_at), (TradeStatus::Proposed, None));
    let inbox: Page<Notification> = read(&inbox_sample());
    assert!(
        matches!(inbox.items[0].event(), Event::TradeProposed(data) if data.price == Some(Money::credits(50)))
    );
    let webhook: Webhook = read(&webhook_sample());
    assert!(matches!(webhook.event(), Event::TradeProposed(_)));
}

#[test]
fn the_clients_write_every_sample_of_a_request() {
    let wrote = |request: Value, sample: Value| assert_eq!(request, sample);
    let agent = NewAgent::new("Your Agent Name", "your-agent-slug")
        .description("What you do and what you offer.")
        .agent_type(AgentType::Custom)
        .capability("nlp")
        .capability("data-analysis");
    wrote(
        json!(agent),
        json!({
            "name": "Your Agent Name",
            "slug": "your-agent-slug",
            "description": "What you do and what you offer.",
            "agent_type": "custom",
            "capabilities": ["nlp", "data-analysis"]
        }),
    );
    let schema = |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}});
    let listing = NewListing::new(
        "Sentiment Analysis",
        "sentiment-analysis",
        ListingType::Task,
        Money::credits(50),
    )
    .side(Side::Offer)
    .description("Send text, get sentiment + confidence.")
    .tag("nlp")
    .tag("sentiment")
    .input_schema(schema("text"))
    .output_schema(schema("sentiment"));
    let mut sample = new_listing_sample();
    // A string is exact; the service takes both.
    sample["price"] = json!("50.00");
    wrote(json!(listing), sample);
    let proposal = Proposal::new(&"uuid".parse().unwrap())
        .terms("Optional message to the counterparty")
        .verification_url("https://your-agent.example.com/verify-delivery");
    wrote(
        json!(proposal),
        json!({
            "listing_id": "uuid",
            "terms": "Optional message to the counterparty",
            "verification_url": "https://your-agent.example.com/verify-delivery"
        }),
    );
    let review = NewReview::new(Rating::new(5).unwrap()).body("Fast delivery, clean data format.");
    wrote(json!(review), json!({"rating": 5, "body": "Fast delivery, clean data format."}));
    let subscription = NewSubscription::new(
        EventType::TradeProposed,
        "https://your-agent.example.com/webhooks/agentrade",
    )
    .secret(Secret::new("optional-hmac-secret"));
    wrote(
        json!(subscription),
        json!({
            "event_type": "trade_proposed",
            "webhook_url": "https://your-agent.example.com/webhooks/agentrade",
            "secret": "optional-hmac-secret"
        }),
    );
    wrote(json!(Delivery::task("...")), json!({"payload": {"result": "..."}}));
    wrote(json!(Delivery::data(Vec::<Value>::new())), json!({"payload": {"data": []}}));
    wrote(json!(Delivery::asset("...")), json!({"transaction_proof": {"tx_id": "..."}}));
    for delivery in [Delivery::api("u", json!({})), Delivery::model("u", json!({}))] {
        wrote(json!(delivery), json!({"endpoint_url": "u", "credentials": {}}));
    }
    wrote(json!(Verification::accept()), json!({"accepted": true}));
    wrote(json!(Verification::reject("...")), json!({"accepted": false, "reason": "..."}));
}

fn agent(server: &MockServer, key: Option<&str>) -> Client {
    let builder = Client::builder().base_url(server.machins_base_url());
    match key {
        Some(key) => builder.api_key(ApiKey::new(key).unwrap()).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

/// Sends a sample exactly as in the reference, and returns the raw reply.
async fn post(client: &Client, path: &'static str, body: &Value) -> Value {
    let call = client.authenticate(Call::post(path).body(body));
    client.send(call.json()).await.unwrap_or_else(|error| panic!("{path}: {error}"))
}

async fn get(client: &Client, path: &'static str) -> Value {
    client.send(client.authenticate(Call::get(path)).json()).await.unwrap()
}

#[tokio::test]
async fn the_mock_takes_and_returns_what_the_samples_show() {
    let server = MockServer::start().await;
    let nobody = agent(&server, None);
    let onboard = json!({
        "name": "Your Agent Name",
        "slug": "your-agent-slug",
        "description": "What you do and what you offer.",
        "agent_type": "custom",
        "capabilities": ["nlp", "data-analysis"]
    });
    let call = Call::post("/agents/onboard").body(&onboard).json::<Value>();
    let joined = nobody.send(call).await.unwrap();
    assert_like(&joined_sample(), &joined, "onboard");
    assert_eq!(joined["trust_tier"], joined_sample()["trust_tier"], "to the letter");
    let seller = agent(&server, joined["api_key"].as_str());
    let buyer = nobody.join(&NewAgent::new("Some Agent", "some-agent")).await.unwrap();
    let buyer = agent(&server, Some(buyer.api_key.expose()));

    let create = new_listing_sample();
    let listing = post(&seller, "/listings", &create).await;
    assert_like(&listing_sample(), &listing, "listing");
    for field in [
        "title",
        "slug",
        "listing_type",
        "price",
        "currency",
        "tags",
        "side",
        "status",
        "is_active",
        "bounty_held",
        "expires_at",
    ] {
        assert_eq!(listing[field], listing_sample()[field], "{field}");
    }
    let page = get(&seller, "/marketplace").await;
    assert_like(&marketplace_sample(), &page, "marketplace");

    let subscribe = json!({
        "event_type": "trade_proposed",
        "webhook_url": "http://127.0.0.1:9/webhooks/agentrade",
        "secret": "optional-hmac-secret",
        "filters": {}
    });
    let subscription = post(&seller, "/subscriptions", &subscribe).await;
    assert!(subscription.get("secret").is_none_or(Value::is_null), "{subscription}");

    let propose = json!({
        "listing_id": listing["id"],
        "terms": "Need JSON format output",
        "metadata": {},
        "verification_url": "http://127.0.0.1:9/verify-delivery"
    });
    let trade = post(&buyer, "/trades", &propose).await;
    assert_like(&trade_sample(), &trade, "trade");
    for field in [
        "status",
        "price",
        "currency",
        "terms",
        "accepted_at",
        "escrow_held_at",
        "delivered_at",
        "completed_at",
    ] {
        assert_eq!(trade[field], trade_sample()[field], "{field}");
    }

    let inbox = get(&seller, "/inbox").await;
    assert_like(&inbox_sample(), &inbox, "inbox");
    assert_eq!(inbox["items"][0]["payload"]["buyer_agent_slug"], "some-agent");
    let ack = json!({"notification_ids": [inbox["items"][0]["id"], "notif-uuid-2"]});
    post(&seller, "/inbox/ack", &ack).await;
    post(&seller, "/inbox/ack-all", &json!({})).await;

    let claim = json!({"email": "human@example.com", "password": "securepassword", "name": "Alice (optional)"});
    let claim_url = joined["claim_url"].as_str().unwrap().to_owned();
    nobody.send(Call::post(claim_url).body(&claim).json::<Value>()).await.unwrap();

    let error = buyer.get_trade(&"nope".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let reply = buyer.send(buyer.authenticate(Call::get("/trades/nope"))).await.unwrap();
    let reply: Value = reply.json().unwrap();
    assert_like(&json!({"detail": "Human-readable error message"}), &reply, "error");
}

/// MachineID's reference contains samples of requests and words, but none of replies.
#[tokio::test]
async fn the_mock_takes_every_machineid_request() {
    let server = MockServer::start().await;
    let org = server.create_org(Plan::Pro);
    let client = machineid_client::Client::builder()
        .org_key(OrgKey::new(org.key()).unwrap())
        .base_url(server.machineid_base_url())
        .build()
        .unwrap();
    let devices = ["agent-01", "agent-02", "agent-03"];
    for device in devices {
        let _registered = client.register(&DeviceId::new(device).unwrap()).await.unwrap();
    }
    let one = json!({"deviceId": "agent-01"});
    let many = json!({"deviceIds": devices});
    for (path, body) in [
        ("/api/v1/devices/register", one.clone()),
        ("/api/v1/devices/validate", one.clone()),
        ("/api/v1/devices/revoke", one.clone()),
        ("/api/v1/devices/unrevoke", one.clone()),
        ("/api/v1/devices/revoke_batch", many.clone()),
        ("/api/v1/devices/unrevoke_batch", many),
        ("/api/v1/devices/revoke_batch", json!({"scope": "all_active"})),
        ("/api/v1/devices/unrevoke_batch", json!({"scope": "all_revoked"})),
        ("/api/v1/billing/checkout", json!({"plan": "scale"})),
        ("/api/v1/devices/remove", one),
    ] {
        let call = client.authenticate(Call::post(path).body(&body)).json::<Value>();
        let reply = client.send(call).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let status = reply["status"].as_str();
        assert!(matches!(status, Some("ok" | "exists")), "{path}: {reply}");
        assert!(reply["request_id"].is_string() && reply["handler"].is_string(), "{path}: {reply}");
    }
    for path in ["/api/v1/devices/list", "/api/v1/usage"] {
        let call = client.authenticate(Call::get(path)).json::<Value>();
        let reply = client.send(call).await.unwrap();
        assert_like(&json!({"planTier": "pro", "limit": 25, "devicesUsed": 2}), &reply, path);
    }
    assert_eq!(json!(PlanTier::Scale), json!("scale"));
}

/// The clients and the samples of the inbox agree on how a page is asked for.
#[tokio::test]
async fn the_clients_read_the_pages_of_the_mock() {
    let server = MockServer::start().await;
    let joined = agent(&server, None).join(&NewAgent::new("Ada", "ada")).await.unwrap();
    let client = agent(&server, Some(joined.api_key.expose()));
    let page = client.browse(&MarketplaceQuery::new()).await.unwrap();
    assert_eq!(
        (page.total, page.offset, page.limit, page.has_more),
        (Some(0), Some(0), Some(50), Some(false))
    );
    let inbox = client.list_inbox(&InboxQuery::new().unread()).await.unwrap();
    assert_eq!((inbox.total, inbox.unread_count), (Some(0), Some(0)));
}
