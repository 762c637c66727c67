//! Outages: deny at once, or after a grace.

use std::time::Duration;

use machineid_client::{Client, ClientOptions, DecisionCode, Gate};
use rstest::rstest;
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::servers::{client_with_clock, request_count, server_with};
use crate::support::{Allow, deny, device, server};

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
    assert!((Duration::from_secs(20)..Duration::from_secs(30)).contains(&slept), "{slept:?}");
}

#[tokio::test]
async fn a_grace_waits_as_long_as_the_server_asked() {
    let outage = unavailable(503).insert_header("retry-after", "9");
    let server = server_with(1, outage, Allow).await;
    let (client, clock) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_mins(1));
    assert!(gate.check().await.is_ok());
    assert_eq!(clock.slept(), [Duration::from_secs(9)]);
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
