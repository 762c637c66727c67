//! The control API's agents and ledger, and secrets, which it never shows.

use machins_mock::{AccountKind, MachinsError, MockServer, NewAgent, Tier};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::platform::{Platform, id};

#[tokio::test]
async fn agents_are_created_as_specified() {
    let platform = Platform::start().await;
    let path = "/../../_mock/machins/agents";
    let make = async |body| platform.call(Method::POST, path, "", body).await;
    let body = json!({"name": "A", "slug": "made", "credits": "12.34", "tier": "verified"});
    let (status, agent) = make(body).await;
    assert_eq!((status, &agent["slug"], &agent["tier"]), (201, &json!("made"), &json!("verified")));
    assert_eq!((&agent["credits"], &agent["name"]), (&json!("12.34"), &json!("A")));
    let key = agent["api_key"].as_str().unwrap();
    let (_, wallet) = platform.call(Method::GET, "/wallets/me", key, Value::Null).await;
    assert_eq!(wallet["balance"], "12.34");
    let (status, plain) = make(json!({})).await;
    assert_eq!(
        (status, &plain["credits"], &plain["tier"]),
        (201, &json!("500.00"), &json!("starter"))
    );
    assert_eq!(make(json!({"credits": 0})).await.1["credits"], "0.00");
    assert_eq!(make(json!({"slug": "made"})).await.0, 409);
    let typed = NewAgent::new().name("N").slug("typed").credits(7).tier(Tier::Verified);
    let agent = platform.server.create_agent(typed.clone()).unwrap();
    assert_eq!((agent.name.as_str(), agent.credits.as_str()), ("N", "7.00"));
    assert!(matches!(platform.server.create_agent(typed), Err(MachinsError::Duplicate(_))));
    let bad = platform.server.create_agent(NewAgent::new().slug("UP"));
    assert!(matches!(bad, Err(MachinsError::Invalid(_))));
}

#[rstest]
#[case::slug(json!({"slug": "UP"}))]
#[case::negative_credits(json!({"credits": -1}))]
#[case::fraction_of_a_cent(json!({"credits": "1.001"}))]
#[case::too_many_credits(json!({"credits": 1e12}))]
#[case::tier(json!({"tier": "gold"}))]
#[case::name(json!({"name": ""}))]
#[case::list(json!([]))]
#[tokio::test]
async fn an_invalid_agent_is_refused(#[case] body: Value) {
    let platform = Platform::start().await;
    let path = "/../../_mock/machins/agents";
    let (status, error) = platform.call(Method::POST, path, "", body).await;
    assert_eq!((status, &error["code"]), (400, &json!("BAD_REQUEST")));
}

#[tokio::test]
async fn the_ledger_lists_every_account() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    platform.trade_at(&seller, &buyer, "completed").await;
    platform.trade_at(&seller, &buyer, "escrow_held").await;
    let (_, ledger) =
        platform.call(Method::GET, "/../../_mock/machins/ledger", "", Value::Null).await;
    assert_eq!((&ledger["total"], &ledger["balanced"]), (&json!("0.00"), &json!(true)));
    assert_eq!(serde_json::to_value(platform.server.ledger()).unwrap(), ledger);
    let balance = |kind: AccountKind, slug: Option<&str>| {
        let accounts = platform.server.ledger().accounts;
        let account = accounts
            .into_iter()
            .find(|account| account.account == kind && account.agent_slug.as_deref() == slug);
        account.unwrap().balance
    };
    assert_eq!(balance(AccountKind::Issuance, None), "-1000.00");
    assert_eq!(balance(AccountKind::Fees, None), "2.50");
    assert_eq!(balance(AccountKind::Available, Some("seller")), "547.50");
    assert_eq!(balance(AccountKind::Available, Some("buyer")), "400.00");
    assert_eq!(balance(AccountKind::Held, Some("buyer")), "50.00");
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let platform = Platform::start().await;
    let agent = platform.agent("agent");
    let token = agent.claim_url.strip_prefix("/claim/").unwrap().to_owned();
    let claim = json!({"email": "a@b.co", "password": "hunter2hunter2"});
    platform.call(Method::POST, &agent.claim_url, "", claim.clone()).await;
    platform.call(Method::POST, "/claim/not-even-a-token", "", claim.clone()).await;
    let (_, login) = platform.call(Method::POST, "/owners/login", "", claim).await;
    let jwt = login["access_token"].as_str().unwrap();
    let body = json!({"event_type": "new_agent", "webhook_url": "http://127.0.0.1:1/", "secret": "hook-secret"});
    platform.done(&agent, "/subscriptions", body).await;
    platform.agent("newcomer");
    platform.server.webhooks_sent().await;
    let shown = format!(
        "{:?} {:?} {:?} {:?} {agent:?} {}",
        platform.server,
        platform.server.requests(),
        platform.server.webhooks(),
        platform.server.snapshot(),
        platform.public("/public/agent/agent").await,
    );
    for secret in
        [&*agent.api_key, &token, jwt, "hunter2", "hook-secret", "not-even-a-token", "argon2"]
    {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    let paths: Vec<_> =
        platform.server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths[..2], ["/api/v1/claim/…", "/api/v1/claim/…"]);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_ids_and_keys() {
    let run = async || {
        let server = MockServer::builder().seed(7).start().unwrap();
        let platform = Platform::with(server);
        let agent = platform.agent("agent");
        let listing = platform.listing(&agent, json!({})).await;
        (agent.api_key, id(&listing).to_owned())
    };
    assert_eq!(run().await, run().await);
}
