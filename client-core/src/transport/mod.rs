//! What carries a call out: one engine, and two ways to wait for it.

mod asynchronous;
#[cfg(feature = "blocking")]
mod blocking;
mod engine;
mod wire;

pub use asynchronous::{Async, Pending};
#[cfg(feature = "blocking")]
pub use blocking::Blocking;

use crate::call::Call;

/// Carries calls out. An API that is written once over `T: Transport` serves asynchronous and
/// blocking callers alike.
///
/// ```
/// use agent_client_core::{Call, Transport};
///
/// struct Api<T>(T);
///
/// impl<T: Transport> Api<T> {
///     fn thing(&self, id: &str) -> T::Reply<serde_json::Value> {
///         self.0.send(Call::get("/things/{id}").segment("id", id).json())
///     }
/// }
/// ```
pub trait Transport: Clone {
    /// What sending a call gives: a future of the result, or the result itself.
    type Reply<R: Send + 'static>;

    /// Sends the call.
    fn send<R: Send + 'static>(&self, call: Call<R>) -> Self::Reply<R>;
}
