//! The interface that the asynchronous and the blocking transport share.

use crate::call::Call;

/// Sends calls, asynchronously or blocking.
///
/// An API that is written once over `T: Transport` serves both kinds of callers.
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
    /// What sending a call returns: a future of the result, or the result itself.
    type Reply<R: Send + 'static>;

    /// Sends the call and decodes its reply, within the client's limits and retry rules.
    fn send<R: Send + 'static>(&self, call: Call<R>) -> Self::Reply<R>;
}
