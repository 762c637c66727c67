//! The name of an endpoint, for spans and metrics.

use tracing::Span;

/// The name of an endpoint, for example `machins.accept_trade`: that of the spans of its calls, and
/// the one in a [`CallSummary`](crate::CallSummary).
///
/// [`operation!`](crate::operation) creates one.
#[derive(Debug)]
pub struct Operation {
    name: &'static str,
    span: fn() -> Span,
}

impl Operation {
    /// Used by the macro [`operation!`](crate::operation).
    #[doc(hidden)]
    #[must_use]
    pub const fn new(name: &'static str, span: fn() -> Span) -> Self {
        Self { name, span }
    }

    /// Returns the name of the operation, for example `machins.accept_trade`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Creates a span of this name, with the fields that a call records.
    pub(crate) fn span(&self) -> Span {
        (self.span)()
    }
}

/// The operation of a call that was given none.
pub(crate) static UNNAMED: &Operation = crate::operation!("call");

/// Names an endpoint, for [`Call::operation`](crate::Call::operation). Returns a
/// `&'static` [`Operation`](crate::Operation).
///
/// ```
/// use agent_client_core::{Call, operation};
///
/// let call = Call::get("/things/{id}").operation(operation!("example.get_thing"));
/// ```
#[macro_export]
macro_rules! operation {
    ($name:literal) => {{
        // The name of a span is part of a static, so that each operation needs its own.
        static OPERATION: $crate::Operation = $crate::Operation::new($name, || {
            $crate::__tracing::debug_span!(
                $name,
                otel.kind = "client",
                otel.status_code = $crate::__tracing::field::Empty,
                http.request.method = $crate::__tracing::field::Empty,
                http.request.resend_count = $crate::__tracing::field::Empty,
                http.response.status_code = $crate::__tracing::field::Empty,
                url.template = $crate::__tracing::field::Empty,
                server.address = $crate::__tracing::field::Empty,
                server.port = $crate::__tracing::field::Empty,
                error.r#type = $crate::__tracing::field::Empty,
                attempt = $crate::__tracing::field::Empty,
                request_id = $crate::__tracing::field::Empty,
            )
        });
        &OPERATION
    }};
}
