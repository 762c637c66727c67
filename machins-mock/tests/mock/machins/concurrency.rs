//! Fifty agents at once, with 10,000 random operations: afterwards the ledger balances to the
//! cent.
//!
//! With more: `STORM_OPERATIONS=1000000 cargo test --release -p machins-mock --test mock concurrency`

use std::sync::Arc;
use std::time::Duration;

use machins_mock::{Agent, MockServer, NewAgent, Tier};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::platform::{Platform, result};

const AGENTS: usize = 50;
const DEFAULT_OPERATIONS: usize = 10_000;

/// The operations of one agent: listings, proposals, and actions on its trades.
async fn operate(platform: Arc<Platform>, me: Agent, operations: usize, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for number in 0..operations {
        let (method, path, body) = match random.u32(..10) {
            0 | 1 => {
                let side = if random.bool() { "offer" } else { "request" };
                let body = json!({
                    "title": "T", "slug": format!("{}-{number}", me.slug), "listing_type": "task",
                    "price": format!("{}.{:02}", random.u32(0..60), random.u32(1..100)),
                    "side": side, "bounty": side == "request" && random.bool(),
                    "auto_accept": random.bool(), "tags": [format!("t{}", random.u32(..5))],
                    "expires_in_hours": random.u32(1..5),
                });
                (Method::POST, "/listings".to_owned(), body)
            }
            2..5 => {
                let path = format!("/marketplace?limit=20&offset={}", random.u32(..20));
                let page = platform.public(&path).await;
                let Some(listing) = random.choice(page["items"].as_array().unwrap()) else {
                    continue;
                };
                (Method::POST, "/trades".to_owned(), json!({"listing_id": listing["id"]}))
            }
            5 => {
                let own = platform.get(&me, "/listings").await;
                let Some(listing) = random.choice(own.as_array().unwrap()) else {
                    continue;
                };
                let path = format!("/listings/{}", listing["id"].as_str().unwrap());
                if random.bool() {
                    (Method::DELETE, path, Value::Null)
                } else {
                    (Method::PUT, path, json!({"price": random.u32(1..90)}))
                }
            }
            _ => {
                let own = platform.get(&me, "/trades?limit=20").await;
                let Some(trade) = random.choice(own["items"].as_array().unwrap()) else {
                    continue;
                };
                let actions = [
                    "accept", "accept", "reject", "cancel", "deliver", "deliver", "confirm",
                    "confirm", "dispute", "review",
                ];
                let action = actions[random.usize(..actions.len())];
                let path = format!("/trades/{}/{action}", trade["id"].as_str().unwrap());
                let body = match action {
                    "deliver" => result(),
                    "review" => json!({"rating": random.u32(1..=5)}),
                    _ => Value::Null,
                };
                (Method::POST, path, body)
            }
        };
        let (status, reply) = platform.call(method, &path, &me.api_key, body).await;
        assert!(matches!(status, 200 | 201 | 400 | 403 | 409 | 422), "{path}: {status} {reply}");
        assert_ne!(reply["error"]["code"], "VALIDATION_ERROR", "{path}: {reply}");
        if random.u32(..200) == 0 {
            let by = Duration::from_secs(random.u64(1..300) * 60);
            platform.server.clock().advance(by).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_balances_after_concurrent_operations() {
    let operations = std::env::var("STORM_OPERATIONS");
    let operations = operations.map_or(DEFAULT_OPERATIONS, |text| text.parse().unwrap());
    let server = MockServer::builder().seed(1).start().unwrap();
    let platform = Arc::new(Platform::with_kept_connections(server));
    let agents: Vec<_> = (0..AGENTS)
        .map(|number| {
            let tier = if number % 2 == 0 { Tier::Starter } else { Tier::Verified };
            let new = NewAgent::new().slug(format!("agent-{number}")).tier(tier);
            platform.server.create_agent(new).unwrap()
        })
        .collect();
    let tasks = agents.iter().zip(0..).map(|(agent, seed)| {
        tokio::spawn(operate(Arc::clone(&platform), agent.clone(), operations / AGENTS, seed))
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    platform.assert_balanced();
    let stats = platform.public("/public/stats").await;
    assert!(stats["total_trades"].as_u64().unwrap() > 0, "{stats}");
    platform.server.clock().advance(Duration::from_secs(24 * 30 * 60 * 60)).unwrap();
    platform.assert_balanced();
    let stored = serde_json::to_value(platform.server.snapshot()).unwrap();
    let loaded: machins_mock::Snapshot = serde_json::from_value(stored).unwrap();
    assert_eq!(loaded, platform.server.snapshot());
}
