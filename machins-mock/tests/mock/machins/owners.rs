//! Claims, logins, and what verified agents may do.

use machins_mock::{Agent, MockServer, NewAgent};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::client;
use crate::support::platform::{
    DAY, DUPLICATE, FORBIDDEN, HOUR, Platform, UNAUTHORIZED, VALIDATION, assert_refused,
};

fn human(email: &str) -> Value {
    json!({"email": email, "password": "securepassword", "name": "Alice"})
}

async fn claim(platform: &Platform, agent: &Agent, body: Value) -> (u16, Value) {
    platform.call(Method::POST, &agent.claim_url, "", body).await
}

async fn login(platform: &Platform, email: &str, password: &str) -> (u16, Value) {
    let body = json!({"email": email, "password": password});
    platform.call(Method::POST, "/owners/login", "", body).await
}

async fn me(platform: &Platform, header: Option<&str>) -> (u16, Value) {
    let url = format!("{}/owners/me", platform.server.machins_base_url());
    let mut request = client().get(url);
    if let Some(header) = header {
        request = request.header("Authorization", header);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_claim_verifies_the_agent_and_its_owner_logs_in() {
    let platform = Platform::start().await;
    let agent = platform.agent("claimed");
    let (status, reply) = claim(&platform, &agent, human("Human@Example.com")).await;
    assert_eq!(status, 200, "{reply}");
    assert_eq!(
        (&reply["agent_id"], &reply["email"]),
        (&json!(agent.agent_id), &json!("human@example.com"))
    );
    let tier = json!({"current": "verified", "max_trade_size": null, "upgrade_action": null});
    assert_eq!(reply["trust_tier"], tier);

    let (status, login) = login(&platform, "human@example.com", "securepassword").await;
    assert_eq!((status, &login["token_type"]), (200, &json!("bearer")));
    assert_eq!(login["expires_in"], 86400);
    let token = login["access_token"].as_str().unwrap();
    let (status, profile) = me(&platform, Some(&format!("Bearer {token}"))).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&profile["name"], &profile["email"]),
        (&json!("Alice"), &json!("human@example.com"))
    );
    assert_eq!(profile["agents"][0]["slug"], "claimed");
    assert_eq!(profile["agents"][0]["trust_tier"], "verified");
    let text = profile.to_string();
    assert!(!text.contains("argon2") && !text.contains("password") && !text.contains("at_"));
}

#[tokio::test]
async fn an_agent_is_claimed_once_with_an_unused_email() {
    let platform = Platform::start().await;
    let (one, other) = (platform.agent("one"), platform.agent("other"));
    assert_eq!(claim(&platform, &one, human("a@b.co")).await.0, 200);
    let (status, reply) = claim(&platform, &one, human("c@d.co")).await;
    assert_refused(status, &reply, DUPLICATE, "claimed twice");
    let (status, reply) = claim(&platform, &other, human(" A@B.co ")).await;
    assert_refused(status, &reply, DUPLICATE, "an email that is taken");
    assert_eq!(reply["error"]["details"]["field"], "email");
    assert_eq!(claim(&platform, &other, human("c@d.co")).await.0, 200);
}

#[rstest]
#[case::short_password(json!({"email": "c@d.co", "password": "seven77"}))]
#[case::long_password(json!({"email": "c@d.co", "password": "p".repeat(1025)}))]
#[case::number_as_password(json!({"email": "c@d.co", "password": 12_345_678}))]
#[case::no_password(json!({"email": "c@d.co"}))]
#[case::no_email(json!({"password": "securepassword"}))]
#[case::no_at(json!({"email": "c.d.co", "password": "securepassword"}))]
#[case::nothing_before_at(json!({"email": "@d.co", "password": "securepassword"}))]
#[case::no_dot(json!({"email": "c@d", "password": "securepassword"}))]
#[case::two_dots(json!({"email": "c@d..co", "password": "securepassword"}))]
#[case::two_ats(json!({"email": "c@@d.co", "password": "securepassword"}))]
#[case::space(json!({"email": "c d@d.co", "password": "securepassword"}))]
#[case::long_email(json!({"email": format!("{}@d.co", "c".repeat(250)), "password": "securepassword"}))]
#[case::empty_name(json!({"email": "c@d.co", "password": "securepassword", "name": ""}))]
#[case::list(json!([]))]
#[case::no_body(Value::Null)]
#[tokio::test]
async fn an_invalid_claim_is_refused(#[case] body: Value) {
    let platform = Platform::start().await;
    let agent = platform.agent("agent");
    let (status, reply) = claim(&platform, &agent, body).await;
    assert_refused(status, &reply, VALIDATION, "a claim");
}

#[tokio::test]
async fn a_claim_token_expires_after_seven_days() {
    let platform = Platform::start().await;
    let (in_time, late) = (platform.agent("in-time"), platform.agent("late"));
    platform.server.clock().advance(167 * HOUR).unwrap();
    assert_eq!(claim(&platform, &in_time, human("a@b.co")).await.0, 200);
    platform.server.clock().advance(HOUR).unwrap();
    let (status, reply) = claim(&platform, &late, human("c@d.co")).await;
    assert_refused(status, &reply, UNAUTHORIZED, "an expired token");
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let platform = Platform::start().await;
    let agent = platform.agent("agent");
    assert_eq!(claim(&platform, &agent, human("a@b.co")).await.0, 200);
    let (_, reply) = login(&platform, "a@b.co", "securepassword").await;
    let good = reply["access_token"].as_str().unwrap();
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let none = base64(r#"{"alg":"none","typ":"JWT"}"#);
    let (flipped, first) = (&signature[1..], &signature[..1]);
    let flipped = format!("{}{flipped}", if first == "A" { "B" } else { "A" });
    let other_world = MockServer::start().await;
    let stranger = other_world.create_agent(NewAgent::new()).unwrap();
    let claim_token = agent.claim_url.strip_prefix("/claim/").unwrap();
    for forged in [
        String::new(),
        "x".to_owned(),
        "..".to_owned(),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{flipped}"),
        format!("{header}.{}.{signature}", base64(r#"{"sub":"x"}"#)),
        format!("{good}.{signature}"),
        claim_token.to_owned(),
        "e".repeat(5000),
    ] {
        let (status, reply) = me(&platform, Some(&format!("Bearer {forged}"))).await;
        assert_refused(status, &reply, UNAUTHORIZED, &forged);
        if !forged.is_empty() && forged != claim_token && !forged.contains("..") {
            let path = format!("/claim/{forged}");
            let (status, reply) = platform.call(Method::POST, &path, "", human("c@d.co")).await;
            assert_refused(status, &reply, UNAUTHORIZED, &path);
        }
    }
    for token in [good, stranger.claim_url.strip_prefix("/claim/").unwrap()] {
        let path = format!("/claim/{token}");
        let (status, reply) = platform.call(Method::POST, &path, "", human("c@d.co")).await;
        assert_refused(status, &reply, UNAUTHORIZED, "a token for something else");
    }
    for header in [None, Some("Basic eDp5"), Some("Bearer"), Some(good)] {
        let (status, reply) = me(&platform, header).await;
        assert_refused(status, &reply, UNAUTHORIZED, &format!("{header:?}"));
    }
    assert_eq!(me(&platform, Some(&format!("bearer {good}"))).await.0, 200);
    platform.server.clock().advance(DAY).unwrap();
    let (status, reply) = me(&platform, Some(&format!("Bearer {good}"))).await;
    assert_refused(status, &reply, UNAUTHORIZED, "a day later");
}

#[tokio::test]
async fn wrong_email_and_wrong_password_look_the_same() {
    let platform = Platform::start().await;
    let agent = platform.agent("agent");
    claim(&platform, &agent, human("a@b.co")).await;
    let (status, wrong) = login(&platform, "a@b.co", "wrongpassword").await;
    assert_refused(status, &wrong, UNAUTHORIZED, "a wrong password");
    let (status, unknown) = login(&platform, "nobody@b.co", "securepassword").await;
    assert_refused(status, &unknown, UNAUTHORIZED, "an unknown email");
    assert_eq!(wrong, unknown, "nobody learns which of the two was wrong");
    for bad in [json!({"email": "a@b.co"}), json!({"email": 1, "password": "x"}), Value::Null] {
        let (status, reply) = platform.call(Method::POST, "/owners/login", "", bad.clone()).await;
        assert_refused(status, &reply, VALIDATION, &bad.to_string());
    }
}

#[tokio::test]
async fn starters_trade_up_to_a_hundred_credits() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let just = platform.listing(&seller, json!({"price": 100})).await;
    let more = platform.listing(&seller, json!({"price": "100.01"})).await;
    platform.propose(&buyer, &just).await;
    let proposal = json!({"listing_id": more["id"]});
    platform.refused(&buyer, "/trades", proposal.clone(), FORBIDDEN).await;
    claim(&platform, &buyer, human("a@b.co")).await;
    platform.refused(&buyer, "/trades", proposal.clone(), FORBIDDEN).await;
    claim(&platform, &seller, human("c@d.co")).await;
    platform.done(&buyer, "/trades", proposal).await;
}
