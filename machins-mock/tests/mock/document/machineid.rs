//! Every reply of MachineID and of the control API is as `/openapi.json` says.

use machins_mock::{Fault, OrgUpdate, Plan};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Inspector, operations};
use crate::support::http::{device, post, register, send, server_with_org};

/// Values of every text: an active device, a revoked one, what does not exist or is invalid, a plan.
const TEXTS: [&str; 5] = ["active", "revoked", "nobody", "?", "pro"];

/// An operation of MachineID, and what it is sent.
struct Call {
    method: Method,
    path: String,
    bodies: Vec<Value>,
}

impl Call {
    /// Every operation of MachineID that the document lists, with a body of every form that it
    /// describes and one that it does not.
    fn all(document: &Value) -> Vec<Self> {
        let calls = operations(document).filter(|(.., operation)| {
            operation["tags"][0].as_str().is_some_and(|tag| tag.starts_with("MachineID"))
        });
        calls
            .map(|(method, path, operation)| {
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                let mut bodies = values(document, schema);
                if !schema.is_null() {
                    bodies.push(json!([]));
                }
                Self { method: method.parse().unwrap(), path: path.clone(), bodies }
            })
            .collect()
    }
}

/// Values of every form that a schema of the document describes; null without a schema.
fn values(document: &Value, schema: &Value) -> Vec<Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        return values(document, document.pointer(reference.trim_start_matches('#')).unwrap());
    }
    for group in ["anyOf", "oneOf"] {
        if let Some(schemas) = schema[group].as_array() {
            return schemas.iter().flat_map(|schema| values(document, schema)).collect();
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.clone();
    }
    // A type is a name, or a list of a name and `null`.
    match schema["type"].as_str().or_else(|| schema["type"][0].as_str()) {
        Some("object") => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            fields.fold(vec![json!({})], |objects, (name, schema)| {
                let with_field = |object: &Value, value: Value| {
                    let mut object = object.clone();
                    object[name] = value;
                    object
                };
                let values = values(document, schema);
                let with_fields = objects.iter().flat_map(|object| {
                    values.iter().map(move |value| with_field(object, value.clone()))
                });
                with_fields.chain(objects.iter().cloned()).collect()
            })
        }
        Some("array") => {
            let many = (0..501).map(|number| number.to_string()).collect();
            vec![values(document, &schema["items"]).into(), many]
        }
        Some("string") => TEXTS.map(Value::from).into(),
        _ => vec![schema["const"].clone()],
    }
}

/// Makes all calls. Each is about an org of its own, in this state.
async fn exercise(inspector: &mut Inspector, calls: &[Call], state: OrgUpdate) {
    for Call { method, path, bodies } in calls {
        let org = inspector.server.create_org(Plan::Free);
        register(&inspector.server, &org, &["active", "revoked"]).await;
        post(&inspector.server, &org, "devices/revoke", device("revoked")).await;
        org.update(state).unwrap();
        for body in bodies {
            inspector.send(method.clone(), path, path, org.key(), body.clone()).await;
        }
    }
}

/// The calls that are answered otherwise when the plan is full.
async fn exercise_a_full_plan(inspector: &mut Inspector) {
    let org = inspector.server.create_org(Plan::Free);
    register(&inspector.server, &org, &["a", "b", "c"]).await;
    for (call, body) in [
        ("register", device("d")),
        ("revoke", device("a")),
        ("register", device("d")),
        ("unrevoke", device("a")),
        ("unrevoke_batch", json!({"deviceIds": ["a"]})),
        ("unrevoke_batch", json!({"scope": "all_revoked"})),
    ] {
        let path = format!("/api/v1/devices/{call}");
        inspector.send(Method::POST, &path, &path, org.key(), body).await;
    }
}

#[tokio::test]
async fn every_reply_is_as_documented() {
    let (server, org) = server_with_org(Plan::Free).await;
    let mut inspector = Inspector::new(server).await;
    let calls = Call::all(&inspector.document);
    for state in [
        OrgUpdate::new(),
        OrgUpdate::new().available(false),
        OrgUpdate::new().execution_enabled(false),
        OrgUpdate::new().frozen(true),
        OrgUpdate::new().entitlement_active(false),
    ] {
        exercise(&mut inspector, &calls, state).await;
    }
    exercise_a_full_plan(&mut inspector).await;
    let huge = device(&"x".repeat(2 * 1024 * 1024));
    for Call { method, path, bodies } in &calls {
        for key in ["", "org_nobody"] {
            inspector.send(method.clone(), path, path, key, bodies[0].clone()).await;
        }
        if method == Method::POST {
            inspector.send(Method::POST, path, path, org.key(), huge.clone()).await;
        }
    }
    assert_eq!(inspector.unseen("MachineID"), Vec::<String>::new(), "documented, but never sent");
    assert_eq!(inspector.unnoticed_alterations(), Vec::<&String>::new(), "altered, and not named");
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
