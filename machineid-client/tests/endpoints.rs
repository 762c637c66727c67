//! Every endpoint: what is sent, and how the reply is read.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use machineid_client::{
    BatchStatus, Client, DeviceChange, DeviceId, DeviceStatus, Error, ErrorKind, OrgKey, PlanTier,
    Registration, RegistrationReply, UnrevokeReason,
};
use rstest::rstest;
use serde_json::{Value, json};
use support::{KEY, builder, client, device};
use test_support::server;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// The one request that the server has received: method, path, body.
async fn request(server: &MockServer) -> (String, String, Value) {
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    (request.method.to_string(), request.url.path().to_owned(), body)
}

fn post(path: &str, body: Value) -> (String, String, Value) {
    ("POST".to_owned(), path.to_owned(), body)
}

fn ids(names: &[&str]) -> Vec<DeviceId> {
    names.iter().map(|name| DeviceId::new(name).unwrap()).collect()
}

fn figures() -> Value {
    json!({"planTier": "free", "limit": 3, "devicesUsed": 1, "remaining": 2})
}

fn with_figures(mut body: Value) -> Value {
    body.as_object_mut().unwrap().extend(figures().as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn registering_a_new_device() {
    let body = with_figures(json!({
        "status": "ok", "deviceId": "agent-01", "handler": "devices/register", "request_id": "r1",
    }));
    let server = server(200, &body).await;
    let registration = client(&server).register(&device()).await.unwrap();
    assert!(registration.is_registered());
    let Registration::Created(reply) = registration else { panic!("{registration:?}") };
    assert_eq!(reply.figures.plan_tier, Some(PlanTier::Free));
    assert_eq!(reply.figures.remaining, Some(2));
    assert_eq!(reply.request_id.as_deref(), Some("r1"));
    assert_eq!(serde_json::to_value(&reply).unwrap(), body, "nothing is lost");
    let sent = post("/api/v1/devices/register", json!({"deviceId": "agent-01"}));
    assert_eq!(request(&server).await, sent);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].headers["x-org-key"], KEY);
    assert_eq!(requests[0].headers["content-type"], "application/json");
    assert!(requests[0].headers["user-agent"].to_str().unwrap().starts_with("machineid-client/"));
}

type Variant = fn(RegistrationReply) -> Registration;

#[rstest]
#[case::exists(200, json!({"status": "exists"}), Registration::Exists)]
#[case::restored(200, json!({"status": "restored"}), Registration::Exists)]
#[case::blocked(
    403,
    json!({"status": "blocked", "error": "device_limit_reached"}),
    Registration::Blocked
)]
#[case::limit_reached(
    403, json!({"status": "limit_reached"}), Registration::Blocked
)]
#[case::revoked(
    403,
    json!({"status": "revoked", "error": "device_revoked"}),
    Registration::Revoked
)]
#[case::revoked_with_status_200(
    200, json!({"status": "revoked"}), Registration::Revoked
)]
#[case::plan_frozen(
    403,
    json!({"status": "error", "error": "plan_frozen"}),
    Registration::PlanFrozen
)]
#[case::unknown_status(
    200, json!({"status": "pending_review"}), Registration::Other
)]
#[tokio::test]
async fn registering_has_a_result_for_each_status(
    #[case] status: u16,
    #[case] body: Value,
    #[case] variant: Variant,
) {
    let server = server(status, &with_figures(body)).await;
    let registration = client(&server).register(&device()).await.unwrap();
    assert_eq!(registration, variant(registration.reply().clone()));
    assert_eq!(registration.is_registered(), matches!(registration, Registration::Exists(_)));
    assert_eq!(registration.reply().figures.limit, Some(3));
}

#[rstest]
#[case::invalid_org_key(401, json!({"code": "INVALID_ORG_KEY"}), ErrorKind::Unauthorized)]
#[case::org_not_found(404, json!({"code": "ORG_NOT_FOUND"}), ErrorKind::NotFound)]
#[case::html_page(403, json!("<html>"), ErrorKind::Forbidden)]
#[case::unknown_error(
    403, json!({"status": "error", "error": "who_knows"}), ErrorKind::Forbidden
)]
#[case::array(200, json!([]), ErrorKind::UnreadableReply)]
#[tokio::test]
async fn registering_fails_without_a_registration_in_the_reply(
    #[case] status: u16,
    #[case] body: Value,
    #[case] kind: ErrorKind,
) {
    let server = server(status, &body).await;
    let error = client(&server).register(&device()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (kind, Some(status)));
}

#[tokio::test]
async fn listing_devices() {
    let body = with_figures(json!({
        "devices": [
            {"deviceId": "a", "status": "active", "createdAt": "2026-03-01T12:00:00Z",
             "revokedAt": null, "lastValidatedAt": null},
            {"deviceId": "b", "status": "on_holiday", "color": "red"},
        ],
        "handler": "devices/list",
    }));
    let server = server(200, &body).await;
    let list = client(&server).list_devices().await.unwrap();
    assert_eq!(list.devices[0].status, Some(DeviceStatus::Active));
    assert!(list.devices[0].created_at.as_ref().unwrap().time().is_some());
    assert_eq!(list.devices[1].status, Some(DeviceStatus::Unknown("on_holiday".into())));
    assert_eq!(list.devices[1].extra["color"], "red");
    assert_eq!(list.figures.devices_used, Some(1));
    assert_eq!(list.extra["handler"], "devices/list");
    let sent = ("GET".to_owned(), "/api/v1/devices/list".to_owned(), Value::Null);
    assert_eq!(request(&server).await, sent);
}

#[rstest]
#[tokio::test]
async fn changes_to_one_device(#[values("revoke", "unrevoke", "remove")] made: &str) {
    let body = json!({"status": "ok", "deviceId": "agent-01", "revoked": made == "revoke"});
    let server = server(200, &body).await;
    let client = client(&server);
    let reply = change(&client, made).await;
    assert_eq!(reply.unwrap().revoked, Some(made == "revoke"));
    let path = format!("/api/v1/devices/{made}");
    assert_eq!(request(&server).await, post(&path, json!({"deviceId": "agent-01"})));
}

async fn change(client: &Client, change: &str) -> Result<DeviceChange, Error> {
    match change {
        "revoke" => client.revoke(&device()).await,
        "unrevoke" => client.unrevoke(&device()).await,
        _ => client.remove(&device()).await,
    }
}

#[rstest]
#[case::not_found(json!({"status": "not_found"}), ErrorKind::NotFound, "not_found")]
#[case::unknown_device(device_not_found(), ErrorKind::NotFound, "device_not_found")]
#[case::blocked(
    json!({"status": "blocked", "error": "device_limit_reached"}),
    ErrorKind::Forbidden,
    "device_limit_reached"
)]
#[case::limit_in_older_documents(
    json!({"status": "limit_reached"}), ErrorKind::Forbidden, "limit_reached"
)]
#[case::invalid_key(
    json!({"status": "error", "error": "invalid key", "code": "INVALID_ORG_KEY"}),
    ErrorKind::Unauthorized,
    "INVALID_ORG_KEY"
)]
#[case::malformed(
    json!({"status": "missing_params"}), ErrorKind::BadRequest, "missing_params"
)]
#[case::error(json!({"status": " Error "}), ErrorKind::UnexpectedStatus, "Error")]
#[case::error_without_status(
    json!({"error": "who_knows"}), ErrorKind::UnexpectedStatus, "who_knows"
)]
#[case::error_of_another_shape(
    json!({"status": "ok", "error": {"why": 1}}), ErrorKind::UnexpectedStatus, "not_changed"
)]
#[tokio::test]
async fn a_success_that_refuses_a_change_is_an_error(
    #[case] body: Value,
    #[case] kind: ErrorKind,
    #[case] code: &str,
    #[values("revoke", "unrevoke", "remove")] made: &str,
) {
    let server = server(200, &body).await;
    let error = change(&client(&server), made).await.unwrap_err();
    assert_eq!((error.kind(), error.code(), error.status()), (kind, Some(code), Some(200)));
    assert!(error.to_string().contains(code), "{error}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[rstest]
#[case::not_revoked("revoke", json!({"status": "ok", "revoked": false}))]
#[case::still_revoked("unrevoke", json!({"status": "ok", "revoked": true}))]
#[case::still_revoked_by_status("unrevoke", json!({"status": "revoked"}))]
#[tokio::test]
async fn a_device_in_the_other_state_is_an_error(#[case] made: &str, #[case] body: Value) {
    let server = server(200, &body).await;
    assert!(change(&client(&server), made).await.is_err());
}

#[rstest]
#[case::no_status("revoke", json!({"deviceId": "agent-01", "revoked": true}))]
#[case::status_revoked("revoke", json!({"status": "revoked"}))]
#[case::status_already_revoked("revoke", json!({"status": "already_revoked", "error": null}))]
#[case::nothing_said("revoke", json!({}))]
#[case::restored("unrevoke", json!({"status": "restored"}))]
#[case::not_revoked("unrevoke", json!({"revoked": false}))]
#[case::new_status("remove", json!({"status": "scheduled"}))]
#[tokio::test]
async fn a_change_may_be_confirmed_in_other_words(#[case] made: &str, #[case] body: Value) {
    let server = server(200, &body).await;
    let reply = change(&client(&server), made).await.unwrap();
    assert_eq!(reply.status.as_deref(), body["status"].as_str());
    assert_eq!(reply.revoked, body["revoked"].as_bool());
}

#[rstest]
#[case::error(json!({"status": "error"}))]
#[case::with_a_count(json!({"status": "error", "revokedCount": 0, "unrevokedCount": 0}))]
#[case::with_no_results(json!({"error": "too_many_ids", "results": []}))]
#[tokio::test]
async fn a_success_that_refuses_a_batch_is_an_error(#[case] body: Value) {
    let server = server(200, &body).await;
    let client = client(&server);
    let one = [device()];
    let errors = [
        client.revoke_batch(&one).await.unwrap_err(),
        client.revoke_all_active().await.unwrap_err(),
        client.unrevoke_batch(&one).await.unwrap_err(),
        client.unrevoke_all_revoked().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::UnexpectedStatus, "{error}");
    }
}

#[tokio::test]
async fn a_batch_that_restored_none_has_its_reason() {
    let body = json!({"status": "blocked", "error": "device_limit_reached", "unrevokedCount": 0,
        "reason": "at_cap"});
    let batch = client(&server(200, &body).await).unrevoke_all_revoked().await.unwrap();
    assert_eq!(batch.reason, Some(UnrevokeReason::AtCap));
    let results = json!([{"deviceId": "a", "status": "blocked", "error": "device_limit_reached"}]);
    let body = json!({"status": "blocked", "results": results});
    let batch = client(&server(200, &body).await).unrevoke_batch(&ids(&["a"])).await.unwrap();
    assert_eq!(batch.results[0].status, BatchStatus::Blocked);
}

#[tokio::test]
async fn restoring_a_device_in_a_full_plan_is_an_error() {
    let body = with_figures(json!({"status": "blocked", "error": "device_limit_reached"}));
    let error = client(&server(403, &body).await).unrevoke(&device()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(error.code(), Some("device_limit_reached"));
}

/// A server that fails once and then answers with this.
async fn failing_then(status: u16, body: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(502))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let not_found = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(any()).respond_with(not_found).mount(&server).await;
    server
}

fn device_not_found() -> Value {
    json!({"status": "not_found", "error": "device_not_found"})
}

#[tokio::test]
async fn removing_an_unknown_device_is_an_error() {
    let server = server(404, &device_not_found()).await;
    let error = client(&server).remove(&device()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[rstest]
#[case::status_404(404, device_not_found())]
#[case::status_200(200, json!({"status": "not_found"}))]
#[tokio::test]
async fn a_removal_whose_first_reply_was_lost_succeeds(#[case] status: u16, #[case] body: Value) {
    let server = failing_then(status, body).await;
    let change = builder(&server.uri()).build().unwrap().remove(&device()).await.unwrap();
    assert_eq!(change.device_id, Some(device()));
}

#[rstest]
#[case::unknown_org(json!({"status": "error", "code": "ORG_NOT_FOUND"}))]
#[case::html_page(json!("<html>"))]
#[tokio::test]
async fn a_404_of_another_kind_is_no_removal(#[case] body: Value) {
    let server = failing_then(404, body).await;
    let error = builder(&server.uri()).build().unwrap().remove(&device()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_device_that_an_unreadable_404_is_about_may_be_removed() {
    let server = MockServer::start().await;
    let cut_off = ResponseTemplate::new(404).set_body_string("{\"status\": \"not_f");
    for reply in [ResponseTemplate::new(500), cut_off] {
        Mock::given(any()).respond_with(reply).up_to_n_times(1).mount(&server).await;
    }
    let error = builder(&server.uri()).build().unwrap().remove(&device()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnreadableReply);
    assert!(error.to_string().contains("may have removed the device"), "{error}");
}

#[tokio::test]
async fn revoke_batch() {
    let results = json!([
        {"deviceId": "a", "status": "revoked"},
        {"deviceId": "b", "status": "not_found"},
        {"deviceId": 7, "status": "invalid", "error": "invalid_device_id"},
    ]);
    let server = server(200, &json!({"results": results, "revokedCount": 1})).await;
    let batch = client(&server).revoke_batch(&ids(&["a", "b"])).await.unwrap();
    assert_eq!(batch.revoked_count, Some(1));
    assert_eq!(batch.results[1].status, BatchStatus::NotFound);
    assert_eq!(batch.results[2].error.as_deref(), Some("invalid_device_id"));
    let sent = post("/api/v1/devices/revoke_batch", json!({"deviceIds": ["a", "b"]}));
    assert_eq!(request(&server).await, sent);
}

#[tokio::test]
async fn a_list_that_is_null_is_empty() {
    let server =
        server(200, &json!({"devices": null, "results": null, "unrevokedSample": null})).await;
    let client = client(&server);
    assert_eq!(client.list_devices().await.unwrap().devices, []);
    assert_eq!(client.revoke_batch(&[device()]).await.unwrap().results, []);
    let restored = client.unrevoke_batch(&[device()]).await.unwrap();
    assert_eq!((restored.results, restored.unrevoked_sample), (vec![], vec![]));
}

#[tokio::test]
async fn a_reply_without_devices_is_not_an_empty_list() {
    let error = client(&server(200, &json!({})).await).list_devices().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnreadableReply);
}

#[tokio::test]
async fn revoke_all_active() {
    let server = server(200, &json!({"revokedCount": 2})).await;
    assert_eq!(client(&server).revoke_all_active().await.unwrap().revoked_count, Some(2));
    let sent = post("/api/v1/devices/revoke_batch", json!({"scope": "all_active"}));
    assert_eq!(request(&server).await, sent);
}

#[tokio::test]
async fn unrevoke_batch() {
    let results = json!([{"deviceId": "a", "status": "blocked", "error": "device_limit_reached"}]);
    let server = server(200, &json!({"results": results, "unrevokedCount": 0})).await;
    let batch = client(&server).unrevoke_batch(&ids(&["a"])).await.unwrap();
    assert_eq!(batch.results[0].status, BatchStatus::Blocked);
    let sent = post("/api/v1/devices/unrevoke_batch", json!({"deviceIds": ["a"]}));
    assert_eq!(request(&server).await, sent);
}

#[tokio::test]
async fn unrevoke_all_revoked() {
    let body = json!({"unrevokedCount": 0, "unrevokedSample": [], "reason": "at_cap"});
    let server = server(200, &body).await;
    let batch = client(&server).unrevoke_all_revoked().await.unwrap();
    assert_eq!(batch.reason, Some(UnrevokeReason::AtCap));
    let sent = post("/api/v1/devices/unrevoke_batch", json!({"scope": "all_revoked"}));
    assert_eq!(request(&server).await, sent);
}

#[tokio::test]
async fn an_id_that_a_batch_has_twice_is_sent_and_counted_once() {
    let ids: Vec<_> = (0..500).map(|n| DeviceId::new(&format!("d{n}")).unwrap()).collect();
    let devices = [&ids[..], &ids[..1]].concat();
    for path in ["/api/v1/devices/revoke_batch", "/api/v1/devices/unrevoke_batch"] {
        let server = server(200, &json!({"results": []})).await;
        let client = client(&server);
        if path.contains("unrevoke") {
            client.unrevoke_batch(&devices).await.unwrap();
        } else {
            client.revoke_batch(&devices).await.unwrap();
        }
        assert_eq!(request(&server).await, post(path, json!({"deviceIds": ids})));
    }
}

#[tokio::test]
async fn a_batch_without_or_with_too_many_ids_is_not_sent() {
    let server = server(200, &json!({})).await;
    let client = client(&server);
    let many: Vec<_> = (0..501).map(|n| DeviceId::new(&format!("d{n}")).unwrap()).collect();
    for devices in [&[][..], &many] {
        let error = client.revoke_batch(devices).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = client.unrevoke_batch(devices).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    assert!(server.received_requests().await.unwrap().is_empty());
    client.revoke_batch(&many[..500]).await.unwrap();
}

#[tokio::test]
async fn usage() {
    let server = server(200, &with_figures(json!({"status": "ok"}))).await;
    let usage = client(&server).usage().await.unwrap();
    assert_eq!(usage.figures.limit, Some(3));
    assert_eq!(serde_json::to_value(&usage).unwrap(), with_figures(json!({"status": "ok"})));
    let sent = ("GET".to_owned(), "/api/v1/usage".to_owned(), Value::Null);
    assert_eq!(request(&server).await, sent);
}

#[tokio::test]
async fn checkout() {
    let server = server(200, &json!({"status": "ok", "url": "https://pay.example/1"})).await;
    let checkout = client(&server).checkout(&PlanTier::Scale).await.unwrap();
    assert_eq!(checkout.url, "https://pay.example/1");
    assert_eq!(request(&server).await, post("/api/v1/billing/checkout", json!({"plan": "scale"})));
}

#[tokio::test]
async fn creating_an_org_needs_no_key_and_does_not_show_the_new_one() {
    let body = json!({"status": "ok", "orgApiKey": "org_fresh", "handler": "org_create"});
    let server = server(200, &body).await;
    let client = Client::builder().base_url(server.uri()).build().unwrap();
    let org = client.create_org().await.unwrap();
    assert_eq!(org.org_key.expose(), "org_fresh");
    assert_eq!(org.extra["handler"], "org_create");
    assert!(!format!("{org:?}").contains("org_fresh"));
    assert_eq!(request(&server).await, post("/api/v1/org/create", json!({})));
}

/// The reply may contain the key, so no part of it may be shown.
#[rstest]
#[case::server_error(500, json!({}))]
#[case::malformed_key(200, json!({"orgApiKey": ["org_fresh"]}))]
#[tokio::test]
async fn creating_an_org_is_not_repeated(#[case] status: u16, #[case] body: Value) {
    let server = server(status, &body).await;
    let client = Client::builder().base_url(server.uri()).build().unwrap();
    let error = client.create_org().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(!format!("{error} {error:?}").contains("org_fresh"));
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_key_nothing_is_sent() {
    let served = server(200, &json!({})).await;
    let client = Client::builder().base_url(served.uri()).build().unwrap();
    let error = client.usage().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingCredential);
    assert!(served.received_requests().await.unwrap().is_empty());
}

#[rstest]
#[case::short("a")]
#[case::usual("agent-01")]
#[case::as_in_the_guides("billing:prod:worker:03")]
#[case::every_special_character("a.b_c:d@e/f-g")]
#[case::padded(" padded ")]
#[case::longest(&"x".repeat(128))]
fn a_valid_device_id_is_trimmed(#[case] id: &str) {
    assert_eq!(DeviceId::new(id).unwrap().as_str(), id.trim());
}

#[rstest]
#[case::empty("")]
#[case::blank("  ")]
#[case::space("a b")]
#[case::line_break("a\nb")]
#[case::not_ascii("caf\u{e9}")]
#[case::backslash("a\\b")]
#[case::percent("a%b")]
#[case::nul("\0")]
#[case::hash("#")]
#[case::question_mark("?")]
#[case::too_long(&"x".repeat(129))]
fn an_invalid_device_id_is_refused(#[case] id: &str) {
    assert_eq!(DeviceId::new(id).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[rstest]
#[case::empty("")]
#[case::only_the_prefix("org_")]
#[case::other_prefix("at_x")]
#[case::capital_prefix("ORG_x")]
#[case::space("org_a b")]
#[case::not_ascii("org_\u{e9}")]
#[case::line_break("org_a\nb")]
fn an_invalid_org_key_is_refused(#[case] key: &str) {
    assert_eq!(OrgKey::new(key).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[cfg(feature = "blocking")]
#[test]
fn the_blocking_client_has_the_same_endpoints() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(server(200, &with_figures(json!({"status": "ok"}))));
    let client = builder(&server.uri()).build_blocking().unwrap();
    assert!(client.register(&device()).unwrap().is_registered());
    assert_eq!(client.usage().unwrap().figures.limit, Some(3));
}
