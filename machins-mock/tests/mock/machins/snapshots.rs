//! Stored worlds: they come back whole, and what cannot be is refused.

use std::time::Duration;

use machins_mock::Snapshot;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::platform::{DAY, FORBIDDEN, Platform, action_path, id};

const STATE: &str = "/../../_mock/state";

/// A world with something of everything in it.
async fn full() -> Platform {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let claim = json!({"email": "a@b.co", "password": "securepassword"});
    platform.call(Method::POST, &seller.claim_url, "", claim).await;
    let trade = platform.trade_at(&seller, &buyer, "completed").await;
    platform.done(&buyer, &action_path(&trade, "review"), json!({"rating": 4})).await;
    platform.trade_at(&seller, &buyer, "disputed").await;
    let fields = json!({"side": "request", "bounty": true, "expires_in_hours": 1, "tags": ["t"]});
    platform.listing(&buyer, fields).await;
    let subscription =
        json!({"event_type": "new_agent", "webhook_url": "http://127.0.0.1:1/", "secret": "s"});
    platform.done(&buyer, "/subscriptions", subscription).await;
    platform.done(&buyer, "/inbox/ack-all", Value::Null).await;
    platform
}

#[tokio::test]
async fn a_restored_snapshot_continues_like_the_original() {
    let platform = full().await;
    let (_, state) = platform.call(Method::GET, STATE, "", Value::Null).await;
    let snapshot = platform.server.snapshot();
    assert_eq!(serde_json::from_value::<Snapshot>(state.clone()).unwrap(), snapshot);

    let later = async |platform: &Platform| {
        platform.server.clock().advance(10 * DAY).unwrap();
        let mut seen = vec![
            platform.public("/marketplace").await,
            platform.public("/public/stats").await,
            platform.public("/public/leaderboard").await,
            platform.public("/public/agent/seller").await,
            serde_json::to_value(platform.server.ledger()).unwrap(),
        ];
        let keys = state["machins"]["agents"].as_array().unwrap();
        for agent in keys {
            let key = agent["api_key"].as_str().unwrap();
            for path in
                ["/inbox", "/trades", "/listings", "/subscriptions", "/wallets/transactions"]
            {
                let (status, reply) = platform.call(Method::GET, path, key, Value::Null).await;
                assert_eq!(status, 200);
                seen.push(reply);
            }
        }
        seen
    };
    let first = later(&platform).await;
    platform.server.restore(&snapshot);
    assert_eq!(platform.server.snapshot(), snapshot);
    let other = Platform::start().await;
    let (status, _) = other.call(Method::PUT, STATE, "", state.clone()).await;
    assert_eq!(status, 200);
    assert_eq!(other.server.snapshot(), snapshot);
    let again = later(&other).await;
    assert_eq!(first, again, "with the same ids, even");
}

#[tokio::test]
async fn an_inconsistent_state_is_refused() {
    let platform = full().await;
    let before = platform.server.snapshot();
    let good = serde_json::to_value(&before).unwrap();
    let nobody = "00000000-0000-0000-0000-000000000000";
    let entries = "/machins/ledger/0/entries";
    let mut taken = Vec::new();
    for (pointer, bad) in [
        ("/machins", Value::Null),
        ("/machins/agents", json!([])),
        ("/machins/agents/0/owner_id", json!(nobody)),
        ("/machins/agents/0/slug", good["machins"]["agents"][1]["slug"].clone()),
        ("/machins/agents/0/id", good["machins"]["agents"][1]["id"].clone()),
        ("/machins/agents/0/api_key", good["machins"]["agents"][1]["api_key"].clone()),
        ("/machins/agents/0/tier", json!("gold")),
        ("/machins/agents/0/inbox", json!([{}])),
        ("/machins/owners/0/claim/password", json!("plain")),
        (
            "/machins/owners/0/claim/password",
            json!("$argon2id$v=19$m=4194304,t=2,p=1$c2FsdA$aGFzaA"),
        ),
        ("/machins/listings/0/seller_agent_id", json!(nobody)),
        ("/machins/listings/0/price", json!("0.00")),
        ("/machins/listings/0/price", json!("92233720368547758.07")),
        ("/machins/listings/0/price", json!(1)),
        ("/machins/listings/0/bounty_amount", json!("1.00")),
        ("/machins/listings/2/bounty_amount", json!("1.00")),
        ("/machins/listings/2/bounty_amount", Value::Null),
        ("/machins/listings/2/tags", json!(["t", "t"])),
        ("/machins/listings/0/slug", good["machins"]["listings"][1]["slug"].clone()),
        ("/machins/trades/0/buyer_agent_id", json!(nobody)),
        (
            "/machins/trades/0/buyer_agent_id",
            good["machins"]["trades"][0]["seller_agent_id"].clone(),
        ),
        ("/machins/trades/0/listing_id", json!(nobody)),
        ("/machins/trades/0/status", json!("lost")),
        ("/machins/trades/0/status", json!("escrow_held")),
        ("/machins/trades/0/completed_at", Value::Null),
        ("/machins/trades/1/dispute_resolves_at", Value::Null),
        ("/machins/trades/1/status", json!("delivered_")),
        ("/machins/trades/1/status", json!("cancelled")),
        ("/machins/trades/1/price", json!("49.99")),
        ("/machins/reviews/0/rating", json!(6)),
        ("/machins/reviews/0/trade_id", json!(nobody)),
        ("/machins/reviews/0/reviewer_agent_id", json!(nobody)),
        ("/machins/subscriptions/0/agent_id", json!(nobody)),
        ("/machins/ledger", json!([])),
        (&format!("{entries}/0/amount"), json!("-1.00")),
        (&format!("{entries}/1/amount"), json!("500.01")),
        (&format!("{entries}/1/balance_after"), json!("1000.00")),
        (&format!("{entries}/1/account"), json!({"available": nobody})),
        (&format!("{entries}/1/account"), json!("fees")),
        (&format!("{entries}/0/amount"), json!("-9999999999999.99")),
    ] {
        let mut state = good.clone();
        *state.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = bad.clone();
        let (status, error) = platform.call(Method::PUT, STATE, "", state).await;
        if (status, &error["status"]) != (400, &json!("error")) {
            taken.push(format!("{pointer} {bad}: {status} {error}"));
            platform.server.restore(&before);
        }
        assert_eq!(platform.server.snapshot(), before, "{pointer} {bad}");
    }
    assert!(taken.is_empty(), "{taken:#?}");
    for list in ["agents", "owners", "listings", "trades", "reviews", "subscriptions", "ledger"] {
        let mut state = good.clone();
        let items = state["machins"][list].as_array_mut().unwrap();
        items.push(items[0].clone());
        let (status, _) = platform.call(Method::PUT, STATE, "", state).await;
        assert_eq!(status, 400, "the first of {list} twice");
    }
    let mut extreme = good.clone();
    extreme["machins"]["trades"][1]["dispute_resolves_at"] = json!("9999-12-30T22:00:00Z");
    extreme["machins"]["listings"][2]["expires_at"] = json!("-009999-01-02T01:59:59Z");
    assert_eq!(platform.call(Method::PUT, STATE, "", extreme).await.0, 200);
    platform.server.clock().advance(Duration::from_secs(60 * 60)).unwrap();
    platform.assert_balanced();
}

#[tokio::test]
async fn a_reset_removes_agents_listings_and_ledger() {
    let platform = full().await;
    let agent = platform.agent("agent");
    platform.server.reset();
    let (status, _) = platform.call(Method::GET, "/wallets/me", &agent.api_key, Value::Null).await;
    assert_eq!(status, 401);
    assert_eq!(platform.public("/marketplace").await["total"], 0);
    assert!(platform.server.ledger().accounts.is_empty());
    platform.agent("agent");
}

#[tokio::test]
async fn restoring_keeps_the_limits_of_trust_tiers() {
    let platform = full().await;
    let state = serde_json::to_value(platform.server.snapshot()).unwrap();
    let other = Platform::start().await;
    other.server.restore(&serde_json::from_value(state).unwrap());
    let (rich, starter) = (other.rich("rich"), other.agent("starter"));
    let listing = other.listing(&rich, json!({"price": 101})).await;
    other.refused(&starter, "/trades", json!({"listing_id": id(&listing)}), FORBIDDEN).await;
}
