//! Outages: deny at once, or after a grace.

use std::time::Duration;

use machineid_client::{Client, ClientOptions, DecisionCode, Gate};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use crate::clock::{ManualClock, until};
use crate::servers::{client_with_clock, held_server, request_count, server_with};
use crate::support::{Allow, allow, builder, deny, device};
use test_support::server;

fn unavailable(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(deny("SYSTEM_UNAVAILABLE"))
}

#[tokio::test]
async fn an_outage_denies_at_once_by_default() {
    let server = server_with(1, unavailable(503), Allow).await;
    let (client, clock) = client_with_clock(&server.uri());
    let denied = Gate::new(&client, device()).check().await.unwrap_err();
    assert!(denied.is_outage());
    assert_eq!(request_count(&server).await, 1);
    assert!(clock.slept().is_empty());
}

#[rstest]
#[case::decision_503(unavailable(503))]
#[case::decision_200(unavailable(200))]
#[case::html_page(ResponseTemplate::new(502).set_body_string("<html>"))]
#[case::cut_off(ResponseTemplate::new(200).set_body_string("{\"allowed\":tr"))]
#[tokio::test]
async fn a_grace_outlasts_an_outage_but_not_for_longer(#[case] outage: ResponseTemplate) {
    let server = server_with(5, outage.clone(), Allow).await;
    let (client, _) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_secs(30));
    assert!(gate.check().await.is_ok());
    assert_eq!(request_count(&server).await, 6);

    let server = server_with(1, outage.clone(), outage).await;
    let (client, clock) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_secs(30));
    assert!(gate.check().await.unwrap_err().is_outage());
    let slept: Duration = clock.slept().iter().sum();
    assert_eq!(slept, Duration::from_secs(30), "the last question is asked at the end");
}

#[tokio::test]
async fn a_long_retry_after_does_not_shorten_the_grace() {
    let outage = unavailable(503).insert_header("retry-after", "10");
    let server = server_with(1, outage, Allow).await;
    let (client, clock) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_secs(5));
    assert!(gate.check().await.is_ok(), "a last question is asked when the grace ends");
    assert_eq!(clock.slept(), [Duration::from_secs(5)]);
}

#[tokio::test]
async fn each_caller_has_the_grace_from_its_own_asking() {
    let server = server_with(1, unavailable(503), unavailable(503)).await;
    let clock = ManualClock::new();
    let client = builder(&server.uri()).options(ClientOptions::new().clock(clock.clone()));
    let gate = Gate::new(&client.build().unwrap(), device()).outage_grace(Duration::from_secs(2));
    let check = || {
        let gate = gate.clone();
        tokio::spawn(async move { gate.check().await.map(drop) })
    };
    let asked_and_waiting = async |requests: usize, sleepers: usize| {
        until(async || request_count(&server).await == requests && clock.sleepers() == sleepers)
            .await;
    };
    let first = check();
    asked_and_waiting(1, 1).await;
    clock.advance(Duration::from_secs(1));
    asked_and_waiting(2, 1).await;

    let second = check();
    asked_and_waiting(3, 2).await;
    clock.advance(Duration::from_secs(1));
    assert!(first.await.unwrap().unwrap_err().is_outage());
    until(async || clock.sleepers() == 1).await;
    assert!(!second.is_finished(), "its grace ends a second later");

    clock.advance(Duration::from_secs(1));
    assert!(second.await.unwrap().unwrap_err().is_outage());
}

#[tokio::test]
async fn a_question_that_hangs_past_the_grace_is_asked_once_more() {
    let (url, mut requests) = held_server().await;
    let client = builder(&url).build().unwrap();
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_millis(50));
    let check = tokio::spawn(async move { gate.check().await.map(drop) });
    let _never_answered = requests.recv().await.unwrap();
    let last = tokio::time::timeout(Duration::from_secs(20), requests.recv()).await;
    last.expect("a last question is asked").unwrap().send(allow()).unwrap();
    assert!(check.await.unwrap().is_ok());
}

/// A server that answers one request with 503 and is gone then.
async fn short_lived_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let read = stream.read(&mut [0; 4096]).await.unwrap();
        drop(listener);
        assert!(read > 0);
        let reply = "HTTP/1.1 503 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(reply.as_bytes()).await.unwrap();
    });
    url
}

#[tokio::test]
async fn a_denial_does_not_claim_that_nothing_was_sent() {
    let (client, _) = client_with_clock(&short_lived_server().await);
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_secs(1));
    let denied = gate.check().await.unwrap_err();
    assert!(!denied.to_string().contains("nothing was sent"), "{denied}");
    let denied = gate.check().await.unwrap_err();
    assert!(denied.to_string().contains("nothing was sent"), "{denied}");
}

#[tokio::test]
async fn a_grace_waits_as_long_as_the_server_asked() {
    let outage = unavailable(503).insert_header("retry-after", "9");
    let server = server_with(1, outage, Allow).await;
    let (client, clock) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_mins(1));
    assert!(gate.check().await.is_ok());
    let [wait] = clock.slept()[..] else { panic!("{:?}", clock.slept()) };
    // Callers leave spread out.
    assert!((Duration::from_secs(9)..=Duration::from_secs(18)).contains(&wait), "{wait:?}");
}

#[rstest]
#[tokio::test]
async fn a_grace_never_delays_another_denial(
    #[values("ORG_DISABLED", "DEVICE_REVOKED", "INVALID_ORG_KEY", "SOMETHING_NEW")] code: &str,
) {
    let server = server(200, &deny(code)).await;
    let (client, clock) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_hours(1));
    assert_eq!(gate.check().await.unwrap_err().code().as_str(), code);
    assert!(clock.slept().is_empty());
    assert_eq!(request_count(&server).await, 1);
}

#[rstest]
#[case::allowed(200, json!({"allowed": false}))]
#[case::no_code(200, json!({"allowed": false, "code": null}))]
#[case::code_says_otherwise(200, json!({"allowed": false, "code": "ALLOW", "request_id": "r1"}))]
#[case::status(200, json!({"status": "revoked", "deviceId": "agent-01"}))]
#[case::status_says_otherwise(
    200,
    json!({"allowed": true, "code": "ALLOW", "request_id": "r1", "status": "revoked"})
)]
#[case::forbidden(403, json!({"status": "revoked", "error": "device_revoked"}))]
#[case::error(403, json!({"error": "device_revoked"}))]
#[case::not_found(404, json!({"status": "not_found", "error": "device_not_found"}))]
#[case::revoked(200, json!({"revoked": true}))]
#[case::key(401, json!({"detail": "invalid key"}))]
#[tokio::test]
async fn a_grace_never_delays_a_reply_that_says_no(#[case] status: u16, #[case] body: Value) {
    let server = server(status, &body).await;
    let (client, clock) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_hours(1));
    let denied = gate.check().await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::SystemUnavailable);
    assert!(!denied.is_outage(), "{denied:?}");
    assert!(clock.slept().is_empty());
    assert_eq!(request_count(&server).await, 1);
}

#[rstest]
#[case::gateway(404, json!({"status": 404, "error": "Not Found", "message": "no route"}))]
#[case::rate_limit(429, json!({"status": "blocked", "error": "rate_limited"}))]
#[case::maintenance(503, json!({"allowed": false, "status": "disabled"}))]
#[case::internal(200, json!({"status": "error", "error": "internal"}))]
#[tokio::test]
async fn a_reply_that_says_nothing_about_the_device_is_an_outage(
    #[case] status: u16,
    #[case] body: Value,
) {
    let server = server_with(1, ResponseTemplate::new(status).set_body_json(body), Allow).await;
    let (client, _) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_mins(1));
    assert!(gate.check().await.is_ok());
    assert_eq!(request_count(&server).await, 2);
}

#[tokio::test]
async fn a_wrong_key_is_no_outage() {
    let refused = json!({"status": "error", "error": "invalid_org_key", "code": "INVALID_ORG_KEY"});
    let server = server(401, &refused).await;
    let (client, clock) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device()).register_on_start();
    let denied = gate.outage_grace(Duration::from_hours(1)).check().await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::InvalidOrgKey);
    assert!(clock.slept().is_empty(), "no grace for what will not pass");
}

#[tokio::test]
async fn a_missing_key_is_no_outage() {
    let (_, clock) = client_with_clock("http://127.0.0.1:9");
    let options = ClientOptions::new().clock(clock.clone());
    let client = Client::builder().base_url("http://127.0.0.1:9").options(options).build().unwrap();
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_hours(1));
    let denied = gate.check().await.unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::InvalidOrgKey);
    assert!(denied.to_string().contains("MACHINEID_ORG_KEY"), "{denied}");
    assert!(clock.slept().is_empty(), "no grace for what will not pass");
}
