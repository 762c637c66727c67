//! The current trace is sent along.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use agent_client_core::{CallOptions, ClientOptions, Transport as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use rstest::rstest;
use support::{Act, get, scripted, send, transport};
use tracing::level_filters::LevelFilter;
use tracing::{Instrument as _, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

/// Returns the header of a request.
fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// At `INFO` the span of the call itself is disabled.
#[rstest]
#[case::in_the_span_of_the_call(LevelFilter::DEBUG)]
#[case::in_the_span_of_the_caller(LevelFilter::INFO)]
#[tokio::test]
async fn the_trace_of_the_current_span_is_sent(#[case] level: LevelFilter) {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(level).with(layer);
    let _guard = tracing::subscriber::set_default(subscriber);
    let (url, received) = scripted(vec![Act::reply(503, "{}"), Act::reply(200, "{}")]).await;
    let (client, _) = transport(&url, ClientOptions::new());

    let mine = info_span!("mine");
    let trace = mine.context().span().span_context().trace_id();
    send(&client, get()).instrument(mine).await.unwrap();
    for request in received.lock().unwrap().iter() {
        let parent = header(request, "traceparent").unwrap();
        assert!(parent.starts_with(&format!("00-{trace}-")), "{parent}");
        assert_eq!(parent.len(), 55);
    }
}

#[tokio::test]
async fn without_a_trace_nothing_is_sent() {
    let (url, received) = scripted(vec![Act::reply(200, "{}")]).await;
    let (client, _) = transport(&url, ClientOptions::new());
    send(&client, get()).await.unwrap();
    assert_eq!(header(&received.lock().unwrap()[0], "traceparent"), None);
}

#[tokio::test]
async fn a_header_of_the_caller_stays() {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let (url, received) = scripted(vec![Act::reply(200, "{}")]).await;
    let (client, _) = transport(&url, ClientOptions::new());
    let client = client.with(CallOptions::new().header("traceparent", "mine"));
    send(&client, get()).instrument(info_span!("mine")).await.unwrap();
    assert_eq!(header(&received.lock().unwrap()[0], "traceparent"), Some("mine"));
}
