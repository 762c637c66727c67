//! The span of a call, and what is logged in it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use agent_client_core::{Call, ClientOptions, operation};
use serde_json::json;
use support::{Act, Log, SCHEME, get, scripted, send, transport};
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

/// Sends a call to a server that answers 503 and then 200, at this level. Returns the log.
async fn log_of_a_retry(level: tracing::Level) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let acts = vec![Act::reply(503, "{}"), Act::reply(200, r#"{"request_id":"theirs"}"#)];
    let (url, _) = scripted(acts).await;
    let (transport, _) = transport(&url, ClientOptions::new());
    let call = Call::get("/things/{id}").segment("id", "42").auth(&SCHEME).json();
    send(&transport, call.operation(operation!("test.get_thing"))).await.unwrap();
    log.text()
}

#[tokio::test]
async fn a_span_has_the_field_names_of_opentelemetry() {
    let log = log_of_a_retry(tracing::Level::DEBUG).await;
    let span = log.lines().find(|line| line.contains("close")).unwrap();
    for field in [
        "test.get_thing{",
        r#"otel.kind="client""#,
        r#"http.request.method="GET""#,
        r#"url.template="/things/{id}""#,
        r#"server.address="127.0.0.1""#,
        "server.port=",
        "http.response.status_code=200",
        "http.request.resend_count=1",
        "attempt=2",
        r#"request_id="theirs""#,
    ] {
        assert!(span.contains(field), "{field} is missing in {span}");
    }
    assert!(!span.contains("error.type"), "{span}");
}

#[tokio::test]
async fn a_retry_is_a_warning_that_names_the_operation() {
    let log = log_of_a_retry(tracing::Level::WARN).await;
    let [line] = log.lines().collect::<Vec<_>>()[..] else { panic!("{log}") };
    for part in ["WARN", "sending again", "test.get_thing", "attempt=1", "503"] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
}
