//! Secrets are sent to the configured address only.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{StatusCode, Uri};
use machineid_client::{DeviceId, Gate};
use machins_client::{Claim, ErrorKind, EventType, NewSubscription};
use machins_mock::MockServer;
use rstest::rstest;

use crate::world::{self, secret};

/// Starts a server that redirects every request to this address. Returns its URL and the number of
/// its requests.
async fn redirecting(status: u16, target: String) -> (String, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let redirect = move |uri: Uri| {
        seen.fetch_add(1, Ordering::SeqCst);
        let location = format!("{target}{uri}");
        async move { (StatusCode::from_u16(status).unwrap(), [("location", location)]) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        axum::serve(listener, Router::new().fallback(redirect)).await.unwrap();
    });
    (url, requests)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_is_followed_with_a_secret(#[values(301, 302, 303, 307, 308)] status: u16) {
    let elsewhere = MockServer::start().await;
    for target in [elsewhere.url(), "/again".to_owned()] {
        let (url, requests) = redirecting(status, target.clone()).await;
        let machineid = world::machineid(&url).build().unwrap();
        let machins = world::machins(&url).build().unwrap();
        let password = secret(world::PASSWORD);
        let claim = Claim::new(&secret(world::CLAIM_TOKEN), "a@b", password.clone());
        let subscription = NewSubscription::new(EventType::NewAgent, "https://hook")
            .secret(secret(world::WEBHOOK_SECRET));
        let device = DeviceId::new("agent-01").unwrap();

        assert!(Gate::new(&machineid, device).check().await.is_err());
        for error in [
            machineid.list_devices().await.unwrap_err(),
            machins.get_wallet().await.unwrap_err(),
            machins.get_owner().await.unwrap_err(),
            machins.subscribe(&subscription).await.unwrap_err(),
            machins.claim(&claim).await.unwrap_err(),
            machins.owner_login("a@b", &password).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Redirect, "{target}: {error}");
        }
        assert_eq!(requests.load(Ordering::SeqCst), 7, "{target}: each was sent once");
    }
    assert!(elsewhere.requests().is_empty());
}

#[rstest]
#[case::name("http://machineid.io")]
#[case::path("http://machins.co/api/v1")]
#[case::address("http://192.0.2.1")]
#[case::upper_case_scheme("HTTP://a")]
fn plain_http_to_another_machine_is_refused(#[case] url: &str) {
    for error in [
        world::machineid(url).build().unwrap_err(),
        world::machineid(url).build_blocking().unwrap_err(),
        world::machins(url).build().unwrap_err(),
        world::machins(url).build_blocking().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains("plain http"), "{error}");
    }
}
