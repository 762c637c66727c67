//! Telling the server which trace a request belongs to.

use opentelemetry::propagation::Injector;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry::{Context, global};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Adds the headers of the current trace, if there is one, and leaves those alone that are there
/// already. The program's own propagator writes them; without one it is W3C's `traceparent`.
pub(super) fn inject(headers: &mut HeaderMap) {
    let of_span = Span::current().context();
    let context =
        if of_span.span().span_context().is_valid() { of_span } else { Context::current() };
    let mut headers = Headers(headers);
    let is_configured = global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut headers);
        propagator.fields().next().is_some()
    });
    if !is_configured {
        headers.set_w3c(context.span().span_context());
    }
}

struct Headers<'a>(&'a mut HeaderMap);

impl Headers<'_> {
    /// Writes the header of <https://www.w3.org/TR/trace-context/#traceparent-header>.
    fn set_w3c(&mut self, span: &SpanContext) {
        if !span.is_valid() {
            return;
        }
        let (trace, id, flags) = (span.trace_id(), span.span_id(), span.trace_flags().to_u8());
        self.set("traceparent", format!("00-{trace}-{id}-{flags:02x}"));
        let state = span.trace_state().header();
        if !state.is_empty() {
            self.set("tracestate", state);
        }
    }
}

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            self.0.entry(name).or_insert(value);
        }
    }
}
