//! Typos and wrong values, told by name.

use machins_mock::{MockServer, Plan};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{client, control, exchange, post, register, server_with_org};
use crate::support::platform::Platform;

#[rstest]
#[case::fault_match("faults", json!({"match": {"paht": "/a"}, "kind": "drop_before"}), "match.paht", "path")]
#[case::fault_times("faults", json!({"tims": 1, "kind": "drop_before"}), "tims", "times")]
#[case::other_kinds_field("faults", json!({"kind": "delay", "millis": 1, "status": 500}), "status", "times")]
#[case::agent("machins/agents", json!({"credit": 5}), "credit", "credits")]
#[case::org("machineid/orgs", json!({"plann": "free"}), "plann", "plan")]
#[case::clock("clock/advance", json!({"second": 5}), "second", "seconds")]
#[case::world("worlds", json!({"nmae": "a"}), "nmae", "name")]
#[tokio::test]
async fn an_unknown_field_is_refused_with_the_nearest(
    #[case] path: &str,
    #[case] body: Value,
    #[case] field: &str,
    #[case] nearest: &str,
) {
    let server = MockServer::start().await;
    let (status, error) = control(&server, Method::POST, path, body).await;
    assert_eq!((status, &error["field"]), (400, &json!(field)), "{error}");
    let detail = error["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("`{field}`")), "{detail}");
    if field != "status" {
        assert_eq!(error["nearest"], json!([nearest]));
        assert!(detail.contains(&format!("`{nearest}`")), "{detail}");
    }
    assert!(server.faults().is_empty());
}

/// The places of all objects in a document, as JSON pointers.
fn objects(document: &Value, place: &str, found: &mut Vec<String>) {
    match document {
        Value::Object(fields) => {
            found.push(place.to_owned());
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                objects(value, &format!("{place}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, &format!("{place}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn an_unknown_field_anywhere_in_a_world_is_refused() {
    let server = MockServer::start().await;
    let market = json!({
        "orgs": [{"org_key": "org_a", "plan": "pro", "devices": ["agent-01"], "revoked": ["agent-02"]}],
        "agents": [{"slug": "seller"}, {"slug": "buyer", "credits": 100}],
        "listings": [
            {"agent": "seller", "slug": "first", "title": "First", "listing_type": "task", "price": 5},
        ],
        "trades": [{"listing": "first", "buyer": "buyer", "status": "completed"}],
        "subscriptions": [
            {"agent": "seller", "event_type": "trade_proposed", "webhook_url": "http://127.0.0.1:9/"},
        ],
    });
    assert_eq!(control(&server, Method::POST, "fixtures", market).await.0, 201);
    let (_, world) = control(&server, Method::GET, "state", Value::Null).await;
    assert_eq!(control(&server, Method::PUT, "state", world.clone()).await.0, 200);
    let mut places = Vec::new();
    objects(&world, "", &mut places);
    assert!(places.len() > 20, "{places:?}");
    for place in places {
        let mut changed = world.clone();
        changed.pointer_mut(&place).unwrap()["bogus"] = json!(1);
        let (status, error) = control(&server, Method::PUT, "state", changed).await;
        if status == 200 {
            // A value of any shape, such as the payload of an event, keeps it.
            let (_, kept) = control(&server, Method::GET, "state", Value::Null).await;
            assert_eq!(kept.pointer(&place).unwrap()["bogus"], 1, "{place}");
            continue;
        }
        assert_eq!(status, 400, "{place}: {error}");
        if place.is_empty() {
            assert_eq!(error["field"], "bogus");
            assert_eq!(error["nearest"].as_array().map(Vec::len), Some(1), "{error}");
        }
    }
}

#[tokio::test]
async fn an_unknown_setting_of_an_org_is_refused() {
    let (server, org) = server_with_org(Plan::Free).await;
    let path = format!("machineid/orgs/{}", org.key());
    let (status, error) = control(&server, Method::PATCH, &path, json!({"frozn": true})).await;
    assert_eq!((status, &error["nearest"]), (400, &json!(["frozen"])));
}

#[rstest]
#[case::query(Method::GET, "clock?nwo=1", Value::Null, "unknown parameter `nwo`")]
#[case::query_of_a_post(Method::POST, "reset?seed=1", Value::Null, "unknown parameter `seed`")]
#[case::body(Method::POST, "reset", json!({"seed": 1}), "unknown field `seed`")]
#[tokio::test]
async fn a_route_refuses_what_it_does_not_take(
    #[case] method: Method,
    #[case] path: &str,
    #[case] body: Value,
    #[case] message: &str,
) {
    let server = MockServer::start().await;
    let (status, error) = control(&server, method, path, body).await;
    assert_eq!(status, 400);
    assert!(error["detail"].as_str().unwrap().starts_with(message), "{error}");
    assert_eq!(control(&server, Method::POST, "reset", json!({})).await.0, 200);
}

#[rstest]
#[case::switch("machineid/orgs/KEY", json!({"frozen": "yes"}), r#"`frozen`: must be true or false, not "yes""#)]
#[case::choice("machineid/orgs/KEY", json!({"plan": "gold"}), r#"`plan`: must be one of free, pro, scale, max, not "gold""#)]
#[case::number("clock/advance", json!({"seconds": "5"}), "`seconds`: must be a number")]
#[case::missing("clock/advance", json!({}), "`seconds`: is missing; it must be a number")]
#[case::kind("faults", json!({"kind": "dorp"}), "`kind`: must be one of status, delay, drop_before,")]
#[case::no_kind("faults", json!({}), "`kind`: is missing; it must be one of status, delay,")]
#[case::range("faults", json!({"kind": "status", "status": 70_000}), "`status`: must be a whole number from 0 to 65535, not 70000")]
#[case::list("machins/agents", json!([]), "the body must be a JSON object")]
#[case::amount("machins/agents", json!({"credits": "1.234"}), "`credits`: ")]
#[tokio::test]
async fn a_wrong_value_is_refused_with_what_it_takes(
    #[case] path: &str,
    #[case] body: Value,
    #[case] message: &str,
) {
    let (server, org) = server_with_org(Plan::Free).await;
    let method = if path.ends_with("KEY") { Method::PATCH } else { Method::POST };
    let path = path.replace("KEY", org.key());
    let (status, error) = control(&server, method, &path, body).await;
    let detail = error["detail"].as_str().unwrap();
    assert_eq!(status, 400);
    assert!(detail.starts_with(message), "{detail}");
    for parser in ["invalid type", "expected", "line 1", "digit"] {
        assert!(!detail.contains(parser), "{detail}");
    }
}

#[tokio::test]
async fn broken_json_is_refused_with_its_place() {
    let server = MockServer::start().await;
    let url = format!("{}/_mock/faults", server.url());
    let reply = client().post(url).body("{\"kind\":\n oops}").send().await.unwrap();
    let error: Value = reply.json().await.unwrap();
    assert_eq!(error["detail"], "the body is not valid JSON (line 2, column 2)");
}

#[rstest]
#[case::limit("/inbox?limit=abc", "`limit`: must be a whole number from 1 to 200, not \"abc\"")]
#[case::limit_of_zero("/inbox?limit=0", "`limit`: must be from 1 to 200")]
#[case::offset("/inbox?offset=-1", "`offset`: must be a whole number of at least 0, not \"-1\"")]
#[case::unread("/inbox?unread=maybe", "`unread`: must be true or false, not \"maybe\"")]
#[case::event_type("/inbox?event_type=x", "`event_type`: must be one of trade_proposed,")]
#[case::sort("/marketplace?sort=best", "`sort`: must be one of newest, price_asc, price_desc")]
#[case::price("/marketplace?min_price=cheap", "`min_price`: ")]
#[tokio::test]
async fn a_wrong_parameter_is_named(#[case] path: &str, #[case] message: &str) {
    let platform = Platform::start().await;
    let agent = platform.agent("agent-a");
    let (status, reply) = platform.call(Method::GET, path, &agent.api_key, Value::Null).await;
    assert_eq!(status, 400);
    assert!(reply["detail"].as_str().unwrap().starts_with(message), "{reply}");
    assert_eq!(reply["error"]["details"]["field"], message.split('`').nth(1).unwrap());
}

#[rstest]
#[case::lower("true", 0)]
#[case::python("True", 0)]
#[case::one("1", 0)]
#[case::yes("yes", 0)]
#[case::no("no", 1)]
#[case::python_false("False", 1)]
#[tokio::test]
async fn unread_takes_the_frameworks_words(#[case] word: &str, #[case] expected: usize) {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.agent("seller"), platform.agent("buyer"));
    let listing = platform.listing(&seller, json!({})).await;
    platform.propose(&buyer, &listing).await;
    platform.done(&seller, "/inbox/ack-all", Value::Null).await;
    let inbox = platform.get(&seller, &format!("/inbox?unread={word}")).await;
    assert_eq!(inbox["items"].as_array().unwrap().len(), expected);
}

#[tokio::test]
async fn an_id_that_is_no_text_is_told_per_item() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    let body = json!({"deviceIds": ["a", 42, null, {"x": 1}, 42]});
    let (status, reply) = post(&server, &org, "devices/revoke_batch", body).await;
    let item =
        |id: &str| json!({"deviceId": id, "status": "invalid", "error": "invalid_device_id"});
    let expected = json!([{"deviceId": "a", "status": "revoked"}, item("42"), item("null"), item(r#"{"x":1}"#)]);
    assert_eq!((status, &reply["results"]), (200, &expected));
}

#[tokio::test]
async fn the_vendors_routes_ignore_unknown_fields_unless_strict() {
    for strict in [false, true] {
        let builder = MockServer::builder();
        let builder = if strict { builder.strict() } else { builder };
        let platform = Platform::with(builder.start().unwrap());
        let agent = platform.agent("agent-a");
        let listing = json!({
            "title": "t", "slug": "abc", "listing_type": "task", "price": 5, "prise": 6,
        });
        let (status, reply) = platform.post(&agent, "/listings", listing).await;
        assert_eq!(status, if strict { 400 } else { 201 });
        if strict {
            assert_eq!(reply["detail"], "unknown field `prise`; the nearest known one is `price`");
        }
        let org = platform.server.create_org(Plan::Free);
        let body = json!({"deviceId": "a", "deviceID": "b"});
        let (status, _) = post(&platform.server, &org, "devices/register", body).await;
        assert_eq!(status, if strict { 400 } else { 200 });
        let query = platform.call(Method::GET, "/inbox?unred=true", &agent.api_key, Value::Null);
        assert_eq!(query.await.0, if strict { 400 } else { 200 });
    }
}

#[rstest]
#[case::no_parameters(Method::GET, "/wallets/me?bogus=1", json!(null))]
#[case::parameters_beside_a_body(Method::POST, "/listings?bogus=1", json!({}))]
#[case::no_body(Method::POST, "/inbox/ack-all", json!({"bogus": 1}))]
#[case::no_body_of_an_action(Method::POST, "/trades/t1/accept", json!({"bogus": 1}))]
#[case::machineid(Method::GET, "/devices/list?bogus=1", json!(null))]
#[case::new_org(Method::POST, "/org/create", json!({"bogus": 1}))]
#[tokio::test]
async fn a_strict_server_refuses_what_a_route_does_not_take(
    #[case] method: Method,
    #[case] path: &str,
    #[case] body: Value,
) {
    let platform = Platform::with(MockServer::builder().strict().start().unwrap());
    let agent = platform.agent("agent-a");
    let (status, reply) = platform.call(method, path, &agent.api_key, body).await;
    assert_eq!(status, 400, "{reply}");
    assert!(reply.to_string().contains("`bogus`"), "{reply}");
    assert!(reply["request_id"].is_string(), "{reply}");
}

#[rstest]
#[case::form("application/x-www-form-urlencoded", 400)]
#[case::text("text/plain", 400)]
#[case::none("", 400)]
#[case::json("application/json", 200)]
#[case::json_with_charset("Application/JSON; charset=utf-8", 200)]
#[case::json_suffix("application/problem+json", 200)]
#[tokio::test]
async fn a_strict_server_takes_only_json(#[case] content_type: &str, #[case] expected: u16) {
    for (server, expected) in [
        (MockServer::builder().strict().start().unwrap(), expected),
        (MockServer::start().await, 200),
    ] {
        let org = server.create_org(Plan::Free);
        let url = format!("{}/api/v1/devices/register", server.url());
        let mut request = client().post(url).header("x-org-key", org.key());
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let request = request.body(r#"{"deviceId":"a"}"#);
        let reply = exchange(request, &Value::Null).await.unwrap();
        assert_eq!(reply.status.as_u16(), expected, "{}", reply.text);
    }
}
