//! MachineID's device calls, sentence by sentence of the wire facts.

use crate::support::http::{client, control, device, get, post, register, send, server_with_org};
use machins_mock::{MockServer, OrgUpdate, Plan};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

#[tokio::test]
async fn every_reply_carries_its_handler_and_a_request_id() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    let mut seen = std::collections::HashSet::new();
    for (call, body) in [
        ("devices/register", device("a")),
        ("devices/validate", device("a")),
        ("devices/revoke", device("a")),
        ("devices/unrevoke", device("a")),
        ("devices/revoke_batch", json!({"deviceIds": ["a"]})),
        ("devices/unrevoke_batch", json!({"scope": "all_revoked"})),
        ("devices/remove", device("a")),
        ("billing/checkout", json!({"plan": "pro"})),
        ("devices/revoke", json!([])),
    ] {
        let (_, reply) = post(&server, &org, call, body).await;
        assert_eq!(reply["handler"], call, "{call}");
        let id = reply["request_id"].as_str().unwrap();
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{call}: {id}");
        assert!(seen.insert(id.to_owned()), "{call}: {id} again");
    }
    for call in ["devices/list", "usage"] {
        assert_eq!(get(&server, &org, call).await.1["handler"], call);
    }
}

#[tokio::test]
async fn org_create_needs_no_key_and_starts_on_the_free_plan() {
    let server = MockServer::start().await;
    let reply = send(&server, Method::POST, "/api/v1/org/create", "", json!({})).await;
    let body = reply.json();
    assert_eq!(reply.status, 200);
    assert_eq!((&body["status"], &body["handler"]), (&json!("ok"), &json!("org_create")));
    let key = body["orgApiKey"].as_str().unwrap();
    assert!(key.starts_with("org_"));
    let state = server.org(key).unwrap().state().unwrap();
    assert_eq!((state.plan, state.execution_enabled), (Plan::Free, true));
}

#[rstest]
#[case::no_key("", 401, "INVALID_ORG_KEY", "invalid_org_key")]
#[case::a_prefix_alone("org_", 401, "INVALID_ORG_KEY", "invalid_org_key")]
#[case::the_key_of_an_agent("at_1", 401, "INVALID_ORG_KEY", "invalid_org_key")]
#[case::an_unknown_key("org_unknown", 404, "ORG_NOT_FOUND", "org_not_found")]
#[tokio::test]
async fn malformed_keys_are_401_and_unknown_ones_404(
    #[case] key: &str,
    #[case] status: u16,
    #[case] code: &str,
    #[case] error: &str,
) {
    let server = MockServer::start().await;
    for call in ["register", "validate", "revoke", "unrevoke", "remove", "revoke_batch"] {
        let path = format!("/api/v1/devices/{call}");
        let reply = send(&server, Method::POST, &path, key, device("a")).await;
        let body = reply.json();
        assert_eq!(reply.status, status, "{call}");
        assert_eq!(body["status"], "error", "{call}");
        assert_eq!((&body["code"], &body["error"]), (&json!(code), &json!(error)), "{call}");
        let allowed = if call == "validate" { json!(false) } else { Value::Null };
        assert_eq!(body["allowed"], allowed, "{call}");
    }
    for path in ["/api/v1/devices/list", "/api/v1/usage"] {
        let reply = send(&server, Method::GET, path, key, Value::Null).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.json()["code"]),
            (status, &json!(code)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_key_is_checked_before_the_body() {
    let server = MockServer::start().await;
    let reply = send(&server, Method::POST, "/api/v1/devices/register", "", Value::Null).await;
    assert_eq!(reply.status, 401);
}

#[rstest]
#[case::one_letter("a")]
#[case::upper_case("Agent-01")]
#[case::every_punctuation("a.b_c:d@e/f-9")]
#[case::longest(&"x".repeat(128))]
#[case::surrounded_by_space("  trimmed \n")]
#[tokio::test]
async fn a_valid_device_id_is_trimmed(#[case] id: &str) {
    let (server, org) = server_with_org(Plan::Max).await;
    let (status, reply) = post(&server, &org, "devices/register", device(id)).await;
    assert_eq!((status, &reply["deviceId"]), (200, &json!(id.trim())));
}

#[rstest]
#[case::empty("")]
#[case::blank("   ")]
#[case::inner_space("a b")]
#[case::not_ascii("ä")]
#[case::nul("a\u{0}")]
#[case::question_mark("a?b")]
#[case::percent("a%2fb")]
#[case::bidi_override("\u{202e}a")]
#[case::too_long(&"x".repeat(129))]
#[tokio::test]
async fn an_invalid_device_id_is_refused(#[case] id: &str) {
    let (server, org) = server_with_org(Plan::Max).await;
    for call in ["register", "revoke", "unrevoke", "remove", "validate"] {
        let (status, reply) = post(&server, &org, &format!("devices/{call}"), device(id)).await;
        assert_eq!((status, &reply["error"]), (400, &json!("invalid_device_id")), "{call}");
    }
}

#[rstest]
#[case::empty("")]
#[case::cut("{")]
#[case::list("[]")]
#[case::list_of_ids("[\"a\"]")]
#[case::null("null")]
#[case::number("3")]
#[case::text("\"a\"")]
#[case::no_id("{}")]
#[case::null_as_id("{\"deviceId\":null}")]
#[case::number_as_id("{\"deviceId\":7}")]
#[case::list_as_id("{\"deviceId\":[\"a\"]}")]
#[case::boolean_as_id("{\"deviceId\":true}")]
#[case::other_case("{\"deviceid\":\"a\"}")]
#[case::byte_order_mark("\u{feff}{\"deviceId\":\"a\"}")]
#[case::text_behind("{\"deviceId\":\"a\"} x")]
#[tokio::test]
async fn a_body_without_a_device_id_is_missing_params(#[case] body: &'static str) {
    let (server, org) = server_with_org(Plan::Free).await;
    for call in ["register", "revoke", "unrevoke", "remove", "validate"] {
        let response = client()
            .post(format!("{}/api/v1/devices/{call}", server.url()))
            .header("x-org-key", org.key())
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 400, "{call}");
        let reply: Value = response.json().await.unwrap();
        assert_eq!(reply["error"], "missing_params", "{call}");
        if call == "validate" {
            assert_eq!(reply["code"], "INVALID_DEVICE_ID");
            assert_eq!((&reply["allowed"], &reply["deviceId"]), (&json!(false), &json!(null)));
        }
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let (server, org) = server_with_org(Plan::Free).await;
    let unknown_fields = json!({"deviceId": "a", "more": [{"x": 1}]});
    assert_eq!(post(&server, &org, "devices/register", unknown_fields).await.0, 200);
}

#[rstest]
#[case::free(Plan::Free, 3)]
#[case::pro(Plan::Pro, 25)]
#[case::scale(Plan::Scale, 250)]
#[case::max(Plan::Max, 1000)]
#[tokio::test]
async fn each_plan_has_its_limit(#[case] plan: Plan, #[case] limit: u64) {
    let (server, org) = server_with_org(plan).await;
    assert_eq!(get(&server, &org, "usage").await.1["limit"], limit);
}

#[tokio::test]
async fn only_active_devices_count_against_the_limit() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a", "b", "c"]).await;
    post(&server, &org, "devices/revoke", device("a")).await;
    register(&server, &org, &["d"]).await;
    post(&server, &org, "devices/remove", device("b")).await;
    register(&server, &org, &["e"]).await;
    let (_, usage) = get(&server, &org, "usage").await;
    assert_eq!((&usage["devicesUsed"], &usage["remaining"]), (&json!(3), &json!(0)));
}

#[tokio::test]
async fn register_says_ok_then_exists_with_the_plan_figures() {
    let (server, org) = server_with_org(Plan::Free).await;
    for expected in ["ok", "exists", "exists"] {
        let (status, reply) = post(&server, &org, "devices/register", device("a")).await;
        assert_eq!((status, &reply["status"]), (200, &json!(expected)), "{expected}");
        assert_eq!(reply["deviceId"], "a", "{expected}");
        assert_eq!(reply["planTier"], "free");
        assert_eq!((&reply["limit"], &reply["devicesUsed"]), (&json!(3), &json!(1)));
        assert_eq!(reply["remaining"], 2);
    }
}

#[tokio::test]
async fn register_is_blocked_at_the_cap_with_the_same_figures() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a", "b", "c"]).await;
    let (status, reply) = post(&server, &org, "devices/register", device("d")).await;
    assert_eq!((status, &reply["status"]), (403, &json!("blocked")));
    assert_eq!(reply["error"], "device_limit_reached");
    assert_eq!((&reply["planTier"], &reply["limit"]), (&json!("free"), &json!(3)));
    assert_eq!((&reply["devicesUsed"], &reply["remaining"]), (&json!(3), &json!(0)));
    let (status, reply) = post(&server, &org, "devices/register", device("a")).await;
    assert_eq!((status, &reply["status"]), (200, &json!("exists")), "idempotent at the cap too");
}

#[tokio::test]
async fn register_does_not_restore_a_revoked_device() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    post(&server, &org, "devices/revoke", device("a")).await;
    let (status, reply) = post(&server, &org, "devices/register", device("a")).await;
    assert_eq!((status, &reply["status"]), (403, &json!("revoked")));
    assert_eq!(reply["error"], "device_revoked");
    assert_eq!(get(&server, &org, "usage").await.1["devicesUsed"], 0);
}

#[tokio::test]
async fn register_on_a_frozen_plan_is_403() {
    let (server, org) = server_with_org(Plan::Free).await;
    org.update(OrgUpdate::new().frozen(true)).unwrap();
    let (status, reply) = post(&server, &org, "devices/register", device("a")).await;
    assert_eq!((status, &reply["error"]), (403, &json!("plan_frozen")));
}

#[tokio::test]
async fn list_shows_every_device_with_its_times() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a", "b"]).await;
    let (_, before) = get(&server, &org, "devices/list").await;
    assert_eq!(before["devices"][0]["lastValidatedAt"], Value::Null);
    post(&server, &org, "devices/validate", device("a")).await;
    post(&server, &org, "devices/revoke", device("b")).await;
    post(&server, &org, "devices/validate", device("b")).await;
    let (status, reply) = get(&server, &org, "devices/list").await;
    assert_eq!((status, &reply["status"]), (200, &json!("ok")));
    let devices = reply["devices"].as_array().unwrap();
    let ids: Vec<_> = devices.iter().map(|device| &device["deviceId"]).collect();
    assert_eq!(ids, ["a", "b"], "in order of registration");
    assert_eq!(
        (&devices[0]["status"], &devices[1]["status"]),
        (&json!("active"), &json!("revoked"))
    );
    for (device, revoked, validated) in [(&devices[0], false, true), (&devices[1], true, false)] {
        let is_time = |value: &Value| value.as_str().is_some_and(|text| text.ends_with('Z'));
        assert!(is_time(&device["createdAt"]));
        assert_eq!(is_time(&device["revokedAt"]), revoked);
        assert_eq!(is_time(&device["lastValidatedAt"]), validated, "only ALLOW counts");
    }
    assert_eq!((&reply["planTier"], &reply["limit"]), (&json!("free"), &json!(3)));
    assert_eq!((&reply["devicesUsed"], &reply["remaining"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn revoke_and_unrevoke_are_idempotent() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    for (call, revoked) in
        [("revoke", true), ("revoke", true), ("unrevoke", false), ("unrevoke", false)]
    {
        let (status, reply) = post(&server, &org, &format!("devices/{call}"), device("a")).await;
        assert_eq!((status, &reply["status"]), (200, &json!("ok")), "{call}");
        assert_eq!(
            (&reply["deviceId"], &reply["revoked"]),
            (&json!("a"), &json!(revoked)),
            "{call}"
        );
    }
    for call in ["revoke", "unrevoke", "remove"] {
        let (status, reply) = post(&server, &org, &format!("devices/{call}"), device("x")).await;
        assert_eq!((status, &reply["status"]), (404, &json!("not_found")), "{call}");
    }
}

#[tokio::test]
async fn unrevoke_at_the_cap_is_blocked() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a", "b", "c"]).await;
    post(&server, &org, "devices/revoke", device("a")).await;
    register(&server, &org, &["d"]).await;
    let (status, reply) = post(&server, &org, "devices/unrevoke", device("a")).await;
    assert_eq!((status, &reply["status"]), (403, &json!("blocked")));
    assert_eq!(reply["error"], "device_limit_reached");
}

#[tokio::test]
async fn remove_deletes_for_good() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    post(&server, &org, "devices/revoke", device("a")).await;
    let (status, reply) = post(&server, &org, "devices/remove", device("a")).await;
    assert_eq!((status, &reply["status"]), (200, &json!("ok")));
    assert_eq!(get(&server, &org, "devices/list").await.1["devices"], json!([]));
    register(&server, &org, &["a"]).await;
}

#[tokio::test]
async fn usage_shows_the_plan_figures() {
    let (server, org) = server_with_org(Plan::Scale).await;
    register(&server, &org, &["a"]).await;
    let (status, reply) = get(&server, &org, "usage").await;
    assert_eq!((status, &reply["status"]), (200, &json!("ok")));
    assert_eq!((&reply["planTier"], &reply["limit"]), (&json!("scale"), &json!(250)));
    assert_eq!((&reply["devicesUsed"], &reply["remaining"]), (&json!(1), &json!(249)));
}

#[rstest]
#[tokio::test]
async fn checkout_takes_the_paid_plans(#[values("pro", "scale", "max")] plan: &str) {
    let (server, org) = server_with_org(Plan::Free).await;
    let (status, reply) = post(&server, &org, "billing/checkout", json!({"plan": plan})).await;
    assert_eq!((status, &reply["status"]), (200, &json!("ok")));
    let page = format!("{}/checkout/cs_test_", server.url());
    assert!(reply["url"].as_str().unwrap().starts_with(&page), "{reply}");
}

#[rstest]
#[case::free(json!({"plan": "free"}), "invalid_plan")]
#[case::unknown(json!({"plan": "gold"}), "invalid_plan")]
#[case::empty(json!({"plan": ""}), "invalid_plan")]
#[case::upper_case(json!({"plan": "PRO"}), "invalid_plan")]
#[case::missing(json!({}), "missing_params")]
#[case::number(json!({"plan": 3}), "missing_params")]
#[case::not_an_object(json!("pro"), "missing_params")]
#[tokio::test]
async fn checkout_refuses_anything_else(#[case] body: Value, #[case] error: &str) {
    let (server, org) = server_with_org(Plan::Free).await;
    let (status, reply) = post(&server, &org, "billing/checkout", body).await;
    assert_eq!((status, &reply["error"]), (400, &json!(error)));
}

#[tokio::test]
async fn an_unavailable_service_is_503_for_every_call() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    let path = format!("machineid/orgs/{}", org.key());
    let (status, state) = control(&server, Method::PATCH, &path, json!({"available": false})).await;
    assert_eq!((status, &state["available"]), (200, &json!(false)));
    for call in ["register", "validate", "revoke", "unrevoke", "remove", "revoke_batch"] {
        let (status, reply) = post(&server, &org, &format!("devices/{call}"), device("a")).await;
        assert_eq!((status, &reply["code"]), (503, &json!("SYSTEM_UNAVAILABLE")), "{call}");
    }
    for call in ["usage", "devices/list"] {
        assert_eq!(get(&server, &org, call).await.0, 503, "{call}");
    }
}

#[tokio::test]
async fn a_downgrade_keeps_devices_and_registers_no_more() {
    let (server, org) = server_with_org(Plan::Pro).await;
    register(&server, &org, &["a", "b", "c", "d"]).await;
    org.update(OrgUpdate::new().plan(Plan::Free)).unwrap();
    let (_, usage) = get(&server, &org, "usage").await;
    assert_eq!((&usage["devicesUsed"], &usage["remaining"]), (&json!(4), &json!(0)));
    assert_eq!(post(&server, &org, "devices/register", device("e")).await.0, 403);
    let (_, decision) = post(&server, &org, "devices/validate", device("d")).await;
    assert_eq!(decision["allowed"], true);
}

#[tokio::test]
async fn concurrent_registrations_never_exceed_the_limit() {
    let (server, org) = server_with_org(Plan::Free).await;
    let server = std::sync::Arc::new(server);
    let racers: Vec<_> = (0..50)
        .map(|n| {
            let (server, org) = (server.clone(), org.clone());
            tokio::spawn(async move {
                post(&server, &org, "devices/register", device(&n.to_string())).await.0
            })
        })
        .collect();
    let mut places = 0;
    for racer in racers {
        places += usize::from(racer.await.unwrap() == 200);
    }
    assert_eq!((places, org.state().unwrap().devices_used), (3, 3));
}
