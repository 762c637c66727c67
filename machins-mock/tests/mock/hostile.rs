//! Any JSON to any route: every reply is JSON, none is the server's own failure.

use machins_mock::{Plan, blocking};
use proptest::prelude::*;
use reqwest::Method;
use serde_json::{Map, Value};

/// JSON that is likely to be nearly right: the APIs' own field names with any values.
fn nearly_right() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,20}",
        Just("all_active".to_owned()),
        Just("status".to_owned()),
        Just("pro".to_owned()),
        Just("d".repeat(200)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "deviceId",
        "deviceIds",
        "scope",
        "plan",
        "seconds",
        "kind",
        "status",
        "millis",
        "times",
        "probability",
        "match",
        "path",
        "method",
        "body",
        "retry_after",
        "clock",
        "offset_millis",
        "random",
        "machineid",
        "orgs",
        "devices",
        "frozen",
        "available",
        "x",
    ]);
    leaf.prop_recursive(4, 32, 8, move |inner| {
        let fields = prop::collection::vec((name.clone(), inner.clone()), 0..8);
        let object = fields.prop_map(|fields| {
            let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
            Value::Object(fields.collect::<Map<_, _>>())
        });
        prop_oneof![2 => object, 1 => prop::collection::vec(inner, 0..8).prop_map(Value::Array)]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_json_to_any_route_is_answered_in_json(body in nearly_right()) {
        let server = blocking::MockServer::start();
        let client = reqwest::blocking::Client::new();
        let url = |path: &str| format!("{}{path}", server.url());
        let document: Value = client.get(url("/openapi.json")).send().unwrap().json().unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            let org = server.create_org(Plan::Free);
            for method in item.as_object().unwrap().keys() {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                server.clear_faults();
                let request = client
                    .request(method.clone(), url(&path.replace("{org_key}", org.key())))
                    .header("x-org-key", org.key())
                    .json(&body);
                let response = request.send().unwrap();
                prop_assert!(response.status().as_u16() < 500, "{} {}", method, path);
                prop_assert!(response.json::<Value>().is_ok(), "{} {}", method, path);
            }
        }
    }
}
