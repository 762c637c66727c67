//! "May this device run?", decision by decision.

use machins_mock::{MockServer, OrgUpdate, Plan};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{device, post, register, send, server_with_org};

/// The documented decisions, in order: each hides all that come after it.
#[tokio::test]
async fn the_first_reason_that_applies_decides() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["revoked"]).await;
    post(&server, &org, "devices/revoke", device("revoked")).await;
    let everything_wrong = OrgUpdate::new()
        .available(false)
        .execution_enabled(false)
        .frozen(true)
        .entitlement_active(false);
    org.update(everything_wrong).unwrap();

    let ask = async |key: &str, id: &str| {
        let path = "/api/v1/devices/validate";
        let reply = send(&server, Method::POST, path, key, device(id)).await;
        (reply.status.as_u16(), reply.json())
    };
    let denied = |(status, body): (u16, Value), expected: u16, code: &str, word: &str, id: &str| {
        assert_eq!(status, expected, "{code}");
        assert_eq!((&body["allowed"], &body["code"]), (&json!(false), &json!(code)), "{code}");
        assert_eq!((&body["status"], &body["deviceId"]), (&json!(word), &json!(id)), "{code}");
        assert!(body["request_id"].is_string() && body["handler"] == "devices/validate");
    };
    let key = org.key();
    denied(ask("", "?").await, 401, "INVALID_ORG_KEY", "error", "?");
    denied(ask("nope", "?").await, 401, "INVALID_ORG_KEY", "error", "?");
    denied(ask(key, "?").await, 503, "SYSTEM_UNAVAILABLE", "error", "?");
    denied(ask("org_nobody", "?").await, 404, "ORG_NOT_FOUND", "error", "?");
    org.update(OrgUpdate::new().available(true)).unwrap();
    denied(ask(key, "?").await, 200, "ORG_DISABLED", "blocked", "?");
    org.update(OrgUpdate::new().execution_enabled(true)).unwrap();
    denied(ask(key, "?").await, 200, "PLAN_FROZEN", "blocked", "?");
    org.update(OrgUpdate::new().frozen(false)).unwrap();
    denied(ask(key, "?").await, 200, "ENTITLEMENT_EXPIRED", "blocked", "?");
    org.update(OrgUpdate::new().entitlement_active(true)).unwrap();
    denied(ask(key, "?").await, 400, "INVALID_DEVICE_ID", "error", "?");
    denied(ask(key, "unknown").await, 200, "DEVICE_NOT_FOUND", "not_found", "unknown");
    denied(ask(key, "revoked").await, 200, "DEVICE_REVOKED", "revoked", "revoked");
    post(&server, &org, "devices/unrevoke", device("revoked")).await;
    let (status, body) = ask(key, " revoked ").await;
    assert_eq!((status, &body["allowed"], &body["code"]), (200, &json!(true), &json!("ALLOW")));
    assert_eq!((&body["status"], &body["deviceId"]), (&json!("ok"), &json!("revoked")));
}

#[tokio::test]
async fn an_unreadable_body_hides_no_decision_about_the_org() {
    let (server, org) = server_with_org(Plan::Free).await;
    org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
    let (status, body) = post(&server, &org, "devices/validate", json!(["a"])).await;
    assert_eq!((status, &body["code"]), (200, &json!("ORG_DISABLED")));
    assert_eq!(body["deviceId"], Value::Null);
}

#[rstest]
#[tokio::test]
async fn validate_with_another_method_is_405_with_allow(
    #[values(Method::GET, Method::PUT, Method::DELETE, Method::PATCH)] method: Method,
) {
    let (server, org) = server_with_org(Plan::Free).await;
    let path = "/api/v1/devices/validate?deviceId=a";
    let reply = send(&server, method, path, org.key(), Value::Null).await;
    assert_eq!(reply.status, 405);
    assert_eq!(reply.headers["allow"], "POST");
    let body = reply.json();
    assert_eq!((&body["status"], &body["code"]), (&json!("error"), &json!("METHOD_NOT_ALLOWED")));
    assert!(body["request_id"].is_string() && body["handler"] == "devices/validate");
}

#[tokio::test]
async fn revoking_and_removing_affect_the_next_validation() {
    let (server, org) = server_with_org(Plan::Free).await;
    register(&server, &org, &["a"]).await;
    let mut codes = Vec::new();
    for call in ["validate", "revoke", "validate", "unrevoke", "validate", "remove", "validate"] {
        let (_, body) = post(&server, &org, &format!("devices/{call}"), device("a")).await;
        codes.extend(body["code"].as_str().map(ToOwned::to_owned));
    }
    assert_eq!(codes, ["ALLOW", "DEVICE_REVOKED", "ALLOW", "DEVICE_NOT_FOUND"]);
}

#[tokio::test]
async fn orgs_do_not_share_devices() {
    let server = MockServer::start().await;
    let (one, other) = (server.create_org(Plan::Free), server.create_org(Plan::Free));
    register(&server, &one, &["a"]).await;
    let (_, body) = post(&server, &other, "devices/validate", device("a")).await;
    assert_eq!(body["code"], "DEVICE_NOT_FOUND");
}
