//! A platform, agents on it, and calls of theirs.

use std::time::Duration;

use machins_mock::{Agent, MockServer, NewAgent, Tier};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::http::{client, exchange};

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A server with calls of agents.
pub(crate) struct Platform {
    pub(crate) server: MockServer,
    client: Client,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        Self::with(MockServer::start().await)
    }

    pub(crate) fn with(server: MockServer) -> Self {
        Self { server, client: client().clone() }
    }

    /// With connections that are kept, for a test of very many calls.
    pub(crate) fn with_kept_connections(server: MockServer) -> Self {
        Self { server, client: Client::new() }
    }

    /// A starter with 500 credits.
    pub(crate) fn agent(&self, slug: &str) -> Agent {
        self.server.create_agent(NewAgent::new().slug(slug)).unwrap()
    }

    /// A verified agent with a million credits.
    pub(crate) fn rich(&self, slug: &str) -> Agent {
        let new = NewAgent::new().slug(slug).credits(1_000_000).tier(Tier::Verified);
        self.server.create_agent(new).unwrap()
    }

    /// A call with a key, or none for `""`; a body, or none for null.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: Value,
    ) -> (u16, Value) {
        let url = format!("{}{path}", self.server.machins_base_url());
        let mut request = self.client.request(method, url);
        if !key.is_empty() {
            request = request.header("X-API-Key", key);
        }
        let reply = exchange(request, &body).await.expect("a reply");
        assert_eq!(reply.headers["content-type"], "application/json");
        (reply.status.as_u16(), reply.json())
    }

    pub(crate) async fn get(&self, agent: &Agent, path: &str) -> Value {
        let (status, reply) = self.call(Method::GET, path, &agent.api_key, Value::Null).await;
        assert_eq!(status, 200, "{path}: {reply}");
        reply
    }

    pub(crate) async fn public(&self, path: &str) -> Value {
        let (status, reply) = self.call(Method::GET, path, "", Value::Null).await;
        assert_eq!(status, 200, "{path}: {reply}");
        reply
    }

    pub(crate) async fn post(&self, agent: &Agent, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, &agent.api_key, body).await
    }

    /// A POST that works.
    pub(crate) async fn done(&self, agent: &Agent, path: &str, body: Value) -> Value {
        let (status, reply) = self.post(agent, path, body).await;
        assert!(status == 200 || status == 201, "{path}: {status} {reply}");
        reply
    }

    /// A POST that is refused in this way.
    pub(crate) async fn refused(&self, agent: &Agent, path: &str, body: Value, why: (u16, &str)) {
        let sent = body.to_string();
        let (status, reply) = self.post(agent, path, body).await;
        assert_refused(status, &reply, why, &format!("{path} {sent}"));
    }

    /// A listing like this one; slug, title, price and type are chosen if not given.
    pub(crate) async fn listing(&self, agent: &Agent, fields: Value) -> Value {
        let number = self.server.requests().len();
        let mut listing = json!({
            "title": "A listing", "slug": format!("listing-{number}"), "listing_type": "task",
            "price": 50,
        });
        for (name, value) in fields.as_object().into_iter().flatten() {
            listing[name] = value.clone();
        }
        self.done(agent, "/listings", listing).await
    }

    /// A trade on a listing that the agent proposes.
    pub(crate) async fn propose(&self, agent: &Agent, listing: &Value) -> Value {
        self.done(agent, "/trades", json!({"listing_id": listing["id"]})).await
    }

    /// Does something with a trade, which works.
    pub(crate) async fn act(&self, agent: &Agent, trade: &Value, action: &str) -> Value {
        let body = if action == "deliver" { result() } else { Value::Null };
        self.done(agent, &action_path(trade, action), body).await
    }

    /// A trade that has come as far as this.
    pub(crate) async fn trade_at(&self, seller: &Agent, buyer: &Agent, state: &str) -> Value {
        let listing = self.listing(seller, json!({})).await;
        let mut trade = self.propose(buyer, &listing).await;
        let steps: &[(&Agent, &str)] = match state {
            "proposed" => &[],
            "rejected" => &[(seller, "reject")],
            "escrow_held" => &[(seller, "accept")],
            "cancelled" => &[(seller, "accept"), (buyer, "cancel")],
            "delivered" => &[(seller, "accept"), (seller, "deliver")],
            "completed" => &[(seller, "accept"), (seller, "deliver"), (buyer, "confirm")],
            "disputed" | "resolved" => {
                &[(seller, "accept"), (seller, "deliver"), (buyer, "dispute")]
            }
            _ => panic!("no such state: {state}"),
        };
        for (agent, action) in steps {
            trade = self.act(agent, &trade, action).await;
        }
        if state == "resolved" {
            self.server.clock().advance(DAY).unwrap();
            trade = self.get(buyer, &format!("/trades/{}", id(&trade))).await;
        }
        assert_eq!(trade["status"], state);
        trade
    }

    /// Available and held credits.
    pub(crate) async fn credits(&self, agent: &Agent) -> (String, String) {
        let wallet = self.get(agent, "/wallets/me").await;
        let text = |field: &str| wallet[field].as_str().unwrap().to_owned();
        (text("available_balance"), text("held_balance"))
    }

    /// The types of the events in an inbox, oldest first.
    pub(crate) async fn events(&self, agent: &Agent) -> Vec<String> {
        let inbox = self.get(agent, "/inbox?limit=200").await;
        let items = inbox["items"].as_array().unwrap().iter().rev();
        items.map(|item| item["event_type"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn assert_balanced(&self) {
        let ledger = self.server.ledger();
        assert!(ledger.balanced, "{ledger:?}");
        assert_eq!(ledger.total, "0.00");
    }
}

pub(crate) fn assert_refused(status: u16, reply: &Value, why: (u16, &str), call: &str) {
    let error = &reply["error"];
    assert_eq!((status, error["code"].as_str().unwrap_or_default()), why, "{call}: {reply}");
    assert!(reply["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{call}: {reply}");
    assert_eq!(reply["detail"], error["message"]);
    assert!(error["details"].is_object());
}

pub(crate) fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

pub(crate) fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(id).collect()
}

pub(crate) fn action_path(trade: &Value, action: &str) -> String {
    format!("/trades/{}/{action}", id(trade))
}

/// What a task delivers.
pub(crate) fn result() -> Value {
    json!({"payload": {"result": "done"}})
}

pub(crate) const VALIDATION: (u16, &str) = (400, "VALIDATION_ERROR");
pub(crate) const FUNDS: (u16, &str) = (400, "INSUFFICIENT_FUNDS");
pub(crate) const UNAUTHORIZED: (u16, &str) = (401, "UNAUTHORIZED");
pub(crate) const FORBIDDEN: (u16, &str) = (403, "FORBIDDEN");
pub(crate) const NOT_FOUND: (u16, &str) = (404, "NOT_FOUND");
pub(crate) const DUPLICATE: (u16, &str) = (409, "DUPLICATE");
pub(crate) const TRANSITION: (u16, &str) = (422, "INVALID_TRANSITION");
