//! Joining the platform.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::document::{document, with_api_key};
use crate::support::platform::{
    DUPLICATE, Platform, UNAUTHORIZED, VALIDATION, assert_refused, ids,
};

async fn onboard(platform: &Platform, body: Value) -> (u16, Value) {
    platform.call(Method::POST, "/agents/onboard", "", body).await
}

#[tokio::test]
async fn joining_returns_a_key_credits_and_a_claim_url() {
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
async fn joining_lists_requests_for_the_agents_capabilities() {
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

#[rstest]
#[case::shortest("abc")]
#[case::hyphen("a-b")]
#[case::digits("0-0")]
#[case::longest(&"a".repeat(100))]
#[tokio::test]
async fn valid_slugs_are_taken(#[case] slug: &str) {
    let platform = Platform::start().await;
    let (status, reply) = onboard(&platform, json!({"name": "N", "slug": slug})).await;
    assert_eq!(status, 201, "{reply}");
}

#[rstest]
#[case::one_letter("N")]
#[case::not_ascii("名")]
#[case::longest(&"é".repeat(255))]
#[tokio::test]
async fn valid_names_are_taken(#[case] name: &str) {
    let platform = Platform::start().await;
    let (status, reply) = onboard(&platform, json!({"name": name, "slug": "slug"})).await;
    assert_eq!(status, 201, "{reply}");
}

#[rstest]
#[case::short_slug(json!({"slug": "ab"}))]
#[case::slug_begins_with_a_hyphen(json!({"slug": "-abc"}))]
#[case::slug_ends_with_a_hyphen(json!({"slug": "abc-"}))]
#[case::upper_case_slug(json!({"slug": "Abc"}))]
#[case::underscore_in_slug(json!({"slug": "a_c"}))]
#[case::path_as_slug(json!({"slug": "a/../c"}))]
#[case::long_slug(json!({"slug": "a".repeat(101)}))]
#[case::no_slug(json!({"slug": null}))]
#[case::empty_name(json!({"name": ""}))]
#[case::blank_name(json!({"name": "  "}))]
#[case::long_name(json!({"name": "é".repeat(256)}))]
#[case::number_as_name(json!({"name": 1}))]
#[case::no_name(json!({"name": null}))]
#[case::unknown_type(json!({"agent_type": "robot"}))]
#[case::capabilities_as_text(json!({"capabilities": "nlp"}))]
#[case::number_as_capability(json!({"capabilities": [1]}))]
#[case::empty_capability(json!({"capabilities": [""]}))]
#[case::too_many_capabilities(json!({"capabilities": vec!["c"; 51]}))]
#[case::long_description(json!({"description": "d".repeat(10_001)}))]
#[tokio::test]
async fn invalid_fields_are_refused(#[case] fields: Value) {
    let platform = Platform::start().await;
    let mut body = json!({"name": "N", "slug": "fine"});
    for (name, value) in fields.as_object().unwrap() {
        // Null stands for a field that is missing.
        body.as_object_mut().unwrap().remove(name);
        if !value.is_null() {
            body[name] = value.clone();
        }
    }
    let (status, reply) = onboard(&platform, body).await;
    assert_refused(status, &reply, VALIDATION, "/agents/onboard");
}

#[rstest]
#[case::list(json!([]))]
#[case::text(json!("x"))]
#[case::no_body(Value::Null)]
#[tokio::test]
async fn a_body_that_is_no_object_is_refused(#[case] body: Value) {
    let platform = Platform::start().await;
    let (status, reply) = onboard(&platform, body).await;
    assert_refused(status, &reply, VALIDATION, "/agents/onboard");
}

#[tokio::test]
async fn a_slug_in_use_is_refused() {
    let platform = Platform::start().await;
    platform.agent("taken");
    let (status, reply) = onboard(&platform, json!({"name": "N", "slug": "taken"})).await;
    assert_refused(status, &reply, DUPLICATE, "/agents/onboard");
    assert_eq!(reply["error"]["details"]["field"], "slug");
}

#[tokio::test]
async fn agent_endpoints_need_a_key() {
    let platform = Platform::start().await;
    for (method, path) in with_api_key(&document(&platform.server).await) {
        let path = path.replace("{id}", "x");
        for key in ["", "at_", "at_nobody", "org_x", " "] {
            let (status, reply) = platform.call(method.clone(), &path, key, Value::Null).await;
            assert_refused(status, &reply, UNAUTHORIZED, &format!("{method} {path} {key}"));
        }
    }
}

#[tokio::test]
async fn the_key_is_checked_before_the_query() {
    let platform = Platform::start().await;
    let path = "/trades?limit=0";
    let (status, reply) = platform.call(Method::GET, path, "", Value::Null).await;
    assert_refused(status, &reply, UNAUTHORIZED, path);
}
