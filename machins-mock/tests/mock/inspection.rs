//! Reading and changing everything through the control API, page by page.

use machins_mock::{MockServer, Plan};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::document::Inspector;
use crate::support::http::{control, get, post, register, send, server_with_org};

/// What the test of the replies sends.
pub(crate) const INSPECTED: [&str; 17] = [
    "GET /_mock/machins/agents 400",
    "machins/agents/{slug}",
    "machins/claims/{token}",
    "machins/inbox",
    "machins/ledger 400",
    "machins/ledger/transactions",
    "machins/listings 400",
    "machins/listings/{id}",
    "machins/subscriptions",
    "machins/trades 400",
    "GET /_mock/machins/trades/{id}",
    "clock/timers",
    "_mock/overview",
    "machineid/devices",
    "GET /_mock/machineid/orgs/{org_key}",
    "POST /_mock/machineid/orgs/{org_key}/devices",
    "machineid/checkouts",
];

const MARKET: &str = r#"{
    "orgs": [{"org_key": "org_a", "plan": "free", "devices": ["a-1"], "revoked": ["a-2"]},
             {"org_key": "org_b", "plan": "free", "devices": ["b-1"]}],
    "agents": [{"slug": "seller"}, {"slug": "buyer", "name": "The Buyer"}, {"slug": "other"}],
    "listings": [
        {"agent": "seller", "slug": "first", "title": "First", "listing_type": "task", "price": 50},
        {"agent": "seller", "slug": "second", "title": "Second", "listing_type": "data", "price": 20}],
    "trades": [
        {"listing": "first", "buyer": "buyer", "status": "disputed"},
        {"listing": "second", "buyer": "buyer", "status": "completed"},
        {"listing": "second", "buyer": "buyer", "status": "proposed"}],
    "subscriptions": [
        {"agent": "seller", "event_type": "trade_proposed", "webhook_url": "http://127.0.0.1:1/"}]
}"#;

async fn market() -> MockServer {
    let server = MockServer::start().await;
    server.load_fixtures(MARKET).unwrap();
    server
}

/// The JSON of a GET, and the list in it by a field of its entries.
async fn list(server: &MockServer, path: &str, field: &str) -> (Value, Vec<String>) {
    let (status, reply) = control(server, Method::GET, path, Value::Null).await;
    assert_eq!(status, 200, "{reply}");
    let list = reply.as_object().unwrap().values().find_map(Value::as_array).unwrap();
    let names = list.iter().map(|one| one[field].as_str().unwrap().to_owned()).collect();
    (reply.clone(), names)
}

#[rstest]
#[case::all("machins/trades", "status", &["disputed", "completed", "proposed"], 3)]
#[case::newest("machins/trades?sort=newest&limit=1", "status", &["proposed"], 3)]
#[case::page("machins/trades?offset=1&limit=1", "status", &["completed"], 3)]
#[case::status("machins/trades?status=proposed", "status", &["proposed"], 1)]
#[case::search("machins/trades?search=fIRST", "listing_title", &["First"], 1)]
#[case::stranger("machins/trades?agent=other", "status", &[], 0)]
#[case::party("machins/trades?agent=buyer&limit=1", "buyer_agent_slug", &["buyer"], 3)]
#[case::agents("machins/agents?search=the%20b", "slug", &["buyer"], 1)]
#[case::listings("machins/listings?sort=price_asc", "slug", &["second", "first"], 2)]
#[case::listing_type("machins/listings?listing_type=data", "agent_slug", &["seller"], 1)]
#[case::price("machins/listings?min_price=21", "slug", &["first"], 1)]
#[case::devices("machineid/devices", "device_id", &["a-2", "a-1", "b-1"], 3)]
#[case::org("machineid/devices?org_key=org_a&status=revoked", "device_id", &["a-2"], 1)]
#[case::device("machineid/devices?search=B-", "org_key", &["org_b"], 1)]
#[case::timers("clock/timers", "kind", &["dispute_resolves"], 1)]
#[case::subscriptions("machins/subscriptions?agent=seller", "event_type", &["trade_proposed"], 1)]
#[tokio::test]
async fn lists_are_read_part_by_part(
    #[case] path: &str,
    #[case] field: &str,
    #[case] expected: &[&str],
    #[case] total: usize,
) {
    let server = market().await;
    let (reply, found) = list(&server, path, field).await;
    let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
    assert_eq!((found, &reply["total"]), (expected, &json!(total)));
}

#[tokio::test]
async fn a_trade_leads_to_its_events_and_entries() {
    let server = market().await;
    let (trades, _) = list(&server, "machins/trades?status=disputed", "id").await;
    let id = trades["trades"][0]["id"].as_str().unwrap();
    let (status, trade) =
        control(&server, Method::GET, &format!("machins/trades/{id}"), Value::Null).await;
    assert_eq!((status, &trade["listing_title"]), (200, &json!("First")));
    let (entries, kinds) =
        list(&server, &format!("machins/ledger/transactions?reference={id}"), "category").await;
    assert_eq!(kinds, ["escrow_hold"]);
    assert_eq!(entries["transactions"][0]["entries"][0]["agent_slug"], "buyer");
    let (_, events) = list(&server, &format!("machins/inbox?trade={id}"), "event_type").await;
    assert!(events.iter().all(|event| event.starts_with("trade_")), "{events:?}");
    let path = "machins/ledger?agent=buyer&limit=1";
    let (ledger, accounts) = list(&server, path, "account").await;
    assert_eq!(
        (accounts.as_slice(), &ledger["balanced"]),
        (&["available".to_owned()][..], &json!(true))
    );
}

#[tokio::test]
async fn devices_are_changed_many_at_a_time() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a", "b", "c"]).await;
    let path = format!("machineid/orgs/{}/devices", org.key());
    let change = async |body| control(&server, Method::POST, &path, body).await;
    let (status, reply) = change(json!({"action": "revoke", "devices": ["a", "b", "x"]})).await;
    assert_eq!((status, &reply["changed"]), (200, &json!(["a", "b"])));
    assert_eq!(reply["unchanged"], json!([{"device_id": "x", "reason": "not_found"}]));
    let (_, decision) = post(&server, &org, "devices/validate", json!({"deviceId": "a"})).await;
    assert_eq!(decision["code"], "DEVICE_REVOKED");
    change(json!({"action": "register", "devices": ["d"]})).await;
    let (_, reply) = change(json!({"action": "restore"})).await;
    assert_eq!(reply["changed"], json!(["b"]), "the newest revoked first, up to the limit");
    let (_, reply) = change(json!({"action": "restore", "devices": ["a"]})).await;
    assert_eq!(reply["unchanged"][0]["reason"], "at_cap");
    let (_, reply) = change(json!({"action": "revoke"})).await;
    assert_eq!(reply["changed"], json!(["b", "c", "d"]));
    let (_, reply) = change(json!({"action": "remove", "devices": ["d"]})).await;
    assert_eq!(reply["changed"], json!(["d"]));
    assert_eq!(get(&server, &org, "devices/list").await.1["devices"].as_array().unwrap().len(), 3);
    let (status, _) = control(
        &server,
        Method::POST,
        "machineid/orgs/org_none/devices",
        json!({"action": "revoke"}),
    )
    .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_checkout_is_paid_once() {
    let (server, org) = server_with_org(Plan::Free).await;
    let (_, checkout) = post(&server, &org, "billing/checkout", json!({"plan": "scale"})).await;
    let url = checkout["url"].as_str().unwrap();
    let id = url.strip_prefix(&format!("{}/checkout/", server.url())).unwrap();
    let path = format!("machineid/checkouts/{id}");
    let (_, shown) = control(&server, Method::GET, &path, Value::Null).await;
    assert_eq!((&shown["plan"], &shown["status"]), (&json!("scale"), &json!("open")));
    let finish = format!("{path}/finish");
    let (_, paid) = control(&server, Method::POST, &finish, json!({"outcome": "pay"})).await;
    assert_eq!((&paid["status"], &paid["current_plan"]), (&json!("paid"), &json!("scale")));
    assert_eq!(get(&server, &org, "usage").await.1["planTier"], "scale");
    let (status, _) = control(&server, Method::POST, &finish, json!({"outcome": "cancel"})).await;
    assert_eq!(status, 409);
    let other = MockServer::start().await;
    other.restore(&server.snapshot());
    let (_, shown) = control(&other, Method::GET, &path, Value::Null).await;
    assert_eq!(shown["status"], "paid", "a checkout is part of the world");
}

#[rstest]
#[case::org("org_key=org_b", &["/api/v1/usage"])]
#[case::failed("failed=true", &["/nowhere"])]
#[case::body("search=DEVICE-NINE", &["/api/v1/devices/register"])]
#[case::before("before=2", &["/api/v1/devices/register"])]
#[tokio::test]
async fn requests_are_searched(#[case] query: &str, #[case] expected: &[&str]) {
    let server = market().await;
    let body = json!({"deviceId": "device-nine"});
    send(&server, Method::POST, "/api/v1/devices/register", "org_a", body).await;
    send(&server, Method::GET, "/api/v1/usage", "org_b", Value::Null).await;
    send(&server, Method::GET, "/nowhere", "", Value::Null).await;
    let (reply, paths) = list(&server, &format!("requests?brief=true&{query}"), "path").await;
    assert_eq!(paths, expected);
    assert_eq!(reply["requests"][0]["headers"], json!({}));
    let seq = reply["requests"][0]["seq"].as_u64().unwrap();
    let (_, whole) = control(&server, Method::GET, &format!("requests/{seq}"), Value::Null).await;
    assert_eq!(whole["path"], paths[0]);
    assert_ne!(whole["headers"], json!({}));
}

#[tokio::test]
async fn the_overview_counts_both_services() {
    let server = market().await;
    send(&server, Method::GET, "/api/v1/public/stats", "", Value::Null).await;
    let (_, overview) = control(&server, Method::GET, "overview", Value::Null).await;
    assert_eq!(
        overview["machineid"],
        json!({"orgs": 2, "devices": 3, "allowed": 2, "denied": 1, "revoked": 1})
    );
    assert_eq!(overview["machins"]["trades"]["disputed"], 1);
    let credits = &overview["machins"]["credits"];
    assert_eq!((&credits["held"], &credits["fees"]), (&json!("50.00"), &json!("1.00")));
    assert_eq!(credits["total"], "0.00");
    assert_eq!(overview["requests"]["received"], 1);
    let counts = overview["requests"]["per_second"].as_array().unwrap();
    assert_eq!((counts.len(), counts.iter().filter_map(Value::as_u64).sum()), (60, 1_u64));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "most of it is a table")]
async fn every_reply_is_as_documented() {
    let mut inspector = Inspector::new(market().await).await;
    let (trades, _) = list(&inspector.server, "machins/trades", "id").await;
    let trade = trades["trades"][0].clone();
    let (id, listing) = (trade["id"].as_str().unwrap(), trade["listing_id"].as_str().unwrap());
    let (agents, _) = list(&inspector.server, "machins/agents", "slug").await;
    let claim = agents["agents"][0]["claim_url"].as_str().unwrap().replacen("/claim/", "", 1);
    let body = json!({"plan": "pro"});
    let checkout =
        send(&inspector.server, Method::POST, "/api/v1/billing/checkout", "org_a", body).await;
    let checkout = checkout.json()["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let get = Method::GET;
    let huge = json!({"action": "x".repeat(2 * 1024 * 1024)});
    for (method, root, name, template, body) in [
        (&get, "machins/trades/", id, "machins/trades/{id}", Value::Null),
        (&get, "machins/trades/", "x", "machins/trades/{id}", Value::Null),
        (&get, "machins/listings/", listing, "machins/listings/{id}", Value::Null),
        (&get, "machins/listings/", "x", "machins/listings/{id}", Value::Null),
        (&get, "machins/agents/", "buyer", "machins/agents/{slug}", Value::Null),
        (&get, "machins/agents/", "x", "machins/agents/{slug}", Value::Null),
        (&get, "machins/claims/", &claim, "machins/claims/{token}", Value::Null),
        (&get, "machins/claims/", "x", "machins/claims/{token}", Value::Null),
        (&get, "machins/inbox", "", "machins/inbox", Value::Null),
        (&get, "machins/subscriptions", "", "machins/subscriptions", Value::Null),
        (&get, "machins/ledger/transactions", "", "machins/ledger/transactions", Value::Null),
        (&get, "machins/inbox", "?limit=x", "machins/inbox", Value::Null),
        (&get, "machins/subscriptions", "?limit=x", "machins/subscriptions", Value::Null),
        (
            &get,
            "machins/ledger/transactions",
            "?limit=x",
            "machins/ledger/transactions",
            Value::Null,
        ),
        (&get, "machins/agents", "?limit=x", "machins/agents", Value::Null),
        (&get, "machins/listings", "?limit=x", "machins/listings", Value::Null),
        (&get, "clock/timers", "?limit=x", "clock/timers", Value::Null),
        (&get, "machins/ledger", "?limit=x", "machins/ledger", Value::Null),
        (&get, "machins/trades", "?status=x", "machins/trades", Value::Null),
        (&get, "clock/timers", "", "clock/timers", Value::Null),
        (&get, "overview", "", "overview", Value::Null),
        (&get, "machineid/devices", "", "machineid/devices", Value::Null),
        (&get, "machineid/devices", "?status=x", "machineid/devices", Value::Null),
        (&get, "machineid/orgs/", "org_a", "machineid/orgs/{org_key}", Value::Null),
        (&get, "machineid/orgs/", "org_x", "machineid/orgs/{org_key}", Value::Null),
        (&get, "machineid/checkouts", "", "machineid/checkouts", Value::Null),
        (&get, "machineid/checkouts/", &checkout, "machineid/checkouts/{id}", Value::Null),
        (&get, "machineid/checkouts/", "x", "machineid/checkouts/{id}", Value::Null),
        (
            &Method::POST,
            "machineid/orgs/",
            "org_a/devices",
            "machineid/orgs/{org_key}/devices",
            json!({"action": "revoke", "devices": ["a-1", "zz"]}),
        ),
        (
            &Method::POST,
            "machineid/checkouts/",
            &format!("{checkout}/finish"),
            "machineid/checkouts/{id}/finish",
            json!({"outcome": "pay"}),
        ),
        (
            &Method::POST,
            "machineid/checkouts/",
            &format!("{checkout}/finish"),
            "machineid/checkouts/{id}/finish",
            json!({"outcome": "pay"}),
        ),
        (
            &Method::POST,
            "machineid/checkouts/",
            "x/finish",
            "machineid/checkouts/{id}/finish",
            json!({"outcome": "pay"}),
        ),
        (
            &Method::POST,
            "machineid/checkouts/",
            "x/finish",
            "machineid/checkouts/{id}/finish",
            json!({"outcome": "steal"}),
        ),
        (
            &Method::POST,
            "machineid/checkouts/",
            "x/finish",
            "machineid/checkouts/{id}/finish",
            huge.clone(),
        ),
        (
            &Method::POST,
            "machineid/orgs/",
            "org_x/devices",
            "machineid/orgs/{org_key}/devices",
            json!({"action": "revoke"}),
        ),
        (
            &Method::POST,
            "machineid/orgs/",
            "org_a/devices",
            "machineid/orgs/{org_key}/devices",
            json!({"action": "x"}),
        ),
        (
            &Method::POST,
            "machineid/orgs/",
            "org_a/devices",
            "machineid/orgs/{org_key}/devices",
            huge,
        ),
    ] {
        let (path, template) = (format!("/_mock/{root}{name}"), format!("/_mock/{template}"));
        inspector.send(method.clone(), &path, &template, "", body).await;
    }
    let unseen = inspector.unseen("Mock control");
    // `every_control_refuses_what_it_does_not_take` sends what is refused with 400.
    let is_inspected = |call: &&String| {
        INSPECTED.iter().any(|path| call.contains(path)) && !call.ends_with(" 400")
    };
    let unsent: Vec<_> = unseen.iter().filter(is_inspected).collect();
    assert!(unsent.is_empty(), "documented, but never sent: {unsent:?}");
}
