//! Webhooks: what is posted, signed, filtered, ordered, and given up.

use std::collections::HashSet;
use std::time::Duration;

use machins_mock::{Agent, MockServer};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::platform::{FORBIDDEN, NOT_FOUND, Platform, VALIDATION, assert_refused, id};
use crate::support::receiver::{Receiver, answer, closed_port};

async fn subscribe(platform: &Platform, agent: &Agent, event: &str, url: &str) -> Value {
    let body = json!({"event_type": event, "webhook_url": url});
    platform.done(agent, "/subscriptions", body).await
}

/// HMAC-SHA256 by its definition (RFC 2104), to check the server's by.
pub(super) fn signature(secret: &str, body: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let mut key = [0_u8; 64];
    if secret.len() > 64 {
        key[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret.as_bytes());
    }
    let inner =
        Sha256::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(body).finalize();
    let outer =
        Sha256::new().chain_update(key.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize();
    outer.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[tokio::test]
async fn a_webhook_is_posted_and_signed() {
    let platform = Platform::start().await;
    let mut receiver = Receiver::willing().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    for secret in ["optional-hmac-secret", &"long".repeat(50), "ключ"] {
        let body = json!({
            "event_type": "trade_proposed", "webhook_url": receiver.url, "secret": secret,
            "filters": {},
        });
        let (status, subscription) = platform.post(&seller, "/subscriptions", body).await;
        assert_eq!((status, &subscription["has_secret"]), (201, &json!(true)));
        assert!(!subscription.to_string().contains(secret), "the secret is never returned");
        let listing = platform.listing(&seller, json!({})).await;
        let trade = platform.propose(&buyer, &listing).await;
        let post = receiver.next().await;
        let signed = signature(secret, &post.body);
        assert_eq!(post.headers["x-machins-signature"], signed);
        assert_eq!(post.headers["content-type"], "application/json");
        let body = post.json();
        assert_eq!(body["event"], "trade_proposed");
        assert_eq!(body["subscription_id"], subscription["id"]);
        assert_eq!(body["data"]["trade_id"], trade["id"]);
        assert_eq!(body.as_object().unwrap().len(), 3);
        platform.server.webhooks_sent().await;
        let attempt = platform.server.webhooks().pop().unwrap();
        assert_eq!(
            (attempt.event, attempt.url.as_str()),
            ("trade_proposed", receiver.url.as_str())
        );
        assert_eq!((attempt.status, attempt.attempt), (Some(200), 1));
        assert_eq!((attempt.signature, attempt.error), (Some(signed), None));
        let path = format!("/subscriptions/{}", id(&subscription));
        let (status, gone) =
            platform.call(Method::DELETE, &path, &seller.api_key, Value::Null).await;
        assert_eq!((status, gone), (200, json!({"id": subscription["id"], "status": "deleted"})));
    }
    assert_eq!(platform.get(&seller, "/subscriptions").await, json!([]));
    let listing = platform.listing(&seller, json!({})).await;
    platform.propose(&buyer, &listing).await;
    platform.server.webhooks_sent().await;
    assert!(receiver.so_far().is_empty(), "nothing to a subscription that is gone");
    assert_eq!(platform.server.webhooks().len(), 3);
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let platform = Platform::start().await;
    let mut receiver = Receiver::willing().await;
    let agent = platform.agent("agent");
    let empty = json!({"event_type": "new_agent", "webhook_url": receiver.url, "secret": ""});
    assert_eq!(platform.done(&agent, "/subscriptions", empty).await["has_secret"], false);
    subscribe(&platform, &agent, "new_agent", &receiver.url).await;
    let newcomer = platform.agent("newcomer");
    for _ in 0..2 {
        let post = receiver.next().await;
        assert!(!post.headers.contains_key("x-machins-signature"));
        assert_eq!(post.json()["data"]["agent_id"], newcomer.agent_id);
    }
}

#[tokio::test]
async fn each_event_is_posted_to_the_agents_it_concerns() {
    let platform = Platform::start().await;
    let mut receiver = Receiver::willing().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let events = [
        "trade_proposed",
        "trade_accepted",
        "trade_delivered",
        "trade_completed",
        "trade_cancelled",
        "trade_disputed",
        "new_listing",
        "new_request",
        "new_agent",
        "match_found",
    ];
    let mut owners = std::collections::HashMap::new();
    for agent in [&seller, &buyer] {
        for event in events {
            let subscription = subscribe(&platform, agent, event, &receiver.url).await;
            owners.insert(id(&subscription).to_owned(), agent.slug.clone());
        }
    }
    platform.trade_at(&seller, &buyer, "completed").await;
    platform.trade_at(&seller, &buyer, "cancelled").await;
    platform.trade_at(&seller, &buyer, "disputed").await;
    platform.listing(&seller, json!({"tags": ["t"]})).await;
    platform.listing(&buyer, json!({"tags": ["t"], "side": "request"})).await;
    platform.agent("newcomer");
    platform.server.webhooks_sent().await;
    let seen: HashSet<_> = receiver
        .so_far()
        .iter()
        .map(|post| {
            let body = post.json();
            let owner = &owners[body["subscription_id"].as_str().unwrap()];
            format!("{owner} {}", body["event"].as_str().unwrap())
        })
        .collect();
    let expected: HashSet<_> = [
        "seller trade_proposed",
        "buyer trade_accepted",
        "buyer trade_delivered",
        "seller trade_completed",
        "buyer trade_completed",
        "seller trade_cancelled",
        "seller trade_disputed",
        "seller new_listing",
        "buyer new_listing",
        "seller new_request",
        "buyer new_request",
        "seller new_agent",
        "buyer new_agent",
        "seller match_found",
    ]
    .map(ToOwned::to_owned)
    .into();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn filters_keep_only_equal_values() {
    let platform = Platform::start().await;
    let mut receiver = Receiver::willing().await;
    let agent = platform.agent("agent");
    let body = json!({
        "event_type": "new_listing", "webhook_url": receiver.url,
        "filters": {"listing_type": "data", "price": "7.00", "tags": ["a", "b"]},
    });
    let subscription = platform.done(&agent, "/subscriptions", body.clone()).await;
    assert_eq!(subscription["filters"], body["filters"]);
    let kept = json!({"listing_type": "data", "price": 7, "tags": ["a", "b"]});
    for (field, value) in [
        ("listing_type", json!("task")),
        ("price", json!(8)),
        ("tags", json!(["a"])),
        ("side", json!("request")),
    ] {
        let mut fields = kept.clone();
        fields[field] = value;
        platform.listing(&agent, fields).await;
    }
    let listing = platform.listing(&agent, kept).await;
    platform.server.webhooks_sent().await;
    let posts = receiver.so_far();
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].json()["data"]["listing_id"], listing["id"]);
}

#[rstest]
#[case::unknown_event(json!({"event_type": "trade_lost", "webhook_url": "http://x/"}))]
#[case::no_url(json!({"event_type": "new_agent"}))]
#[case::no_event(json!({"webhook_url": "http://x/"}))]
#[case::relative_url(json!({"event_type": "new_agent", "webhook_url": "x"}))]
#[case::file_url(json!({"event_type": "new_agent", "webhook_url": "file:///etc/passwd"}))]
#[case::long_url(json!({"event_type": "new_agent", "webhook_url": format!("http://x/{}", "y".repeat(2048))}))]
#[case::number_as_secret(json!({"event_type": "new_agent", "webhook_url": "http://x/", "secret": 1}))]
#[case::long_secret(json!({"event_type": "new_agent", "webhook_url": "http://x/", "secret": "s".repeat(1025)}))]
#[case::list_as_filters(json!({"event_type": "new_agent", "webhook_url": "http://x/", "filters": []}))]
#[case::list(json!([]))]
#[case::no_body(Value::Null)]
#[tokio::test]
async fn invalid_subscriptions_are_refused(#[case] body: Value) {
    let platform = Platform::start().await;
    platform.refused(&platform.agent("agent"), "/subscriptions", body, VALIDATION).await;
}

#[tokio::test]
async fn only_the_owner_sees_and_deletes_a_subscription() {
    let platform = Platform::start().await;
    let (agent, other) = (platform.agent("agent"), platform.agent("other"));
    let own = subscribe(&platform, &agent, "new_agent", "http://127.0.0.1:1/").await;
    assert_eq!(platform.get(&agent, "/subscriptions").await, json!([own]));
    assert_eq!(platform.get(&other, "/subscriptions").await, json!([]));
    let delete = async |agent: &Agent, id: &str| {
        let path = format!("/subscriptions/{id}");
        platform.call(Method::DELETE, &path, &agent.api_key, Value::Null).await
    };
    let (status, reply) = delete(&other, id(&own)).await;
    assert_refused(status, &reply, FORBIDDEN, "another's");
    for unknown in ["nonsense", "%ff", "00000000-0000-0000-0000-000000000000"] {
        let (status, reply) = delete(&agent, unknown).await;
        assert_refused(status, &reply, NOT_FOUND, unknown);
    }
}

async fn standing(platform: &Platform, agent: &Agent) -> (bool, u64) {
    let subscription = &platform.get(agent, "/subscriptions").await[0];
    (subscription["is_active"] == true, subscription["failure_count"].as_u64().unwrap())
}

#[tokio::test]
async fn ten_failures_in_a_row_end_a_subscription() {
    let platform = Platform::start().await;
    // The fifth succeeds: with 399, the highest status that does.
    let mut receiver = Receiver::start(|n| match n {
        4 => answer(399, ""),
        n if n % 2 == 0 => answer(400, ""),
        _ => answer(503, ""),
    })
    .await;
    let agent = platform.agent("agent");
    subscribe(&platform, &agent, "new_agent", &receiver.url).await;
    let mut standings = Vec::new();
    for n in 0..16 {
        platform.agent(&format!("newcomer-{n}"));
        platform.server.webhooks_sent().await;
        standings.push(standing(&platform, &agent).await);
    }
    let expected: Vec<_> = (1..=4)
        .map(|n| (true, n))
        .chain([(true, 0)])
        .chain((1..=9).map(|n| (true, n)))
        .chain([(false, 10), (false, 10)])
        .collect();
    assert_eq!(standings, expected);
    assert_eq!(receiver.so_far().len(), 15, "each event is posted once");
    let attempts: Vec<_> =
        platform.server.webhooks().iter().map(|attempt| attempt.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let platform = Platform::start().await;
    let mut elsewhere = Receiver::willing().await;
    let location = elsewhere.url.clone();
    let mut receiver = Receiver::start(move |_| {
        let mut response = answer(302, "")?;
        response.headers_mut().insert("location", location.parse().unwrap());
        Some(response)
    })
    .await;
    let agent = platform.agent("agent");
    subscribe(&platform, &agent, "new_agent", &receiver.url).await;
    platform.agent("newcomer");
    platform.server.webhooks_sent().await;
    assert_eq!(receiver.so_far().len(), 1);
    assert!(elsewhere.so_far().is_empty());
    assert_eq!(platform.server.webhooks()[0].status, Some(302));
    assert_eq!(standing(&platform, &agent).await, (true, 0), "below 400 is a success");
}

#[tokio::test]
async fn a_silent_receiver_is_a_failure() {
    let limit = Duration::from_millis(50);
    let platform =
        Platform::with(MockServer::builder().delivery_time_limit(limit).start().unwrap());
    let silent = Receiver::start(|_| None).await;
    assert_fails(&platform, &silent.url, "no answer within 0.05 seconds").await;
}

#[rstest]
#[case::closed_port(&format!("http://{}/", closed_port()), "no answer: ")]
#[case::another_machine("http://198.51.100.1/", "not on this machine")]
#[case::a_name("http://example.com/", "not on this machine")]
#[case::https("https://127.0.0.1/", "only http://")]
#[tokio::test]
async fn an_unreachable_url_is_a_failure(#[case] url: &str, #[case] reason: &str) {
    assert_fails(&Platform::start().await, url, reason).await;
}

/// Posts an event to this URL, which fails for this reason.
async fn assert_fails(platform: &Platform, url: &str, reason: &str) {
    let agent = platform.agent("agent");
    subscribe(platform, &agent, "new_agent", url).await;
    platform.agent("newcomer");
    platform.server.webhooks_sent().await;
    let attempt = platform.server.webhooks().pop().unwrap();
    assert_eq!((attempt.url.as_str(), attempt.status), (url, None));
    assert!(attempt.error.as_ref().unwrap().contains(reason), "{attempt:?}");
    assert_eq!(standing(platform, &agent).await, (true, 1));
}

#[tokio::test]
async fn events_arrive_in_the_order_in_which_they_happened() {
    const EVENTS: usize = 300;
    let platform = Platform::start().await;
    let mut receiver = Receiver::willing().await;
    let agent = platform.agent("agent");
    for _ in 0..3 {
        subscribe(&platform, &agent, "new_agent", &receiver.url).await;
    }
    let created: Vec<_> =
        (0..EVENTS).map(|n| platform.agent(&format!("newcomer-{n}")).agent_id).collect();
    platform.server.webhooks_sent().await;
    let mut by_subscription = std::collections::HashMap::<String, Vec<String>>::new();
    for post in receiver.so_far() {
        let body = post.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let seen = by_subscription.entry(text(&body["subscription_id"])).or_default();
        seen.push(text(&body["data"]["agent_id"]));
    }
    assert_eq!(by_subscription.len(), 3);
    assert!(by_subscription.values().all(|seen| *seen == created));
}

#[tokio::test]
async fn a_reset_drops_queued_webhooks() {
    let platform = Platform::start().await;
    let receiver = Receiver::start(|_| None).await;
    let agent = platform.agent("agent");
    subscribe(&platform, &agent, "new_agent", &receiver.url).await;
    for n in 0..5 {
        platform.agent(&format!("newcomer-{n}"));
    }
    platform.server.reset();
    platform.server.webhooks_sent().await;
    assert!(platform.server.webhooks().is_empty());
}

#[tokio::test]
async fn the_control_api_lists_the_attempts() {
    let platform = Platform::start().await;
    let receiver = Receiver::willing().await;
    let agent = platform.agent("agent");
    let body = json!({"event_type": "new_agent", "webhook_url": receiver.url, "secret": "s3cret"});
    let subscription = platform.done(&agent, "/subscriptions", body).await;
    platform.agent("newcomer");
    platform.server.webhooks_sent().await;
    let (_, listed) = platform.call(Method::GET, "/../../_mock/webhooks", "", Value::Null).await;
    let attempt = &listed["webhooks"][0];
    assert_eq!((&attempt["event"], &attempt["url"]), (&json!("new_agent"), &json!(receiver.url)));
    assert_eq!((&attempt["status"], &attempt["attempt"]), (&json!(200), &json!(1)));
    assert_eq!(attempt["subscription_id"], subscription["id"]);
    assert_eq!(attempt["signature"].as_str().unwrap().len(), 64);
    assert!(!listed.to_string().contains("s3cret"));
}
