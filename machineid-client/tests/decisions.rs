//! Which replies allow, and that every other reply denies.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use machineid_client::{
    Decision, DecisionCode, Denied, ErrorKind, Gate, InvalidAllow, Permit, Reason,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::{allow, client, deny, device};
use test_support::server;
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

/// The reply that allows, with another value of this field.
fn allow_with(field: &str, value: Value) -> Value {
    let mut body = allow();
    body[field] = value;
    body
}

#[tokio::test]
async fn a_complete_allow_allows_and_keeps_every_field() {
    let body = allow();
    let decision = validate(200, &body).await.unwrap();
    assert!(decision.is_allowed());
    assert_eq!(decision.code(), &DecisionCode::Allow);
    assert_eq!(decision.request_id(), body["request_id"].as_str());
    assert_eq!(decision.field("deviceId"), Some(&json!("agent-01")));
    assert_eq!(serde_json::to_value(&decision).unwrap(), body);
}

#[rstest]
#[case::org_disabled("ORG_DISABLED", DecisionCode::OrgDisabled, 200)]
#[case::system_unavailable("SYSTEM_UNAVAILABLE", DecisionCode::SystemUnavailable, 503)]
#[case::plan_frozen("PLAN_FROZEN", DecisionCode::PlanFrozen, 200)]
#[case::entitlement_expired("ENTITLEMENT_EXPIRED", DecisionCode::EntitlementExpired, 200)]
#[case::device_revoked("DEVICE_REVOKED", DecisionCode::DeviceRevoked, 200)]
#[case::device_not_found("DEVICE_NOT_FOUND", DecisionCode::DeviceNotFound, 404)]
#[case::org_not_found("ORG_NOT_FOUND", DecisionCode::OrgNotFound, 404)]
#[case::invalid_org_key("INVALID_ORG_KEY", DecisionCode::InvalidOrgKey, 401)]
#[case::invalid_device_id("INVALID_DEVICE_ID", DecisionCode::InvalidDeviceId, 400)]
#[case::new_code("PLAN_NOT_ACTIVE", DecisionCode::Unknown("PLAN_NOT_ACTIVE".into()), 200)]
#[tokio::test]
async fn every_other_code_denies_whatever_its_status(
    #[case] word: &str,
    #[case] code: DecisionCode,
    #[case] status: u16,
) {
    let decision = validate(status, &deny(word)).await.unwrap();
    assert_eq!((decision.code(), decision.http_status()), (&code, status));
    assert!(!decision.is_allowed());
    assert_eq!(decision.code().as_str(), word);
    let denied = check(ResponseTemplate::new(status).set_body_json(deny(word))).await;
    assert_eq!(denied.unwrap_err().code(), &code);
}

#[tokio::test]
async fn allowed_true_with_another_code_denies() {
    let mut body = deny("DEVICE_REVOKED");
    body["allowed"] = json!(true);
    let decision = validate(200, &body).await.unwrap();
    assert!(!decision.is_allowed());
    assert_eq!(decision.field("allowed"), Some(&json!(false)), "nor can it be read elsewhere");
}

#[tokio::test]
async fn a_denial_with_a_malformed_allowed_keeps_its_code() {
    let mut body = deny("DEVICE_REVOKED");
    body["allowed"] = json!("no");
    assert_eq!(validate(200, &body).await.unwrap().code(), &DecisionCode::DeviceRevoked);
}

#[rstest]
#[case::text(200, json!("true"))]
#[case::number(200, json!(1))]
#[case::false_(200, json!(false))]
#[case::null(200, json!(null))]
#[case::array(200, json!([true]))]
#[case::object(200, json!({"allowed": true}))]
#[case::status_403(403, json!(true))]
#[case::status_500(500, json!(true))]
#[case::status_302(302, json!(true))]
#[tokio::test]
async fn an_allow_that_contradicts_itself_is_no_decision(
    #[case] status: u16,
    #[case] allowed: Value,
) {
    let body = allow_with("allowed", allowed);
    let error = validate(status, &body).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnreadableReply);
    let denied = check(ResponseTemplate::new(status).set_body_json(body)).await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::SystemUnavailable);
    assert!(matches!(denied.reason(), Reason::NoDecision(_)));
}

#[rstest]
#[case::other_device("deviceId", json!("agent-02"), InvalidAllow::OtherDevice)]
#[case::no_device("deviceId", json!(null), InvalidAllow::OtherDevice)]
#[case::devices("deviceId", json!(["agent-01"]), InvalidAllow::OtherDevice)]
#[case::raw_device(
    "deviceId",
    json!({"$serde_json::private::RawValue": "\"agent-01\""}),
    InvalidAllow::OtherDevice
)]
#[case::other_device_id("device_id", json!("agent-02"), InvalidAllow::OtherDevice)]
#[case::status_revoked("status", json!("revoked"), InvalidAllow::OtherStatus)]
#[case::status_blocked("status", json!("blocked"), InvalidAllow::OtherStatus)]
#[case::status_error("status", json!(" Error"), InvalidAllow::OtherStatus)]
#[case::status_not_found("status", json!("not_found"), InvalidAllow::OtherStatus)]
#[case::status_code("status", json!("device_revoked"), InvalidAllow::OtherStatus)]
#[case::status_suspended("status", json!("Suspended"), InvalidAllow::OtherStatus)]
#[case::status_no_text("status", json!(["ok"]), InvalidAllow::OtherStatus)]
#[case::revoked("revoked", json!(true), InvalidAllow::OtherStatus)]
#[case::revoked_text("revoked", json!("no"), InvalidAllow::OtherStatus)]
#[case::error("error", json!("device_revoked"), InvalidAllow::HasError)]
#[case::error_null("error", json!(null), InvalidAllow::HasError)]
#[case::handler_revoke("handler", json!("devices/revoke"), InvalidAllow::OtherHandler)]
#[case::handler_list("handler", json!("devices.list"), InvalidAllow::OtherHandler)]
#[case::handler_batch("handler", json!("devices-revoke-batch"), InvalidAllow::OtherHandler)]
#[case::handler_register("handler", json!("DEVICES_REGISTER"), InvalidAllow::OtherHandler)]
#[case::handler_path("handler", json!("/api/v1/devices/unrevoke"), InvalidAllow::OtherHandler)]
#[case::handler_usage("handler", json!("usage"), InvalidAllow::OtherHandler)]
#[case::handler_no_text("handler", json!(7), InvalidAllow::OtherHandler)]
#[case::request_id_null("request_id", json!(null), InvalidAllow::NoRequestId)]
#[case::request_id_number("request_id", json!(7), InvalidAllow::NoRequestId)]
#[case::request_id_blank("request_id", json!(" "), InvalidAllow::NoRequestId)]
#[case::allowed("allowed", json!("true"), InvalidAllow::NotAllowed)]
#[tokio::test]
async fn a_field_that_contradicts_an_allow_denies(
    #[case] field: &str,
    #[case] value: Value,
    #[case] invalid: InvalidAllow,
) {
    let body = allow_with(field, value);
    let denied = check(ResponseTemplate::new(200).set_body_json(body)).await.unwrap_err();
    assert_eq!(denied.invalid_allow(), Some(invalid));
    assert_eq!(denied.code(), &DecisionCode::SystemUnavailable);
    assert!(format!("{denied:#}").contains(&invalid.to_string()), "{denied:#}");
}

#[rstest]
#[case::status("status", json!("active"))]
#[case::no_handler("handler", json!("authorize"))]
#[case::handler("handler", json!("devices.validate"))]
#[case::handler_path("handler", json!("/api/v1/devices/validate"))]
#[case::device_id("device_id", json!("agent-01"))]
#[case::more("planTier", json!("free"))]
#[tokio::test]
async fn a_field_that_contradicts_nothing_allows(#[case] field: &str, #[case] value: Value) {
    let body = allow_with(field, value);
    assert!(check(ResponseTemplate::new(200).set_body_json(body)).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn only_status_200_and_201_allow(
    #[values(200, 201, 202, 203, 206, 208, 226, 299)] status: u16,
) {
    let checked = check(ResponseTemplate::new(status).set_body_json(allow())).await;
    let invalid = checked.err().and_then(|denied| denied.invalid_allow());
    let expected = (status > 201).then_some(InvalidAllow::HttpStatus(status));
    assert_eq!(invalid, expected);
}

#[rstest]
#[case::years("800000000")]
#[case::a_second("1")]
#[tokio::test]
async fn a_reply_from_a_cache_denies(#[case] age: &str) {
    let reply = ResponseTemplate::new(200).set_body_json(allow()).insert_header("age", age);
    assert_eq!(check(reply).await.unwrap_err().invalid_allow(), Some(InvalidAllow::FromCache));
}

#[rstest]
#[case::utf_16("application/json; charset=utf-16")]
#[case::latin_1("application/json;charset=\"iso-8859-1\"")]
#[case::html("text/html")]
#[tokio::test]
async fn a_body_that_is_not_json_in_utf_8_denies(#[case] content_type: &str) {
    let reply = ResponseTemplate::new(200).set_body_raw(allow().to_string(), content_type);
    assert_eq!(check(reply).await.unwrap_err().invalid_allow(), Some(InvalidAllow::NotPlainJson));
}

#[tokio::test]
async fn an_age_of_zero_and_utf_8_allow() {
    let body = allow().to_string();
    let reply = ResponseTemplate::new(200).set_body_raw(body, "application/json; charset=UTF-8");
    assert!(check(reply.insert_header("age", "0")).await.is_ok());
}

#[tokio::test]
async fn an_allow_without_a_request_id_denies() {
    let mut body = allow();
    body.as_object_mut().unwrap().remove("request_id");
    let reply = ResponseTemplate::new(200).set_body_json(body);
    let denied = check(reply.insert_header("x-request-id", "r1")).await.unwrap_err();
    assert_eq!(denied.invalid_allow(), Some(InvalidAllow::NoRequestId));
}

#[tokio::test]
async fn a_request_id_allows_only_once() {
    let server = server(200, &allow()).await;
    let client = client(&server);
    let gate = Gate::new(&client, device());
    assert!(gate.check().await.is_ok());
    for gate in [gate.clone(), Gate::new(&client.clone(), device())] {
        let denied = gate.check().await.unwrap_err();
        assert_eq!(denied.invalid_allow(), Some(InvalidAllow::RepeatedRequestId));
    }
    let error = client.validate(&device()).await.unwrap_err();
    assert!(format!("{error:#}").contains("request_id was given before"), "{error:#}");
}

#[tokio::test]
async fn the_request_id_of_a_denial_does_not_allow() {
    let (denial, mut body) = (deny("DEVICE_REVOKED"), allow());
    body["request_id"] = denial["request_id"].clone();
    let server = MockServer::start().await;
    let reply = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    Mock::given(any()).respond_with(reply(denial)).up_to_n_times(1).mount(&server).await;
    Mock::given(any()).respond_with(reply(body)).mount(&server).await;
    let gate = Gate::new(&client(&server), device());
    assert_eq!(gate.check().await.unwrap_err().code(), &DecisionCode::DeviceRevoked);
    let denied = gate.check().await.unwrap_err();
    assert_eq!(denied.invalid_allow(), Some(InvalidAllow::RepeatedRequestId));
}

#[tokio::test]
async fn requests_ask_caches_to_store_nothing() {
    let server = server(200, &allow()).await;
    client(&server).validate(&device()).await.unwrap();
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn an_allow_may_leave_out_the_device() {
    let mut body = allow();
    body.as_object_mut().unwrap().remove("deviceId");
    assert!(validate(200, &body).await.unwrap().is_allowed());
}

#[rstest]
#[case::empty("")]
#[case::blank(" ")]
#[case::bare_true("true")]
#[case::bare_null("null")]
#[case::bare_code("\"ALLOW\"")]
#[case::html("<html><body>ALLOW</body></html>")]
#[case::array_of_values("[true,\"ALLOW\"]")]
#[case::no_code(r#"{"allowed":true}"#)]
#[case::no_allowed(r#"{"code":"ALLOW"}"#)]
#[case::raw_allowed(r#"{"allowed":{"$serde_json::private::RawValue":"true"},"code":"ALLOW"}"#)]
#[case::raw_code(r#"{"allowed":true,"code":{"$serde_json::private::RawValue":"\"ALLOW\""}}"#)]
#[case::raw_number(r#"{"allowed":{"$serde_json::private::Number":"true"},"code":"ALLOW"}"#)]
#[case::two_allowed(r#"{"allowed":false,"code":"ALLOW","allowed":true}"#)]
#[case::same_allowed_twice(r#"{"allowed":true,"allowed":true,"code":"ALLOW"}"#)]
#[case::escaped_allowed(r#"{"allowed":true,"\u0061llowed":false,"code":"ALLOW"}"#)]
#[case::two_codes(r#"{"allowed":true,"code":"DEVICE_REVOKED","code":"ALLOW"}"#)]
#[case::two_unknown_fields(r#"{"allowed":true,"code":"ALLOW","x":1,"x":2}"#)]
#[case::capital_allowed(r#"{"Allowed":true,"code":"ALLOW"}"#)]
#[case::lower_case_code(r#"{"allowed":true,"code":"allow"}"#)]
#[case::padded_code(r#"{"allowed":true,"code":" ALLOW"}"#)]
#[case::code_in_array(r#"{"allowed":true,"code":["ALLOW"]}"#)]
#[case::two_documents(r#"{"allowed":true,"code":"ALLOW"}{}"#)]
#[case::cut_off(r#"{"allowed":true,"code":"ALLOW""#)]
#[case::nested(r#"{"reply":{"allowed":true,"code":"ALLOW"}}"#)]
#[case::in_array(r#"[{"allowed":true,"code":"ALLOW"}]"#)]
#[case::deep(&format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)))]
#[tokio::test]
async fn an_unreadable_reply_denies(#[case] body: &str) {
    let reply = ResponseTemplate::new(200).set_body_raw(body, "application/json");
    assert!(!check(reply).await.unwrap_err().to_string().is_empty());
}

#[rstest]
#[tokio::test]
async fn an_html_page_denies_whatever_its_status(
    #[values(301, 302, 400, 401, 403, 404, 429, 500, 502, 503)] status: u16,
) {
    let reply = ResponseTemplate::new(status).set_body_string("<html>ALLOW</html>");
    let denied = check(reply).await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::SystemUnavailable);
}

#[rstest]
#[case::maintenance(503, json!({"code": "MAINTENANCE", "message": "back soon"}))]
#[case::maintenance_denied(503, json!({"code": "MAINTENANCE", "allowed": false}))]
#[case::no_route(404, json!({"code": "ROUTE_NOT_FOUND"}))]
#[case::allowed_is_text(200, json!({"code": "WELCOME", "allowed": "no"}))]
#[tokio::test]
async fn an_error_that_happens_to_have_a_code_is_an_outage(
    #[case] status: u16,
    #[case] body: Value,
) {
    let error = validate(status, &body).await.unwrap_err();
    assert_eq!(error.status(), Some(status));
    let reply = ResponseTemplate::new(status).set_body_json(body);
    assert!(check(reply).await.unwrap_err().is_outage());
}
