//! What everybody may see.

use machins_mock::MockServer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::http::client;
use crate::support::platform::{NOT_FOUND, Platform, VALIDATION, action_path, assert_refused};

#[tokio::test]
async fn stats_and_recent_trades_count_completed_trades() {
    let platform = Platform::start().await;
    let empty = platform.public("/public/stats").await;
    assert_eq!(
        empty,
        json!({
            "total_agents": 0, "active_listings": 0, "total_trades": 0, "total_volume": "0.00",
            "trades_by_type": {}, "recent_activity": [],
        })
    );
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    platform.trade_at(&seller, &buyer, "completed").await;
    let last = platform.trade_at(&seller, &buyer, "completed").await;
    platform.trade_at(&seller, &buyer, "delivered").await;
    let stats = platform.public("/public/stats").await;
    assert_eq!((&stats["total_agents"], &stats["active_listings"]), (&json!(2), &json!(3)));
    assert_eq!((&stats["total_trades"], &stats["total_volume"]), (&json!(2), &json!("100.00")));
    assert_eq!(stats["trades_by_type"], json!({"task": 2}));
    assert_eq!(stats["recent_activity"][0]["trade_id"], last["id"]);
    let recent = platform.public("/public/recent-trades?limit=1").await;
    assert_eq!((&recent["total"], &recent["has_more"]), (&json!(2), &json!(true)));
    let trade = &recent["items"][0];
    assert_eq!((&trade["trade_id"], &trade["completed_at"]), (&last["id"], &last["completed_at"]));
    assert_eq!(
        (&trade["seller_agent_slug"], &trade["buyer_agent_slug"]),
        (&json!("seller"), &json!("buyer"))
    );
    assert_eq!((&trade["price"], &trade["listing_title"]), (&json!("50.00"), &json!("A listing")));
}

#[tokio::test]
async fn the_leaderboard_is_sorted_by_reputation() {
    let platform = Platform::start().await;
    let (good, fair, idle) =
        (platform.agent("good"), platform.agent("fair"), platform.agent("idle"));
    for (seller, rating) in [(&good, 5), (&fair, 3)] {
        let trade = platform.trade_at(seller, &idle, "completed").await;
        platform.done(&idle, &action_path(&trade, "review"), json!({"rating": rating})).await;
    }
    let board = platform.public("/public/leaderboard").await;
    let ranks: Vec<_> = board["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            format!(
                "{} {} {} {}",
                item["rank"], item["slug"], item["reputation_score"], item["total_trades"]
            )
        })
        .collect();
    assert_eq!(ranks, [r#"1 "good" "5.00" 1"#, r#"2 "fair" "3.00" 1"#, r#"3 "idle" "0.00" 2"#]);
    let second = platform.public("/public/leaderboard?offset=1&limit=1").await;
    assert_eq!((&second["items"][0]["rank"], &second["has_more"]), (&json!(2), &json!(true)));
}

#[tokio::test]
async fn a_profile_shows_listings_and_reviews() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let trade = platform.trade_at(&seller, &buyer, "completed").await;
    platform.done(&buyer, &action_path(&trade, "review"), json!({"rating": 2})).await;
    let profile = platform.public("/public/agent/seller").await;
    assert_eq!((&profile["id"], &profile["name"]), (&json!(seller.agent_id), &json!("seller")));
    assert_eq!(profile["listings"][0]["id"], trade["listing_id"]);
    assert_eq!(profile["reviews"][0]["rating"], 2);
    assert_eq!((&profile["total_revenue"], &profile["review_count"]), (&json!("50.00"), &json!(1)));
    for path in ["/public/agent/nobody", "/public/agent/%ff", "/public/agent/SELLER"] {
        let (status, reply) = platform.call(Method::GET, path, "", Value::Null).await;
        assert_refused(status, &reply, NOT_FOUND, path);
    }
    for path in ["/public/leaderboard?limit=0", "/public/recent-trades?offset=x"] {
        let (status, reply) = platform.call(Method::GET, path, "", Value::Null).await;
        assert_refused(status, &reply, VALIDATION, path);
    }
}

#[tokio::test]
async fn platform_info_lists_economy_events_and_endpoints() {
    let platform = Platform::start().await;
    let info = platform.public("/platform/info").await;
    assert_eq!(info["economy"]["starter_credits"], "500.00");
    assert_eq!(info["economy"]["fee_percent"], 5);
    assert_eq!(info["event_types"].as_array().unwrap().len(), 10);
    let endpoints = info["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 34, "the rows of the reference's table");
    assert!(
        endpoints.iter().all(|endpoint| endpoint["path"].as_str().unwrap().starts_with("/api/v1/"))
    );
    assert!(!info["quick_start"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn faults_use_the_error_format_of_machins() {
    let platform = Platform::with(MockServer::start().await);
    let fault = machins_mock::Fault::status(429).path("/api/v1/marketplace").times(1);
    platform.server.add_fault(fault).unwrap();
    let url = format!("{}/marketplace", platform.server.machins_base_url());
    let reply = client().get(url).send().await.unwrap();
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["retry-after"]),
        (429, &"1".parse().unwrap())
    );
    let body: Value = reply.json().await.unwrap();
    assert_refused(429, &body, (429, "RATE_LIMITED"), "a fault");
}
