//! A denial as an HTTP response.

use axum::body::to_bytes;
use axum::response::IntoResponse;
use machineid_client::Gate;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::servers::server_with;
use crate::support::{client, deny, device};

/// The response to a request that is denied because MachineID gives this reply: its status,
/// `Retry-After` and body.
async fn response(reply: ResponseTemplate) -> (u16, Option<String>, Value) {
    let server = server_with(1, reply.clone(), reply).await;
    let denied = Gate::new(&client(&server), device()).check().await.unwrap_err();
    let response = denied.into_response();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let retry_after = response.headers().get("retry-after");
    let retry_after = retry_after.map(|seconds| seconds.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 4096).await.unwrap();
    (status, retry_after, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_refusal_is_403_with_code_device_and_request_id() {
    let denial = deny("DEVICE_REVOKED");
    let reply = ResponseTemplate::new(200).set_body_json(&denial);
    let (status, retry_after, body) = response(reply).await;
    assert_eq!((status, retry_after), (403, None));
    let expected = json!({"error": {
        "kind": "denied",
        "code": "DEVICE_REVOKED",
        "message": "the device is revoked; the org's operator decides",
        "device_id": "agent-01",
        "request_id": denial["request_id"],
    }});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn an_outage_is_503_and_shows_nothing_of_its_cause() {
    let page = ResponseTemplate::new(503).set_body_string("internal.example");
    let (status, retry_after, body) = response(page.insert_header("retry-after", "7")).await;
    assert_eq!((status, retry_after.as_deref()), (503, Some("7")));
    assert_eq!(body["error"]["code"], "SYSTEM_UNAVAILABLE");
    assert!(!body.to_string().contains("internal.example"), "{body}");
}
