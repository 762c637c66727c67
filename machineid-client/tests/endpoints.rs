//! Every endpoint: what is sent, and what is made of the reply.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use machineid_client::{
    BatchStatus, Client, DeviceId, DeviceStatus, ErrorKind, OrgKey, PlanTier, Registration,
    UnrevokeReason,
};
use serde_json::{Value, json};
use support::{KEY, builder, client, device, server};
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
async fn register_created() {
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

#[tokio::test]
async fn register_outcomes() {
    type Is = fn(&Registration) -> bool;
    let cases: [(u16, Value, Is); 8] = [
        (200, json!({"status": "exists"}), |r| matches!(r, Registration::Exists(_))),
        (200, json!({"status": "restored"}), |r| matches!(r, Registration::Exists(_))),
        (403, json!({"status": "blocked", "error": "device_limit_reached"}), |r| {
            matches!(r, Registration::Blocked(_))
        }),
        (403, json!({"status": "limit_reached"}), |r| matches!(r, Registration::Blocked(_))),
        (403, json!({"status": "revoked", "error": "device_revoked"}), |r| {
            matches!(r, Registration::Revoked(_))
        }),
        (200, json!({"status": "revoked"}), |r| matches!(r, Registration::Revoked(_))),
        (403, json!({"status": "error", "error": "plan_frozen"}), |r| {
            matches!(r, Registration::PlanFrozen(_))
        }),
        (200, json!({"status": "pending_review"}), |r| matches!(r, Registration::Other(_))),
    ];
    for (status, body, is_expected) in cases {
        let server = server(status, &with_figures(body.clone())).await;
        let registration = client(&server).register(&device()).await.unwrap();
        assert!(is_expected(&registration), "{registration:?}");
        assert_eq!(registration.is_registered(), matches!(registration, Registration::Exists(_)));
        assert_eq!(registration.reply().figures.limit, Some(3));
    }
}

#[tokio::test]
async fn register_errors() {
    for (status, body, kind) in [
        (401, json!({"status": "error", "code": "INVALID_ORG_KEY"}), ErrorKind::Unauthorized),
        (404, json!({"status": "error", "code": "ORG_NOT_FOUND"}), ErrorKind::NotFound),
        (403, json!("<html>"), ErrorKind::Forbidden),
        (403, json!({"status": "error", "error": "who_knows"}), ErrorKind::Forbidden),
        (200, json!([]), ErrorKind::UnreadableReply),
    ] {
        let server = server(status, &body).await;
        let error = client(&server).register(&device()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)));
    }
}

#[tokio::test]
async fn list() {
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

#[tokio::test]
async fn revoke_unrevoke_and_remove() {
    for verb in ["revoke", "unrevoke", "remove"] {
        let body = json!({"status": "ok", "deviceId": "agent-01", "revoked": verb == "revoke"});
        let server = server(200, &body).await;
        let client = client(&server);
        let change = match verb {
            "revoke" => client.revoke(&device()).await,
            "unrevoke" => client.unrevoke(&device()).await,
            _ => client.remove(&device()).await,
        };
        assert_eq!(change.unwrap().revoked, Some(verb == "revoke"));
        let path = format!("/api/v1/devices/{verb}");
        assert_eq!(request(&server).await, post(&path, json!({"deviceId": "agent-01"})));
    }
}

#[tokio::test]
async fn unrevoke_at_the_cap_is_an_error_with_the_services_code() {
    let body = with_figures(json!({"status": "blocked", "error": "device_limit_reached"}));
    let error = client(&server(403, &body).await).unrevoke(&device()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(error.code(), Some("device_limit_reached"));
}

#[tokio::test]
async fn a_removal_whose_first_reply_was_lost_is_done() {
    let gone = json!({"status": "not_found", "error": "device_not_found"});
    let error = client(&server(404, &gone).await).remove(&device()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "asked once: there was none");

    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(502))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(404).set_body_json(gone))
        .mount(&server)
        .await;
    let change = builder(&server.uri()).build().unwrap().remove(&device()).await.unwrap();
    assert_eq!(change.device_id, Some(device()));
}

#[tokio::test]
async fn a_404_of_another_kind_is_no_removal() {
    for other in [json!({"status": "error", "code": "ORG_NOT_FOUND"}), json!("<html>")] {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(503))
            .up_to_n_times(1)
            .mount(&server)
            .await;
        let reply = ResponseTemplate::new(404).set_body_json(other);
        Mock::given(any()).respond_with(reply).mount(&server).await;
        let error = builder(&server.uri()).build().unwrap().remove(&device()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn batches() {
    let results = json!([
        {"deviceId": "a", "status": "revoked"},
        {"deviceId": "b", "status": "not_found"},
        {"deviceId": 7, "status": "invalid", "error": "invalid_device_id"},
    ]);
    let served = server(200, &json!({"results": results, "revokedCount": 1})).await;
    let batch = client(&served).revoke_batch(&ids(&["a", "b"])).await.unwrap();
    assert_eq!(batch.revoked_count, Some(1));
    assert_eq!(batch.results[1].status, BatchStatus::NotFound);
    assert_eq!(batch.results[2].error.as_deref(), Some("invalid_device_id"));
    let sent = post("/api/v1/devices/revoke_batch", json!({"deviceIds": ["a", "b"]}));
    assert_eq!(request(&served).await, sent);

    let served = server(200, &json!({"revokedCount": 2})).await;
    assert_eq!(client(&served).revoke_all_active().await.unwrap().revoked_count, Some(2));
    let sent = post("/api/v1/devices/revoke_batch", json!({"scope": "all_active"}));
    assert_eq!(request(&served).await, sent);

    let results = json!([{"deviceId": "a", "status": "blocked", "error": "device_limit_reached"}]);
    let served = server(200, &json!({"results": results, "unrevokedCount": 0})).await;
    let batch = client(&served).unrevoke_batch(&ids(&["a"])).await.unwrap();
    assert_eq!(batch.results[0].status, BatchStatus::Blocked);
    let sent = post("/api/v1/devices/unrevoke_batch", json!({"deviceIds": ["a"]}));
    assert_eq!(request(&served).await, sent);

    let body = json!({"unrevokedCount": 0, "unrevokedSample": [], "reason": "at_cap"});
    let served = server(200, &body).await;
    let batch = client(&served).unrevoke_all_revoked().await.unwrap();
    assert_eq!(batch.reason, Some(UnrevokeReason::AtCap));
    let sent = post("/api/v1/devices/unrevoke_batch", json!({"scope": "all_revoked"}));
    assert_eq!(request(&served).await, sent);
}

#[tokio::test]
async fn a_batch_of_no_or_too_many_ids_is_not_sent() {
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
async fn usage_and_checkout() {
    let served = server(200, &with_figures(json!({"status": "ok"}))).await;
    let usage = client(&served).usage().await.unwrap();
    assert_eq!(usage.figures.limit, Some(3));
    assert_eq!(serde_json::to_value(&usage).unwrap(), with_figures(json!({"status": "ok"})));
    let sent = ("GET".to_owned(), "/api/v1/usage".to_owned(), Value::Null);
    assert_eq!(request(&served).await, sent);

    let served = server(200, &json!({"status": "ok", "url": "https://pay.example/1"})).await;
    let checkout = client(&served).checkout(&PlanTier::Scale).await.unwrap();
    assert_eq!(checkout.url, "https://pay.example/1");
    assert_eq!(request(&served).await, post("/api/v1/billing/checkout", json!({"plan": "scale"})));
}

#[tokio::test]
async fn a_new_org_needs_no_key_and_its_own_is_not_shown() {
    let body = json!({"status": "ok", "orgApiKey": "org_fresh", "handler": "org_create"});
    let served = server(200, &body).await;
    let client = Client::builder().base_url(served.uri()).build().unwrap();
    let org = client.create_org().await.unwrap();
    assert_eq!(org.org_key.expose(), "org_fresh");
    assert_eq!(org.extra["handler"], "org_create");
    assert!(!format!("{org:?}").contains("org_fresh"));
    assert_eq!(request(&served).await, post("/api/v1/org/create", json!({})));

    // A creation is not repeated, and an unreadable reply is not shown: it may hold the key.
    for (status, body) in [(500, json!({})), (200, json!({"orgApiKey": ["org_fresh"]}))] {
        let served = server(status, &body).await;
        let client = Client::builder().base_url(served.uri()).build().unwrap();
        let error = client.create_org().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
        assert!(!format!("{error} {error:?}").contains("org_fresh"));
        assert_eq!(served.received_requests().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_sent() {
    let served = server(200, &json!({})).await;
    let client = Client::builder().base_url(served.uri()).build().unwrap();
    let error = client.usage().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingCredential);
    assert!(served.received_requests().await.unwrap().is_empty());
}

#[test]
fn ids_and_keys_are_checked_before_sending() {
    let long = "x".repeat(128);
    for good in ["a", "agent-01", "a.b_c:d@e/f-g", " padded ", &long] {
        assert_eq!(DeviceId::new(good).unwrap().as_str(), good.trim());
    }
    let longer = "x".repeat(129);
    for bad in ["", "  ", "a b", "a\nb", "caf\u{e9}", "a\\b", "a%b", "\0", "#", "?", &longer] {
        assert_eq!(DeviceId::new(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
    }
    for bad in ["", "org_", "at_x", "ORG_x", "org_a b", "org_\u{e9}", "org_a\nb"] {
        assert!(OrgKey::new(bad).is_err(), "{bad:?}");
    }
}

#[cfg(feature = "blocking")]
#[test]
fn the_blocking_client_is_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(server(200, &with_figures(json!({"status": "ok"}))));
    let client = builder(&server.uri()).build_blocking().unwrap();
    assert!(client.register(&device()).unwrap().is_registered());
    assert_eq!(client.usage().unwrap().figures.limit, Some(3));
}
