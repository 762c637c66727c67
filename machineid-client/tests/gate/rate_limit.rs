//! Rate limits: those of other endpoints hold no check up, and a long one is no decision.

use std::future::pending;
use std::time::Duration;

use machineid_client::{ClientOptions, DecisionCode, ErrorKind, Gate, Reason};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::clock::ManualClock;
use crate::servers::{client_with_clock, request_count, server_with};
use crate::support::{Allow, builder, device};

fn limited(seconds: u32) -> ResponseTemplate {
    ResponseTemplate::new(429).insert_header("retry-after", &*seconds.to_string())
}

#[tokio::test]
async fn a_limit_of_another_endpoint_delays_no_check() {
    let server = MockServer::start().await;
    Mock::given(path("/api/v1/usage")).respond_with(limited(3600)).mount(&server).await;
    Mock::given(path("/api/v1/devices/validate")).respond_with(Allow).mount(&server).await;
    let (client, clock) = client_with_clock(&server.uri());
    assert_eq!(client.usage().await.unwrap_err().kind(), ErrorKind::RateLimited);
    let gate = Gate::new(&client, device());
    assert!(gate.check().await.is_ok());
    assert!(client.validate(&device()).await.unwrap().is_allowed());
    assert!(clock.slept().is_empty(), "no question waits");
}

#[tokio::test]
async fn a_check_waits_for_a_short_limit_of_its_own() {
    let server = server_with(1, limited(20), Allow).await;
    let (client, clock) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device());
    assert!(gate.check().await.unwrap_err().is_outage());
    assert!(gate.check().await.is_ok());
    let [wait] = clock.slept()[..] else { panic!("{:?}", clock.slept()) };
    // Callers leave spread out over up to ten seconds.
    assert!((Duration::from_secs(20)..=Duration::from_secs(30)).contains(&wait), "{wait:?}");
}

#[tokio::test]
async fn a_limit_longer_than_the_interval_ends_the_work() {
    let server = MockServer::start().await;
    Mock::given(path("/api/v1/devices/validate"))
        .respond_with(Allow)
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(path("/api/v1/devices/validate")).respond_with(limited(20)).mount(&server).await;
    let clock = ManualClock::new();
    let options = ClientOptions::new().clock(clock.clone()).max_attempts(1);
    let client = builder(&server.uri()).options(options).build().unwrap();
    let work = async {
        client.validate(&device()).await.unwrap_err();
        clock.advance(Duration::from_secs(1));
        pending::<()>().await;
    };
    let supervised = Gate::new(&client, device());
    let supervised = supervised.supervise(Duration::from_secs(1), work);
    let denied = tokio::time::timeout(Duration::from_secs(20), supervised).await;
    let denied = denied.expect("the work goes on during the pause").unwrap_err();
    assert_eq!(denied.code(), &DecisionCode::SystemUnavailable);
    let Reason::NoDecision(error) = denied.reason() else { panic!("{denied:?}") };
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(request_count(&server).await, 2, "no question is asked during the pause");
}

#[tokio::test]
async fn a_limit_longer_than_the_grace_allows_its_last_question() {
    let server = server_with(1, limited(3600), Allow).await;
    let (client, clock) = client_with_clock(&server.uri());
    let gate = Gate::new(&client, device()).outage_grace(Duration::from_secs(30));
    assert!(gate.check().await.is_ok());
    assert_eq!(clock.slept(), [Duration::from_secs(30)]);
}
