//! Revoking and restoring many devices at once.

use machins_mock::{MockServer, Org, OrgUpdate, Plan};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{device, get, post, register, server_with_org};

/// Asserts that a batch gave these statuses, in this order.
fn assert_results(reply: &Value, expected: &[(&str, &str)]) {
    let results: Vec<_> = reply["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["deviceId"].as_str().unwrap(), item["status"].as_str().unwrap()))
        .collect();
    assert_eq!(results, expected);
    for item in reply["results"].as_array().unwrap() {
        let error = match item["status"].as_str().unwrap() {
            "blocked" => json!("device_limit_reached"),
            "invalid" => json!("invalid_device_id"),
            _ => Value::Null,
        };
        assert_eq!(item["error"], error);
    }
}

async fn active(server: &MockServer, org: &Org) -> Vec<String> {
    let (_, list) = get(server, org, "devices/list").await;
    let devices = list["devices"].as_array().unwrap().iter();
    devices
        .filter(|device| device["status"] == "active")
        .map(|device| device["deviceId"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn selected_devices_are_revoked_once_in_the_given_order() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a", "b", "c"]).await;
    post(&server, &org, "devices/revoke", device("c")).await;
    let ids = json!({"deviceIds": ["c", "x", " a", "a ", "?", "b", "?"]});
    let (status, reply) = post(&server, &org, "devices/revoke_batch", ids.clone()).await;
    assert_eq!((status, &reply["status"]), (200, &json!("ok")));
    assert_results(
        &reply,
        &[
            ("c", "already_revoked"),
            ("x", "not_found"),
            ("a", "revoked"),
            ("?", "invalid"),
            ("b", "revoked"),
        ],
    );
    assert_eq!(reply["revokedCount"], 2);
    let (_, again) = post(&server, &org, "devices/revoke_batch", ids).await;
    assert_eq!(again["revokedCount"], 0, "changes only");
}

#[tokio::test]
async fn all_active_devices_are_revoked() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a", "b", "c"]).await;
    post(&server, &org, "devices/revoke", device("a")).await;
    for expected in [2, 0] {
        let scope = json!({"scope": "all_active"});
        let (status, reply) = post(&server, &org, "devices/revoke_batch", scope).await;
        assert_eq!((status, &reply["revokedCount"]), (200, &json!(expected)));
    }
    assert!(active(&server, &org).await.is_empty());
}

#[tokio::test]
async fn selected_devices_are_restored_up_to_the_cap() {
    let (server, org) = server_with_org(Plan::Pro).await;
    register(&server, &org, &["a", "b", "c", "d"]).await;
    post(&server, &org, "devices/revoke_batch", json!({"deviceIds": ["b", "c", "d"]})).await;
    org.update(OrgUpdate::new().plan(Plan::Free)).unwrap();
    let ids = json!({"deviceIds": ["d", "a", "x", "", "c", "b", "d"]});
    let (status, reply) = post(&server, &org, "devices/unrevoke_batch", ids).await;
    assert_eq!((status, &reply["status"]), (200, &json!("ok")));
    assert_results(
        &reply,
        &[
            ("d", "unrevoked"),
            ("a", "already_active"),
            ("x", "not_found"),
            ("", "invalid"),
            ("c", "unrevoked"),
            ("b", "blocked"),
        ],
    );
    assert_eq!(reply["unrevokedCount"], 2);
    assert_eq!(active(&server, &org).await, ["a", "c", "d"]);
}

#[tokio::test]
async fn restoring_all_takes_the_newest_revoked_first_up_to_the_cap() {
    let (server, org) = server_with_org(Plan::Pro).await;
    register(&server, &org, &["a", "b", "c", "d", "e"]).await;
    for id in ["d", "a", "e", "b", "c"] {
        post(&server, &org, "devices/revoke", device(id)).await;
    }
    org.update(OrgUpdate::new().plan(Plan::Free)).unwrap();
    let scope = json!({"scope": "all_revoked"});
    let (status, reply) = post(&server, &org, "devices/unrevoke_batch", scope.clone()).await;
    assert_eq!((status, &reply["unrevokedCount"]), (200, &json!(3)));
    assert_eq!(reply["unrevokedSample"], json!(["c", "b", "e"]));
    assert_eq!(reply["reason"], Value::Null);
    let (_, reply) = post(&server, &org, "devices/unrevoke_batch", scope).await;
    assert_eq!((&reply["unrevokedCount"], &reply["reason"]), (&json!(0), &json!("at_cap")));
    assert_eq!(reply["unrevokedSample"], json!([]));
}

#[tokio::test]
async fn restoring_nothing_says_why() {
    let (server, org) = server_with_org(Plan::Free).await;
    let scope = json!({"scope": "all_revoked"});
    let (status, reply) = post(&server, &org, "devices/unrevoke_batch", scope.clone()).await;
    assert_eq!((status, &reply["reason"]), (200, &json!("none_revoked")));
    register(&server, &org, &["a", "b", "c"]).await;
    let (_, reply) = post(&server, &org, "devices/unrevoke_batch", scope).await;
    assert_eq!(reply["reason"], "none_revoked", "nothing to restore comes before no room");
}

#[tokio::test]
async fn the_sample_holds_at_most_25_ids() {
    let (server, org) = server_with_org(Plan::Scale).await;
    let ids: Vec<_> = (0..40).map(|n| format!("d{n}")).collect();
    register(&server, &org, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    post(&server, &org, "devices/revoke_batch", json!({"deviceIds": ids})).await;
    let scope = json!({"scope": "all_revoked"});
    let (_, reply) = post(&server, &org, "devices/unrevoke_batch", scope).await;
    assert_eq!(reply["unrevokedCount"], 40);
    let newest: Vec<_> = ids.iter().rev().take(25).collect();
    assert_eq!(reply["unrevokedSample"], json!(newest));
}

#[rstest]
#[case::neither(json!({}))]
#[case::not_an_object(json!([]))]
#[case::no_ids(json!({"deviceIds": []}))]
#[case::both_without_ids(json!({"deviceIds": [], "scope": "SCOPE"}))]
#[case::both(json!({"deviceIds": ["a"], "scope": "SCOPE"}))]
#[case::ids_as_text(json!({"deviceIds": "a"}))]
#[case::scope_of_the_other_call(json!({"scope": "OTHER"}))]
#[case::scope_as_boolean(json!({"scope": true}))]
#[case::scope_as_null(json!({"scope": null}))]
#[tokio::test]
async fn a_batch_needs_either_device_ids_or_a_scope(#[case] body: Value) {
    let (server, org) = server_with_org(Plan::Free).await;
    for (call, scope, other) in [
        ("devices/revoke_batch", "all_active", "all_revoked"),
        ("devices/unrevoke_batch", "all_revoked", "all_active"),
    ] {
        let body = body.to_string().replace("SCOPE", scope).replace("OTHER", other);
        let body = serde_json::from_str(&body).unwrap();
        let (status, reply) = post(&server, &org, call, body).await;
        assert_eq!((status, &reply["error"]), (400, &json!("missing_params")), "{call}");
    }
}

#[tokio::test]
async fn a_batch_holds_at_most_500_distinct_valid_ids() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["d0"]).await;
    let mut ids: Vec<_> = (0..500).map(|n| format!("d{n}")).collect();
    ids.extend((0..500).map(|n| format!("d{n} ")));
    ids.extend((0..9).map(|n| format!("not valid {n}")));
    let (status, reply) =
        post(&server, &org, "devices/revoke_batch", json!({"deviceIds": ids})).await;
    assert_eq!((status, &reply["revokedCount"]), (200, &json!(1)));
    assert_eq!(reply["results"].as_array().unwrap().len(), 509);
    ids.push("d500".to_owned());
    for call in ["devices/revoke_batch", "devices/unrevoke_batch"] {
        let (status, reply) = post(&server, &org, call, json!({"deviceIds": ids})).await;
        assert_eq!((status, &reply["error"]), (400, &json!("too_many_ids")));
    }
    assert_eq!(active(&server, &org).await, Vec::<String>::new(), "the refused batch did nothing");
}
