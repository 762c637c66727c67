//! What is believed, and that everything else denies.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use machineid_client::{Decision, DecisionCode, Denied, ErrorKind, Gate, Permit, Reason};
use serde_json::{Value, json};
use support::{allow, client, deny, device, server};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn validate(status: u16, body: &Value) -> Result<Decision, machineid_client::Error> {
    client(&server(status, body).await).validate(&device()).await
}

async fn check(reply: ResponseTemplate) -> Result<Permit, Denied> {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(reply).mount(&server).await;
    Gate::new(&client(&server), device()).check().await
}

#[tokio::test]
async fn allow_is_believed_when_it_is_beyond_doubt() {
    let decision = validate(200, &allow()).await.unwrap();
    assert!(decision.is_allowed());
    assert_eq!(decision.code(), &DecisionCode::Allow);
    assert_eq!(decision.request_id(), Some("5f2e7c1a-0000-4000-8000-000000000001"));
    assert_eq!(decision.field("deviceId"), Some(&json!("agent-01")));
    assert_eq!(serde_json::to_value(&decision).unwrap(), allow(), "nothing of the reply is lost");
}

#[tokio::test]
async fn every_documented_code_is_a_decision_whatever_its_status() {
    for (code, word, status) in [
        (DecisionCode::OrgDisabled, "ORG_DISABLED", 200),
        (DecisionCode::SystemUnavailable, "SYSTEM_UNAVAILABLE", 503),
        (DecisionCode::PlanFrozen, "PLAN_FROZEN", 200),
        (DecisionCode::EntitlementExpired, "ENTITLEMENT_EXPIRED", 200),
        (DecisionCode::DeviceRevoked, "DEVICE_REVOKED", 200),
        (DecisionCode::DeviceNotFound, "DEVICE_NOT_FOUND", 404),
        (DecisionCode::OrgNotFound, "ORG_NOT_FOUND", 404),
        (DecisionCode::InvalidOrgKey, "INVALID_ORG_KEY", 401),
        (DecisionCode::InvalidDeviceId, "INVALID_DEVICE_ID", 400),
        (DecisionCode::Unknown("PLAN_NOT_ACTIVE".into()), "PLAN_NOT_ACTIVE", 200),
    ] {
        let decision = validate(status, &deny(word)).await.unwrap();
        assert_eq!((decision.code(), decision.http_status()), (&code, status));
        assert!(!decision.is_allowed());
        assert_eq!(decision.code().as_str(), word, "lossless");
        let denied = check(ResponseTemplate::new(status).set_body_json(deny(word))).await;
        assert_eq!(denied.unwrap_err().code(), &code);
    }
}

#[tokio::test]
async fn a_yes_with_another_code_is_a_no() {
    let mut body = deny("DEVICE_REVOKED");
    body["allowed"] = json!(true);
    let decision = validate(200, &body).await.unwrap();
    assert!(!decision.is_allowed());
    assert_eq!(decision.field("allowed"), Some(&json!(false)), "nor can it be read elsewhere");
}

#[tokio::test]
async fn an_allow_that_contradicts_itself_is_no_decision() {
    for (status, allowed) in [
        (200, json!("true")),
        (200, json!(1)),
        (200, json!(false)),
        (200, json!(null)),
        (200, json!([true])),
        (200, json!({"allowed": true})),
        (403, json!(true)),
        (500, json!(true)),
        (302, json!(true)),
    ] {
        let mut body = allow();
        body["allowed"] = allowed;
        let error = validate(status, &body).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnreadableReply, "{status} {body}");
        let denied = check(ResponseTemplate::new(status).set_body_json(body)).await.unwrap_err();
        assert_eq!(denied.code(), &DecisionCode::SystemUnavailable);
        assert!(matches!(denied.reason(), Reason::NoDecision(_)));
    }
}

#[tokio::test]
async fn an_allow_for_another_device_is_no_decision() {
    for other in [json!("agent-02"), json!(null), json!(["agent-01"])] {
        let mut body = allow();
        body["deviceId"] = other;
        let error = validate(200, &body).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnreadableReply, "{body}");
    }
    let mut body = allow();
    body.as_object_mut().unwrap().remove("deviceId");
    assert!(validate(200, &body).await.unwrap().is_allowed());
}

#[tokio::test]
async fn whatever_can_not_be_read_denies() {
    let text = allow().to_string();
    let cut = &text[..text.len() - 1];
    let nested = format!("{{\"reply\":{text}}}");
    let list = format!("[{text}]");
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        "",
        " ",
        "true",
        "null",
        "\"ALLOW\"",
        "<html><body>ALLOW</body></html>",
        "[true,\"ALLOW\"]",
        r#"{"allowed":true}"#,
        r#"{"allowed":{"$serde_json::private::RawValue":"true"},"code":"ALLOW"}"#,
        r#"{"allowed":true,"code":{"$serde_json::private::RawValue":"\"ALLOW\""}}"#,
        r#"{"allowed":{"$serde_json::private::Number":"true"},"code":"ALLOW"}"#,
        r#"{"code":"ALLOW"}"#,
        r#"{"allowed":false,"code":"ALLOW","allowed":true}"#,
        r#"{"allowed":true,"code":"DEVICE_REVOKED","code":"ALLOW"}"#,
        r#"{"allowed":true,"allowed":true,"code":"ALLOW"}"#,
        r#"{"allowed":true,"\u0061llowed":false,"code":"ALLOW"}"#,
        r#"{"Allowed":true,"code":"ALLOW"}"#,
        r#"{"allowed":true,"code":"allow"}"#,
        r#"{"allowed":true,"code":" ALLOW"}"#,
        r#"{"allowed":true,"code":["ALLOW"]}"#,
        r#"{"allowed":true,"code":"ALLOW"}{}"#,
        cut,
        &nested,
        &list,
        &deep,
    ] {
        let reply = ResponseTemplate::new(200).set_body_raw(body, "application/json");
        let denied = check(reply).await.expect_err(body);
        assert!(!denied.to_string().is_empty());
    }
    for status in [301, 302, 400, 401, 403, 404, 429, 500, 502, 503] {
        let reply = ResponseTemplate::new(status).set_body_string("<html>ALLOW</html>");
        let denied = check(reply).await.unwrap_err();
        assert_eq!(denied.code(), &DecisionCode::SystemUnavailable, "{status}");
    }
}

#[tokio::test]
async fn an_error_that_happens_to_have_a_code_is_an_outage() {
    for (status, body) in [
        (503, json!({"code": "MAINTENANCE", "message": "back soon"})),
        (503, json!({"code": "MAINTENANCE", "allowed": false})),
        (404, json!({"code": "ROUTE_NOT_FOUND"})),
        (200, json!({"code": "WELCOME", "allowed": "no"})),
    ] {
        let error = validate(status, &body).await.unwrap_err();
        assert_eq!(error.status(), Some(status), "{body}");
        let reply = ResponseTemplate::new(status).set_body_json(body);
        assert!(check(reply).await.unwrap_err().is_outage());
    }
}
