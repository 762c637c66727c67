//! Every reply of machins is as `/openapi.json` says.

use machins_mock::{Agent, MockServer, NewAgent, Tier};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Inspector, with_api_key, with_body};
use crate::inspection::INSPECTED;

const UNKNOWN: &str = "00000000-0000-0000-0000-000000000000";

/// Calls machins, and the inspector checks every reply.
struct Caller(Inspector);

impl Caller {
    /// `template` with its parameter, if it has one.
    async fn call(
        &mut self,
        method: Method,
        template: &str,
        parameter: &str,
        key: &str,
        body: Value,
    ) -> Value {
        let template = format!("/api/v1{template}");
        let (path, query) = template.split_once('?').unwrap_or((&template, ""));
        let mut url = path.to_owned();
        if let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
            url.replace_range(start..=end, parameter);
        }
        if !query.is_empty() {
            url = format!("{url}?{query}");
        }
        self.0.send(method, &url, path, key, body).await
    }

    async fn get(&mut self, template: &str, parameter: &str, key: &str) -> Value {
        self.call(Method::GET, template, parameter, key, Value::Null).await
    }

    async fn post(&mut self, template: &str, parameter: &str, key: &str, body: Value) -> Value {
        self.call(Method::POST, template, parameter, key, body).await
    }

    async fn listing(&mut self, owner: &Agent, slug: &str, fields: Value) -> String {
        let mut body = json!({"title": "T", "slug": slug, "listing_type": "task", "price": 50});
        for (name, value) in fields.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        text(&self.post("/listings", "", &owner.api_key, body).await, "id")
    }

    async fn trade(
        &mut self,
        seller: &Agent,
        buyer: &Agent,
        listing: &str,
        steps: &[&str],
    ) -> String {
        let body = json!({"listing_id": listing, "metadata": {"a": 1}});
        let trade = text(&self.post("/trades", "", &buyer.api_key, body).await, "id");
        for step in steps {
            let buyers = ["confirm", "dispute"].contains(step);
            let key = if buyers { &buyer.api_key } else { &seller.api_key };
            let body = match *step {
                "deliver" => json!({"payload": {"result": 1}}),
                "reject" | "cancel" | "dispute" => json!({"reason": "r"}),
                _ => Value::Null,
            };
            self.post(&format!("/trades/{{id}}/{step}"), &trade, key, body).await;
        }
        trade
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field}: {value}")).to_owned()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one walk past every reply")]
async fn every_reply_of_machins_is_as_documented() {
    let server = MockServer::start().await;
    let agent = |slug: &str, credits| {
        server.create_agent(NewAgent::new().slug(slug).credits(credits)).unwrap()
    };
    let (seller, buyer, poor) = (agent("seller", 500), agent("buyer", 500), agent("poor", 1));
    let stranger = agent("stranger", 500);
    let rich = NewAgent::new().slug("rich").tier(Tier::Verified);
    let rich = server.create_agent(rich).unwrap();
    let mut caller = Caller(Inspector::new(server).await);

    let tagged = json!({
        "tags": ["t"], "description": "d", "input_schema": {"a": 1}, "output_schema": {},
        "expires_in_hours": 3, "auto_accept": false, "delivery_callback_url": "http://127.0.0.1:1/",
    });
    let offer = caller.listing(&seller, "offer", tagged).await;
    let request = json!({"side": "request", "bounty": true, "tags": ["t"], "price": "20.5"});
    let request = caller.listing(&buyer, "request", request).await;
    let dear = caller.listing(&rich, "dear", json!({"price": 101})).await;
    let closed = caller.listing(&seller, "closed", json!({})).await;
    caller.call(Method::DELETE, "/listings/{id}", &closed, &seller.api_key, Value::Null).await;

    let onboarding = json!({
        "name": "N", "slug": "joined", "description": "d", "agent_type": "tool",
        "capabilities": ["t"],
    });
    caller.post("/agents/onboard", "", "", onboarding.clone()).await;
    caller.post("/agents/onboard", "", "", onboarding).await;

    let done = ["accept", "deliver", "confirm"];
    let completed = caller.trade(&seller, &buyer, &offer, &done).await;
    caller.trade(&seller, &buyer, &offer, &["accept", "deliver", "dispute"]).await;
    caller.trade(&seller, &buyer, &offer, &["reject"]).await;
    caller.trade(&seller, &buyer, &offer, &["accept", "cancel"]).await;
    let proposed = caller.trade(&seller, &buyer, &offer, &[]).await;
    let unpaid = caller.trade(&seller, &poor, &offer, &[]).await;
    caller.post("/trades/{id}/accept", &unpaid, &seller.api_key, Value::Null).await;
    for body in
        [json!({"listing_id": dear}), json!({"listing_id": closed}), json!({"listing_id": UNKNOWN})]
    {
        caller.post("/trades", "", &buyer.api_key, body).await;
    }
    let review = json!({"rating": 4, "body": "b"});
    for key in [&buyer.api_key, &buyer.api_key] {
        caller.post("/trades/{id}/review", &completed, key, review.clone()).await;
    }
    for (action, good) in [
        ("accept", Value::Null),
        ("reject", json!({})),
        ("cancel", json!({"reason": null})),
        ("deliver", json!({"payload": {"result": 1}})),
        ("confirm", Value::Null),
        ("dispute", json!({})),
        ("review", review),
    ] {
        let template = format!("/trades/{{id}}/{action}");
        let buyers = matches!(action, "confirm" | "dispute");
        let party = if buyers { &buyer } else { &seller };
        caller
            .post(
                &template,
                if action == "review" { &proposed } else { &completed },
                &party.api_key,
                good.clone(),
            )
            .await;
        caller.post(&template, &completed, &stranger.api_key, good.clone()).await;
        caller.post(&template, UNKNOWN, &seller.api_key, good.clone()).await;
    }
    for (method, template, own, unknown) in [
        (Method::GET, "/trades/{id}", completed.as_str(), UNKNOWN),
        (Method::GET, "/listings/{id}", &offer, UNKNOWN),
        (Method::PUT, "/listings/{id}", &offer, UNKNOWN),
        (Method::DELETE, "/listings/{id}", &offer, UNKNOWN),
    ] {
        let body = if method == Method::PUT {
            json!({"title": "U", "price": "9.99"})
        } else {
            Value::Null
        };
        for (id, key) in [(own, &stranger), (unknown, &seller), (own, &seller)] {
            caller.call(method.clone(), template, id, &key.api_key, body.clone()).await;
        }
    }
    caller
        .call(Method::PUT, "/listings/{id}", &offer, &seller.api_key, json!({"slug": "request"}))
        .await;
    caller
        .post(
            "/listings",
            "",
            &seller.api_key,
            json!({"title": "T", "slug": "request", "listing_type": "task", "price": 1}),
        )
        .await;

    for (path, parameter) in [
        (
            "/marketplace?listing_type=task&side=request&tags=t&search=T&min_price=1&max_price=99&sort=price_asc&offset=0&limit=9",
            "",
        ),
        ("/marketplace?limit=0", ""),
        ("/marketplace/{id}", &*request),
        ("/marketplace/{id}", UNKNOWN),
        ("/public/stats", ""),
        ("/public/leaderboard", ""),
        ("/public/leaderboard?limit=0", ""),
        ("/public/agent/{slug}", "seller"),
        ("/public/agent/{slug}", "nobody"),
        ("/public/recent-trades", ""),
        ("/public/recent-trades?limit=x", ""),
        ("/platform/info", ""),
    ] {
        caller.get(path, parameter, "").await;
    }
    let keyed = with_api_key(&caller.0.document);
    let lists = keyed.iter().filter(|(method, path)| *method == Method::GET && !path.contains('{'));
    for (_, path) in lists {
        caller.get(path, "", &buyer.api_key).await;
    }
    for path in [
        "/trades?role=buyer&status=completed",
        "/trades?role=x",
        "/wallets/transactions?limit=0",
        "/inbox?unread=true",
        "/inbox?event_type=x",
    ] {
        caller.get(path, "", &buyer.api_key).await;
    }
    let inbox = caller.get("/inbox", "", &seller.api_key).await;
    let ack = json!({"notification_ids": [inbox["items"][0]["id"]]});
    caller.post("/inbox/ack", "", &seller.api_key, ack).await;
    caller.post("/inbox/ack-all", "", &seller.api_key, Value::Null).await;
    let subscription = json!({
        "event_type": "new_agent", "webhook_url": "http://127.0.0.1:1/", "secret": "s",
        "filters": {"slug": "x"},
    });
    let subscription = caller.post("/subscriptions", "", &seller.api_key, subscription).await;
    let subscription = text(&subscription, "id");
    caller.get("/subscriptions", "", &seller.api_key).await;
    for (id, agent) in [(&*subscription, &buyer), (UNKNOWN, &seller), (&*subscription, &seller)] {
        caller.call(Method::DELETE, "/subscriptions/{id}", id, &agent.api_key, Value::Null).await;
    }

    let human = json!({"email": "a@b.co", "password": "securepassword", "name": "A"});
    let token = rich.claim_url.strip_prefix("/claim/").unwrap();
    for token in [token, token, "forged"] {
        caller.post("/claim/{token}", token, "", human.clone()).await;
    }
    let login = caller.post("/owners/login", "", "", human).await;
    caller.get("/owners/me", "", &text(&login, "access_token")).await;
    caller.get("/owners/me", "", "eyJ").await;
    let wrong = json!({"email": "a@b.co", "password": "wrong"});
    caller.post("/owners/login", "", "", wrong).await;

    // What every call with a key and every call with a body can come to.
    for (method, template) in keyed {
        caller.call(method, &template, &completed, "at_nobody", Value::Null).await;
    }
    let huge = json!({"title": "x".repeat(2 * 1024 * 1024)});
    for (method, template) in with_body(&caller.0.document) {
        let parameter = match template.split('/').nth(1) {
            Some("listings") => &offer,
            Some("trades") => &proposed,
            _ => token,
        };
        // The buyer would dispute, the seller does the rest.
        let key = if template.ends_with("dispute") { &buyer.api_key } else { &seller.api_key };
        for body in [huge.clone(), json!([])] {
            caller.call(method.clone(), &template, parameter, key, body).await;
        }
    }
    assert_eq!(caller.0.unseen("machins "), Vec::<String>::new(), "documented, but never sent");
    assert_eq!(caller.0.unnoticed_alterations(), Vec::<&String>::new(), "altered, and not named");
}

#[tokio::test]
async fn every_reply_of_the_machins_controls_is_as_documented() {
    let mut inspector = Inspector::new(MockServer::start().await).await;
    let path = "/_mock/machins/agents";
    let mut keys = Vec::new();
    for body in [
        json!({"name": "A", "slug": "a-seller", "credits": 50, "tier": "verified"}),
        json!({"slug": "a-buyer", "credits": "500.5"}),
        json!({"slug": "a-buyer"}),
        json!({"tier": "gold"}),
        json!({"name": "x".repeat(2 * 1024 * 1024)}),
    ] {
        let reply = inspector.send(Method::POST, path, path, "", body).await;
        keys.extend(reply["api_key"].as_str().map(ToOwned::to_owned));
    }
    let mut caller = Caller(inspector);
    let listing = json!({"title": "T", "slug": "slug", "listing_type": "task", "price": 50});
    let listing = caller.post("/listings", "", &keys[0], listing).await;
    let subscription = json!({"event_type": "trade_disputed", "webhook_url": "http://127.0.0.1:1/", "secret": "s"});
    caller.post("/subscriptions", "", &keys[0], subscription).await;
    let proposal = json!({"listing_id": listing["id"]});
    let trade = text(&caller.post("/trades", "", &keys[1], proposal).await, "id");
    for (action, key, body) in [
        ("accept", 0, Value::Null),
        ("deliver", 0, json!({"payload": {"result": 1}})),
        ("dispute", 1, Value::Null),
    ] {
        caller.post(&format!("/trades/{{id}}/{action}"), &trade, &keys[key], body).await;
    }
    let Caller(mut inspector) = caller;
    inspector.server.webhooks_sent().await;
    let template = "/_mock/machins/trades/{id}/resolve";
    let path = |id: &str| format!("/_mock/machins/trades/{id}/resolve");
    for (path, body) in [
        (path(&trade), json!({"outcome": "refund"})),
        (path(&trade), json!({"outcome": "release"})),
        (path(UNKNOWN), json!({"outcome": "release"})),
        (path(UNKNOWN), json!({"outcome": "split"})),
        (path(UNKNOWN), json!({"outcome": "x".repeat(2 * 1024 * 1024)})),
    ] {
        inspector.send(Method::POST, &path, template, "", body).await;
    }
    for path in [
        "/_mock/machins/ledger",
        "/_mock/machins/agents",
        "/_mock/machins/listings",
        "/_mock/machins/trades",
        "/_mock/webhooks",
    ] {
        inspector.send(Method::GET, path, path, "", Value::Null).await;
    }
    let unseen = inspector.unseen("Mock control");
    let is_inspected = |call: &&String| INSPECTED.iter().any(|path| call.contains(path));
    let unsent: Vec<_> = unseen
        .iter()
        .filter(|call| call.contains("/machins/") && !call.ends_with(" 400") && !is_inspected(call))
        .collect();
    assert!(unsent.is_empty(), "documented, but never sent: {unsent:?}");
}
