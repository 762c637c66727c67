//! Fixed keys and fixtures.

use machins_mock::{MockServer, NewAgent, OrgKeyError, Plan};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{control, get};
use crate::support::platform::Platform;

#[tokio::test]
async fn an_org_has_the_key_of_your_choice() {
    let server = MockServer::start().await;
    let body = json!({"plan": "pro", "org_key": "org_test-1"});
    let (status, org) = control(&server, Method::POST, "machineid/orgs", body.clone()).await;
    assert_eq!((status, &org["org_key"]), (201, &json!("org_test-1")));
    let org = server.org("org_test-1").unwrap();
    assert_eq!(get(&server, &org, "usage").await.1["planTier"], "pro");
    let (status, error) = control(&server, Method::POST, "machineid/orgs", body).await;
    assert_eq!((status, &error["code"]), (409, &json!("DUPLICATE")));
    let (_, list) = control(&server, Method::GET, "machineid/orgs", Value::Null).await;
    assert_eq!(list["orgs"][0]["org_key"], "org_test-1");
    let again = server.create_org_with_key(Plan::Free, "org_test-1");
    assert_eq!(again.unwrap_err(), OrgKeyError::Duplicate);
    assert_eq!(server.create_org_with_key(Plan::Free, "org_2").unwrap().key(), "org_2");
}

#[rstest]
#[case::prefix("test")]
#[case::nothing_behind("org_")]
#[case::space("org_a b")]
#[case::slash("org_a/b")]
#[case::long(&format!("org_{}", "x".repeat(129)))]
#[tokio::test]
async fn an_invalid_org_key_is_refused(#[case] key: &str) {
    let server = MockServer::start().await;
    let body = json!({"org_key": key});
    let (status, error) = control(&server, Method::POST, "machineid/orgs", body).await;
    assert_eq!(status, 400);
    assert!(error["detail"].as_str().unwrap().starts_with("`org_key`: must be org_"), "{error}");
}

#[tokio::test]
async fn an_agent_has_the_key_of_your_choice() {
    let platform = Platform::start().await;
    let server = &platform.server;
    let body = json!({"slug": "seller", "api_key": "at_test"});
    let (status, agent) = control(server, Method::POST, "machins/agents", body.clone()).await;
    assert_eq!(
        (status, &agent["api_key"], &agent["name"]),
        (201, &json!("at_test"), &json!("seller"))
    );
    let wallet = platform.call(Method::GET, "/wallets/me", "at_test", Value::Null).await;
    assert_eq!(wallet.0, 200);
    let other = json!({"slug": "other", "api_key": "at_test"});
    assert_eq!(control(server, Method::POST, "machins/agents", other).await.0, 409);
    let bad = json!({"slug": "other", "api_key": "test"});
    let (status, error) = control(server, Method::POST, "machins/agents", bad).await;
    assert_eq!((status, error["detail"].as_str().unwrap().contains("at_")), (400, true));
    let new = NewAgent::new().slug("third").api_key("at_third");
    assert!(!format!("{new:?}").contains("at_third"));
    assert_eq!(server.create_agent(new).unwrap().api_key, "at_third");
    let (_, list) = control(server, Method::GET, "machins/agents", Value::Null).await;
    let slugs: Vec<_> = list["agents"].as_array().unwrap().iter().map(|one| &one["slug"]).collect();
    assert_eq!(slugs, ["seller", "third"]);
}

fn fixtures() -> Value {
    json!({
        "orgs": [{
            "org_key": "org_test", "plan": "free", "devices": ["a", "b", "c"],
            "revoked": ["d", "e"], "execution_enabled": false,
        }],
        "agents": [
            {"slug": "seller", "name": "Seller", "api_key": "at_seller", "credits": 1000, "tier": "verified"},
            {"slug": "buyer", "api_key": "at_buyer", "credits": "5000.50", "tier": "verified"},
        ],
        "listings": [
            {"agent": "seller", "slug": "offer", "title": "O", "listing_type": "task", "price": 120,
             "input_schema": {"n": 1}},
            {"agent": "buyer", "slug": "request", "title": "R", "listing_type": "asset", "price": "1.50",
             "side": "request", "bounty": true},
            {"agent": "seller", "slug": "quick", "title": "Q", "listing_type": "api", "price": 1,
             "auto_accept": true},
        ],
        "trades": [
            {"listing": "offer", "buyer": "buyer"},
            {"listing": "offer", "buyer": "buyer", "status": "rejected"},
            {"listing": "offer", "buyer": "buyer", "status": "escrow_held", "terms": "soon"},
            {"listing": "offer", "buyer": "buyer", "status": "cancelled"},
            {"listing": "offer", "buyer": "buyer", "status": "delivered",
             "delivery": {"payload": {"result": 7}}},
            {"listing": "request", "seller": "seller", "status": "completed"},
            {"listing": "offer", "buyer": "buyer", "status": "disputed"},
            {"listing": "offer", "buyer": "buyer", "status": "resolved", "outcome": "release"},
            {"listing": "quick", "buyer": "buyer", "status": "completed"},
        ],
        "subscriptions": [
            {"agent": "seller", "event_type": "trade_proposed", "webhook_url": "http://127.0.0.1:1/",
             "secret": "s", "filters": {"price": "1.00"}},
        ],
    })
}

#[tokio::test]
async fn fixtures_are_added() {
    let platform = Platform::start().await;
    let server = &platform.server;
    let (status, loaded) = control(server, Method::POST, "fixtures", fixtures()).await;
    assert_eq!(status, 201, "{loaded}");
    let state = server.org("org_test").unwrap().state().unwrap();
    assert_eq!((state.devices_used, state.execution_enabled), (3, false));
    let statuses: Vec<_> =
        loaded["trades"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(
        statuses,
        [
            "proposed",
            "rejected",
            "escrow_held",
            "cancelled",
            "delivered",
            "completed",
            "disputed",
            "resolved",
            "completed"
        ]
    );
    assert_eq!(loaded["trades"][4]["delivery_payload"], json!({"result": 7}));
    assert_eq!(loaded["subscriptions"][0]["has_secret"], true);
    platform.assert_balanced();
    let wallet = platform.call(Method::GET, "/wallets/me", "at_buyer", Value::Null).await.1;
    assert_eq!(wallet["held_balance"], "360.00");
    let (_, trades) = control(server, Method::GET, "machins/trades", Value::Null).await;
    let ids = |list: &Value| -> Vec<Value> {
        list["trades"].as_array().unwrap().iter().map(|trade| trade["id"].clone()).collect()
    };
    assert_eq!(ids(&trades), ids(&loaded));
    let (_, listings) = control(server, Method::GET, "machins/listings", Value::Null).await;
    assert_eq!(listings["listings"].as_array().unwrap().len(), 3);
    assert!(server.webhooks().is_empty(), "subscriptions come last");
}

#[rstest]
#[case::field("/orgs/0/plann", json!("free"), 400, "orgs[0].plann", "unknown field `orgs[0].plann`; the nearest known one is `plan`")]
#[case::plan("/orgs/0/plan", json!("gold"), 400, "orgs[0].plan", "`orgs[0].plan`: must be one of free, pro, scale, max, not \"gold\"")]
#[case::key("/orgs/0/org_key", json!("x"), 400, "orgs[0].org_key", "`orgs[0].org_key`: must be org_")]
#[case::device("/orgs/0/devices/1", json!("b b"), 400, "orgs[0].devices[1]", "`orgs[0].devices[1]`: a device id must be")]
#[case::device_twice("/orgs/0/devices/1", json!("a"), 400, "orgs[0].devices[1]", "`orgs[0].devices[1]`: the device is listed twice")]
#[case::too_many("/orgs/0/devices/3", json!("x"), 400, "orgs[0].devices[3]", "`orgs[0].devices[3]`: the plan allows only 3 active devices")]
#[case::slug("/agents/1/slug", json!("seller"), 409, "agents[1].slug", "`agents[1].slug`: another agent has this slug")]
#[case::agent("/listings/1/agent", json!("nobody"), 400, "listings[1].agent", "`listings[1].agent`: no agent has the slug `nobody`")]
#[case::price("/listings/0/price", json!(1.234), 400, "listings[0].price", "`listings[0].price`: ")]
#[case::no_price(
    "/listings/0/price",
    Value::Null,
    400,
    "listings[0].price",
    "`listings[0].price`: "
)]
#[case::listing_field("/listings/0/titel", json!("T"), 400, "listings[0].titel", "unknown field `listings[0].titel`; the nearest known one is `title`")]
#[case::buyer("/trades/0/buyer", json!("nobody"), 400, "trades[0].buyer", "`trades[0].buyer`: no agent has the slug `nobody`")]
#[case::listing("/trades/2/listing", json!("none"), 400, "trades[2].listing", "`trades[2].listing`: no listing has the slug `none`")]
#[case::status("/trades/2/status", json!("done"), 400, "trades[2].status", "`trades[2].status`: must be one of proposed, escrow_held")]
#[case::party("/trades/5/buyer", json!("seller"), 400, "trades[5].buyer", "`trades[5].buyer`: the listing is a request")]
#[case::event("/subscriptions/0/event_type", json!("x"), 400, "subscriptions[0].event_type", "`subscriptions[0].event_type`: must be one of")]
#[tokio::test]
async fn refused_fixtures_name_the_place_and_add_nothing(
    #[case] pointer: &str,
    #[case] bad: Value,
    #[case] status: u16,
    #[case] place: &str,
    #[case] message: &str,
) {
    let server = MockServer::start().await;
    let mut fixtures = fixtures();
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    match fixtures.pointer_mut(parent).unwrap() {
        Value::Array(items) => {
            let n: usize = last.parse().unwrap();
            items.resize(items.len().max(n + 1), Value::Null);
            items[n] = bad;
        }
        object => object[last] = bad,
    }
    let before = server.snapshot();
    let (given, error) = control(&server, Method::POST, "fixtures", fixtures.clone()).await;
    let detail = error["detail"].as_str().unwrap();
    assert_eq!((given, &error["field"]), (status, &json!(place)), "{detail}");
    assert!(detail.starts_with(message), "{detail}");
    assert_eq!(server.snapshot(), before);
    let error = server.load_fixtures(&fixtures.to_string()).unwrap_err();
    assert_eq!((error.field(), error.to_string().as_str()), (Some(place), detail));
}

#[tokio::test]
async fn numbers_in_fixtures_pass_unchanged() {
    let server = MockServer::start().await;
    let big = "123456789012345678901234567890.10";
    let json = format!(
        r#"{{"agents":[{{"slug":"seller"}}],"listings":[{{"agent":"seller","slug":"abc","title":"T",
            "listing_type":"task","price":5,"input_schema":{{"n":{big}}}}}]}}"#
    );
    let loaded = server.load_fixtures(&json).unwrap();
    assert!(loaded.as_str().contains(big), "{loaded:?}");
}
