//! Registering the device before its first check.

use machineid_client::{Gate, Reason, Registration};
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::servers::request_count;
use crate::support::{Allow, client, device};
use test_support::server;

#[tokio::test]
async fn a_device_is_registered_once_before_its_first_check() {
    let server = MockServer::start().await;
    Mock::given(path("/api/v1/devices/register"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"status": "ok"})))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/api/v1/devices/validate"))
        .respond_with(Allow)
        .expect(2)
        .mount(&server)
        .await;
    let gate = Gate::new(&client(&server), device()).register_on_start();
    let _first = gate.check().await.unwrap();
    let _second = gate.check().await.unwrap();
    assert_eq!(server.received_requests().await.unwrap()[0].url.path(), "/api/v1/devices/register");
}

#[rstest]
#[case::plan_full(
    json!({"status": "blocked", "error": "device_limit_reached"}), "device_limit_reached"
)]
#[case::plan_full_in_older_words(json!({"status": "limit_reached"}), "limit_reached")]
#[case::revoked(json!({"status": "revoked", "error": "device_revoked"}), "DEVICE_REVOKED")]
#[case::plan_frozen(json!({"status": "error", "error": "plan_frozen"}), "PLAN_FROZEN")]
#[tokio::test]
async fn a_device_that_can_not_be_registered_is_denied(#[case] body: Value, #[case] code: &str) {
    let server = server(403, &body).await;
    let gate = Gate::new(&client(&server), device()).register_on_start();
    let denied = gate.check().await.unwrap_err();
    assert_eq!(denied.code().as_str(), code);
    assert!(matches!(denied.reason(), Reason::NotRegistered(_)));
    assert!(!denied.is_outage());
    assert_eq!(request_count(&server).await, 1, "there is no validate request");
}

#[tokio::test]
async fn registering_a_registered_device_succeeds() {
    let server = server(200, &json!({"status": "exists"})).await;
    let gate = Gate::new(&client(&server), device());
    assert!(matches!(gate.register().await.unwrap(), Registration::Exists(_)));
}
