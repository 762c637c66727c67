//! The tower layer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use machineid_client::{DecisionCode, Denied, DeviceId, Gate, GateLayer, PermitFacts};
use serde_json::Value;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use wiremock::matchers::body_string_contains;
use wiremock::{Mock, MockServer};

use crate::servers::{request_count, revoked, server_with};
use crate::support::{Allow, allow, client, device};

#[tokio::test]
async fn the_layer_checks_before_each_request() {
    let server = server_with(2, Allow, revoked()).await;
    let jobs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&jobs);
    let mut service = ServiceBuilder::new()
        .layer(GateLayer::new(Gate::new(&client(&server), device())))
        .service(service_fn(move |job: u32| {
            counter.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, std::io::Error>(job * 2))
        }));
    for job in [1, 2] {
        assert_eq!(service.ready().await.unwrap().call(job).await.unwrap(), job * 2);
    }
    let error = service.ready().await.unwrap().call(3).await.unwrap_err();
    let denied = error.downcast_ref::<Denied>().unwrap();
    assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
    assert_eq!(jobs.load(Ordering::SeqCst), 2, "the denied request never reached the service");
}

/// Answers `agent-02` with a denial and every other device with a permit for it.
async fn fleet_server() -> MockServer {
    let server = MockServer::start().await;
    let path = wiremock::matchers::path("/api/v1/devices/validate");
    Mock::given(path)
        .and(body_string_contains("agent-02"))
        .respond_with(revoked())
        .mount(&server)
        .await;
    let allowing = |request: &wiremock::Request| {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        let mut body = allow();
        body["deviceId"] = asked["deviceId"].clone();
        wiremock::ResponseTemplate::new(200).set_body_json(body)
    };
    Mock::given(wiremock::matchers::any()).respond_with(allowing).mount(&server).await;
    server
}

fn request_from(device: &str) -> Request<()> {
    Request::builder().header("x-device-id", device).body(()).unwrap()
}

#[tokio::test]
async fn each_request_is_checked_for_the_device_that_it_names() {
    let server = fleet_server().await;
    let seen = Arc::new(AtomicUsize::new(0));
    let observed = Arc::clone(&seen);
    let gate = Gate::new(&client(&server), device()).observer(move |_| {
        observed.fetch_add(1, Ordering::SeqCst);
    });
    let layer = GateLayer::per_request(gate, |request: &Request<()>| {
        DeviceId::new(request.headers()["x-device-id"].to_str().unwrap())
    });
    let mut service =
        ServiceBuilder::new().layer(layer).service(service_fn(async |request: Request<()>| {
            let facts = request.extensions().get::<PermitFacts>().unwrap();
            Ok::<_, Infallible>((facts.device().clone(), facts.request_id().unwrap().to_owned()))
        }));
    let mut call = async |device| service.ready().await.unwrap().call(request_from(device)).await;

    for device in ["agent-01", "agent-03", "agent-01"] {
        let (permitted, request_id) = call(device).await.unwrap();
        assert_eq!(permitted.as_str(), device);
        assert!(request_id.starts_with("5f2e7c1a"), "{request_id}");
    }
    let error = call("agent-02").await.unwrap_err();
    let denied = error.downcast_ref::<Denied>().unwrap();
    assert_eq!(denied.code(), &DecisionCode::DeviceRevoked);
    assert_eq!(denied.device().map(DeviceId::as_str), Some("agent-02"));
    assert_eq!(request_count(&server).await, 4);

    let error = call("no device").await.unwrap_err();
    let denied = error.downcast_ref::<Denied>().unwrap();
    assert_eq!((denied.code(), denied.device()), (&DecisionCode::InvalidDeviceId, None));
    assert!(!denied.is_outage());
    assert_eq!(request_count(&server).await, 4, "nothing is asked about it");
    assert_eq!(seen.load(Ordering::SeqCst), 5, "the observer sees them all");
}
