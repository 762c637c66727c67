//! Every reply of MachineID and of the control API is as `/openapi.json` says.

use machins_mock::{Fault, Org, OrgUpdate, Plan};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Inspector, operations};
use crate::support::http::{device, register, send, server_with_org};

/// Every MachineID call in every documented state of an organisation.
async fn exercise(inspector: &mut Inspector, org: &Org) {
    let calls = [
        ("devices/register", device("a")),
        ("devices/register", device("a")),
        ("devices/register", device("b")),
        ("devices/register", device("c")),
        ("devices/register", device("d")),
        ("devices/register", device("?")),
        ("devices/validate", device("a")),
        ("devices/validate", device("nobody")),
        ("devices/validate", device("?")),
        ("devices/validate", json!([])),
        ("devices/list", Value::Null),
        ("devices/revoke", device("a")),
        ("devices/revoke", device("nobody")),
        ("devices/validate", device("a")),
        ("devices/register", device("a")),
        ("devices/list", Value::Null),
        ("devices/register", device("e")),
        ("devices/unrevoke", device("a")),
        ("devices/unrevoke", device("nobody")),
        ("devices/unrevoke", json!({})),
        ("devices/revoke_batch", json!({"deviceIds": ["a", "b", "?", "nobody"]})),
        ("devices/unrevoke_batch", json!({"deviceIds": ["a", "b", "?", "nobody"]})),
        ("devices/unrevoke", device("b")),
        ("devices/revoke_batch", json!({"scope": "all_active"})),
        ("devices/unrevoke_batch", json!({"scope": "all_revoked"})),
        ("devices/unrevoke_batch", json!({"scope": "all_revoked"})),
        ("devices/revoke_batch", json!({})),
        (
            "devices/unrevoke_batch",
            json!({"deviceIds": (0..501).map(|n| n.to_string()).collect::<Vec<_>>()}),
        ),
        ("devices/remove", device("a")),
        ("devices/remove", device("a")),
        ("usage", Value::Null),
        ("billing/checkout", json!({"plan": "max"})),
        ("billing/checkout", json!({"plan": "gold"})),
        ("billing/checkout", json!({})),
        ("org/create", json!({})),
        ("org/create", json!([])),
        ("devices/revoke", device("?")),
        ("devices/remove", device("?")),
    ];
    for (call, body) in calls {
        inspector.machineid(org.key(), call, body).await;
    }
}

#[tokio::test]
async fn every_reply_is_as_documented() {
    let (server, org) = server_with_org(Plan::Free).await;
    let mut inspector = Inspector::new(server).await;
    exercise(&mut inspector, &org).await;
    for update in [
        OrgUpdate::new().available(false),
        OrgUpdate::new().available(true).execution_enabled(false),
        OrgUpdate::new().execution_enabled(true).frozen(true),
        OrgUpdate::new().frozen(false).entitlement_active(false),
    ] {
        org.update(update).unwrap();
        exercise(&mut inspector, &org).await;
    }
    org.update(OrgUpdate::new().entitlement_active(true)).unwrap();
    let posts: Vec<_> = operations(&inspector.document)
        .filter(|(method, _, operation)| {
            let tag = operation["tags"][0].as_str().unwrap();
            method == "POST" && tag.starts_with("MachineID")
        })
        .filter_map(|(_, path, _)| path.strip_prefix("/api/v1/").map(ToOwned::to_owned))
        .collect();
    let huge = device(&"x".repeat(2 * 1024 * 1024));
    for call in posts {
        inspector.machineid(org.key(), &call, huge.clone()).await;
        for key in ["", "org_nobody"] {
            inspector.machineid(key, &call, device("a")).await;
        }
    }
    for key in ["", "org_nobody"] {
        inspector.machineid(key, "devices/list", Value::Null).await;
        inspector.machineid(key, "usage", Value::Null).await;
    }
    assert_eq!(inspector.unseen("MachineID"), Vec::<String>::new(), "documented, but never sent");
}

#[tokio::test]
async fn every_reply_of_the_control_api_is_as_documented() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    server.add_fault(Fault::status(500).body("x").retry_after("1").times(1)).unwrap();
    send(&server, Method::GET, "/api/v1/usage", "", Value::Null).await;
    let state = serde_json::to_value(server.snapshot()).unwrap();
    let mut inspector = Inspector::new(server).await;
    let org_path = format!("/_mock/machineid/orgs/{}", org.key());
    let template = "/_mock/machineid/orgs/{org_key}";
    for (method, path, body) in [
        (Method::GET, "/_mock/health", Value::Null),
        (Method::GET, "/_mock/clock", Value::Null),
        (Method::POST, "/_mock/clock/advance", json!({"seconds": 1.5})),
        (Method::POST, "/_mock/clock/advance", json!({"seconds": -1})),
        (Method::POST, "/_mock/machineid/orgs", json!({"plan": "max"})),
        (Method::POST, "/_mock/machineid/orgs", json!({"plan": "gold"})),
        (Method::GET, "/_mock/requests", Value::Null),
        (Method::POST, "/_mock/faults", json!({"kind": "delay", "millis": 1})),
        (
            Method::POST,
            "/_mock/faults",
            json!({"kind": "slow_body", "times": 3, "match": {"path": "/**"}}),
        ),
        (Method::POST, "/_mock/faults", json!({"kind": "delay"})),
        (Method::GET, "/_mock/faults", Value::Null),
        (Method::GET, "/_mock/state", Value::Null),
        (Method::PUT, "/_mock/state", state),
        (Method::PUT, "/_mock/state", json!({})),
        (Method::DELETE, "/_mock/faults", Value::Null),
        (Method::DELETE, "/_mock/requests", Value::Null),
    ] {
        inspector.send(method, path, path, "", body).await;
    }
    for body in [json!({}), json!({"plan": "pro", "frozen": true}), json!({"frozen": 1})] {
        inspector.send(Method::PATCH, &org_path, template, "", body).await;
    }
    inspector.send(Method::PATCH, "/_mock/machineid/orgs/x", template, "", json!({})).await;
    inspector.send(Method::POST, "/_mock/reset", "/_mock/reset", "", Value::Null).await;
}
