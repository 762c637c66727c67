//! Joining the platform.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::platform::{
    DUPLICATE, Platform, UNAUTHORIZED, VALIDATION, assert_refused, ids,
};

async fn onboard(platform: &Platform, body: Value) -> (u16, Value) {
    platform.call(Method::POST, "/agents/onboard", "", body).await
}

#[tokio::test]
async fn onboarding_gives_an_agent_a_key_credits_and_a_claim() {
    let platform = Platform::start().await;
    let (status, reply) = onboard(
        &platform,
        json!({
            "name": "Your Agent Name", "slug": "your-agent-slug", "description": "What you do.",
            "agent_type": "custom", "capabilities": ["nlp", "data-analysis"], "unknown": [1],
        }),
    )
    .await;
    assert_eq!(status, 201, "{reply}");
    assert_eq!(reply["agent_slug"], "your-agent-slug");
    assert_eq!(reply["starter_credits"], 500);
    assert!(reply["api_key"].as_str().unwrap().starts_with("at_"));
    assert!(reply["claim_url"].as_str().unwrap().starts_with("/claim/eyJ"));
    let tier = json!({
        "current": "starter", "max_trade_size": 100,
        "upgrade_action": "POST /api/v1/claim/<token>",
    });
    assert_eq!(reply["trust_tier"], tier);
    for list in ["matching_requests", "suggested_categories", "platform_gaps"] {
        assert_eq!(reply[list], json!([]));
    }
    let key = reply["api_key"].as_str().unwrap();
    let (_, wallet) = platform.call(Method::GET, "/wallets/me", key, Value::Null).await;
    assert_eq!(wallet["agent_id"], reply["agent_id"]);
    assert_eq!(wallet["balance"], "500.00");
    let profile = platform.public("/public/agent/your-agent-slug").await;
    assert_eq!(profile["capabilities"], json!(["nlp", "data-analysis"]));
    assert_eq!(
        (&profile["agent_type"], &profile["trust_tier"]),
        (&json!("custom"), &json!("starter"))
    );
    assert!(!profile.to_string().contains(key));
    platform.assert_balanced();
}

#[tokio::test]
async fn a_new_agent_hears_of_requests_for_its_capabilities() {
    let platform = Platform::start().await;
    let buyer = platform.agent("buyer");
    let wanted = platform.listing(&buyer, json!({"side": "request", "tags": ["nlp", "x"]})).await;
    platform.listing(&buyer, json!({"side": "request", "tags": ["other"]})).await;
    platform.listing(&buyer, json!({"side": "offer", "tags": ["nlp"]})).await;
    let body = json!({"name": "N", "slug": "newcomer", "capabilities": ["nlp", "x"]});
    let (_, reply) = onboard(&platform, body).await;
    let page = json!({"items": reply["matching_requests"]});
    assert_eq!(ids(&page), [wanted["id"].as_str().unwrap()]);
}

#[tokio::test]
async fn names_and_slugs_keep_the_rules() {
    let platform = Platform::start().await;
    for slug in ["abc", "a-b", "0-0", &"a".repeat(100)] {
        let (status, reply) = onboard(&platform, json!({"name": "N", "slug": slug})).await;
        assert_eq!(status, 201, "{slug}: {reply}");
    }
    for name in ["N", "名", &"é".repeat(255)] {
        let slug = format!("name-{}", name.len());
        let (status, reply) = onboard(&platform, json!({"name": name, "slug": slug})).await;
        assert_eq!(status, 201, "{name}: {reply}");
    }
    for bad in [
        json!({"name": "N", "slug": "ab"}),
        json!({"name": "N", "slug": "-abc"}),
        json!({"name": "N", "slug": "abc-"}),
        json!({"name": "N", "slug": "Abc"}),
        json!({"name": "N", "slug": "a_c"}),
        json!({"name": "N", "slug": "a/../c"}),
        json!({"name": "N", "slug": "a".repeat(101)}),
        json!({"name": "", "slug": "fine"}),
        json!({"name": "  ", "slug": "fine"}),
        json!({"name": "é".repeat(256), "slug": "fine"}),
        json!({"name": 1, "slug": "fine"}),
        json!({"slug": "fine"}),
        json!({"name": "N"}),
        json!({"name": "N", "slug": "fine", "agent_type": "robot"}),
        json!({"name": "N", "slug": "fine", "capabilities": "nlp"}),
        json!({"name": "N", "slug": "fine", "capabilities": [1]}),
        json!({"name": "N", "slug": "fine", "capabilities": [""]}),
        json!({"name": "N", "slug": "fine", "capabilities": vec!["c"; 51]}),
        json!({"name": "N", "slug": "fine", "description": "d".repeat(10_001)}),
        json!([]),
        json!("x"),
        Value::Null,
    ] {
        let (status, reply) = onboard(&platform, bad.clone()).await;
        assert_refused(status, &reply, VALIDATION, &bad.to_string());
    }
    let (status, reply) = onboard(&platform, json!({"name": "N", "slug": "abc"})).await;
    assert_refused(status, &reply, DUPLICATE, "a slug that is taken");
    assert_eq!(reply["error"]["details"]["field"], "slug");
}

#[tokio::test]
async fn every_agents_call_needs_its_key() {
    let platform = Platform::start().await;
    for (method, path) in [
        (Method::POST, "/listings"),
        (Method::GET, "/listings"),
        (Method::GET, "/listings/x"),
        (Method::PUT, "/listings/x"),
        (Method::DELETE, "/listings/x"),
        (Method::POST, "/trades"),
        (Method::GET, "/trades?limit=0"),
        (Method::GET, "/trades/x"),
        (Method::POST, "/trades/x/accept"),
        (Method::POST, "/trades/x/reject"),
        (Method::POST, "/trades/x/cancel"),
        (Method::POST, "/trades/x/deliver"),
        (Method::POST, "/trades/x/confirm"),
        (Method::POST, "/trades/x/dispute"),
        (Method::POST, "/trades/x/review"),
        (Method::GET, "/wallets/me"),
        (Method::GET, "/wallets/transactions"),
        (Method::GET, "/inbox"),
        (Method::POST, "/inbox/ack"),
        (Method::POST, "/inbox/ack-all"),
        (Method::POST, "/subscriptions"),
        (Method::GET, "/subscriptions"),
        (Method::DELETE, "/subscriptions/x"),
    ] {
        for key in ["", "at_", "at_nobody", "org_x", " "] {
            let (status, reply) = platform.call(method.clone(), path, key, Value::Null).await;
            assert_refused(status, &reply, UNAUTHORIZED, &format!("{method} {path} {key}"));
        }
    }
}
