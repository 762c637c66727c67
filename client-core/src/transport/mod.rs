//! The transports, which send calls: one implementation, and two ways to wait for it.

mod asynchronous;
mod attempts;
#[cfg(feature = "blocking")]
mod blocking;
mod conditional_body;
mod engine;
mod execute;
mod redact;
#[cfg(feature = "otel")]
mod trace_context;
mod wire;

pub use asynchronous::{AndThen, Async, Pending, Transport};
#[cfg(feature = "blocking")]
pub use blocking::Blocking;
