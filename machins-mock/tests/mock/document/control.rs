//! Every call of the control API, in each way in which it can be answered.

use machins_mock::MockServer;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Inspector, document, operations};
use crate::support::http::send;

#[tokio::test]
async fn every_reply_of_the_newer_controls_is_as_documented() {
    let server = MockServer::start().await;
    for _ in 0..2 {
        send(&server, Method::GET, "/api/v1/public/stats", "", Value::Null).await;
    }
    let huge = json!({"name": "x".repeat(2 * 1024 * 1024)});
    let mut inspector = Inspector::new(server).await;
    let by_number = "/_mock/webhooks/{n}/resend";
    for (method, path, template, body) in [
        (Method::GET, "/_mock/worlds", "", Value::Null),
        (Method::POST, "/_mock/worlds", "", json!({"name": "a", "seed": 1})),
        (Method::POST, "/_mock/worlds", "", json!({"name": "a"})),
        (Method::POST, "/_mock/worlds", "", json!({"name": "a b"})),
        (Method::POST, "/_mock/worlds", "", huge.clone()),
        (Method::GET, "/_mock/worlds", "", Value::Null),
        (Method::DELETE, "/_mock/worlds/a", "/_mock/worlds/{name}", Value::Null),
        (Method::DELETE, "/_mock/worlds/a", "/_mock/worlds/{name}", Value::Null),
        (Method::PUT, "/_mock/clock", "", json!({"frozen": true, "now": "2030-01-01T00:00:00Z"})),
        (Method::PUT, "/_mock/clock", "", json!({"now": "noon"})),
        (Method::PUT, "/_mock/clock", "", huge.clone()),
        (Method::GET, "/_mock/requests?limit=1", "/_mock/requests", Value::Null),
        (Method::GET, "/_mock/requests?limit=x", "/_mock/requests", Value::Null),
        (Method::GET, "/_mock/requests/1", "/_mock/requests/{seq}", Value::Null),
        (Method::GET, "/_mock/requests/99", "/_mock/requests/{seq}", Value::Null),
        (Method::POST, "/_mock/requests/wait", "", json!({"count": 1})),
        (Method::POST, "/_mock/requests/wait", "", json!({"count": 9, "timeout_ms": 0})),
        (Method::POST, "/_mock/requests/wait", "", json!({"count": 0})),
        (Method::POST, "/_mock/requests/wait", "", huge.clone()),
        (Method::POST, "/_mock/faults", "", json!({"on": "webhook", "kind": "drop"})),
        (Method::POST, "/_mock/faults", "", json!({"kind": "drop"})),
        (Method::POST, "/_mock/faults", "", huge.clone()),
        (Method::GET, "/_mock/faults", "", Value::Null),
        (Method::DELETE, "/_mock/faults/1", "/_mock/faults/{id}", Value::Null),
        (Method::DELETE, "/_mock/faults/1", "/_mock/faults/{id}", Value::Null),
        (
            Method::POST,
            "/_mock/fixtures",
            "",
            json!({
                "agents": [{"slug": "seller"}, {"slug": "buyer"}],
                "listings": [{"agent": "seller", "slug": "abc", "title": "T", "listing_type": "task", "price": 5}],
                "trades": [{"listing": "abc", "buyer": "buyer"}],
                "subscriptions": [{"agent": "seller", "event_type": "new_agent", "webhook_url": "http://127.0.0.1:1/"}],
                "orgs": [{"org_key": "org_x", "devices": ["a"]}],
            }),
        ),
        (Method::POST, "/_mock/fixtures", "", json!({"agents": [{"slug": "seller"}]})),
        (Method::POST, "/_mock/fixtures", "", json!({"agents": [{"slug": "S"}]})),
        (Method::POST, "/_mock/machineid/orgs", "", json!({"org_key": "org_y"})),
        (Method::POST, "/_mock/machineid/orgs", "", json!({"org_key": "org_y"})),
        (Method::GET, "/_mock/machineid/orgs", "", Value::Null),
        (Method::POST, "/_mock/machins/agents", "", json!({"slug": "third", "api_key": "at_3"})),
        (Method::POST, "/_mock/webhooks/wait", "", json!({"match": {"event": "new_agent"}})),
        (Method::POST, "/_mock/webhooks/wait", "", json!({"count": 9, "timeout_ms": 0})),
        (Method::POST, "/_mock/webhooks/wait", "", json!({"match": {"device": "a"}})),
        (Method::POST, "/_mock/webhooks/wait", "", huge),
        (Method::GET, "/_mock/webhooks?since=0", "/_mock/webhooks", Value::Null),
        (Method::GET, "/_mock/webhooks?n=0", "/_mock/webhooks", Value::Null),
        (Method::GET, "/_mock/webhooks/1", "/_mock/webhooks/{n}", Value::Null),
        (Method::GET, "/_mock/webhooks/99", "/_mock/webhooks/{n}", Value::Null),
        (Method::POST, "/_mock/webhooks/1/resend", by_number, Value::Null),
        (Method::POST, "/_mock/webhooks/x/resend", by_number, Value::Null),
        (Method::DELETE, "/_mock/webhooks", "", Value::Null),
    ] {
        let template = if template.is_empty() { path } else { template };
        inspector.send(method, path, template, "", body).await;
    }
    let unseen = inspector.unseen("Mock control");
    let newer = ["worlds", "PUT /_mock/clock", "requests", "webhooks", "faults/"];
    let unsent: Vec<_> = unseen
        .iter()
        .filter(|call| newer.iter().any(|name| call.contains(name)))
        .filter(|call| !call.starts_with("DELETE /_mock/requests") && !call.ends_with(" 400"))
        .collect();
    assert!(unsent.is_empty(), "documented, but never sent: {unsent:?}");
}

#[tokio::test]
async fn every_control_refuses_what_it_does_not_take() {
    let mut inspector = Inspector::new(MockServer::start().await).await;
    let document = document(&inspector.server).await;
    let mut sent = 0;
    for (method, template, _) in operations(&document) {
        if template.starts_with("/_mock/") {
            let (before, after) = template.split_once('{').unwrap_or((template, ""));
            let after = after.split_once('}').map_or("", |(_, after)| after);
            let value = if after.is_empty() && before == template { "" } else { "1" };
            let path = format!("{before}{value}{after}?surprise=1");
            let method = method.parse().unwrap();
            let reply = inspector.send(method, &path, template, "", Value::Null).await;
            assert_eq!(reply["field"], "surprise", "{template}: {reply}");
            sent += 1;
        }
    }
    assert!(sent > 25, "{sent}");
}
