//! Nothing is recorded in the caller's own span.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use agent_client_core::ClientOptions;
use serde_json::json;
use support::{Log, get, send, transport};
use tracing::Instrument;
use tracing::field::Empty;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// At level `INFO` the call's own span is disabled. The span around it must not be mistaken for it.
#[tokio::test]
async fn the_span_of_the_caller_is_left_alone() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = MockServer::start().await;
    let reply = ResponseTemplate::new(200).set_body_json(json!({"request_id": "theirs"}));
    Mock::given(any()).respond_with(reply).mount(&server).await;
    let (transport, _) = transport(&server.uri(), ClientOptions::new());

    let mine = tracing::info_span!("mine", request_id = "mine", status = Empty, attempt = Empty);
    async {
        send(&transport, get()).await.unwrap();
        tracing::info!("done");
    }
    .instrument(mine)
    .await;
    let log = log.text();
    assert!(log.contains(r#"mine{request_id="mine"}: "#), "{log}");
}
