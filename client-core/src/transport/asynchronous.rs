//! The transport for asynchronous callers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::engine::Engine;
use super::execute::execute;
use super::traits::Transport;
use crate::base_url::BaseUrl;
use crate::call::Call;
use crate::clock::Clock;
use crate::credential::Credential;
use crate::error::Error;
use crate::options::ClientOptions;

/// Sends calls on the tokio runtime that polls them.
///
/// The runtime must have I/O and timers enabled. A clone is one pointer, and all clones share
/// connections, rate-limit pauses and retry budget.
///
/// A connection belongs to the runtime that opened it. If several runtimes share a transport, a
/// call may be given a connection of a runtime that is not running at that moment, and time out:
/// use a transport for each such runtime.
#[derive(Clone)]
pub struct Async(Arc<Engine>);

impl Async {
    /// Creates a transport to `base_url` with these keys.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if TLS cannot be set up
    /// or the user agent is not a valid header value.
    pub fn new(
        base_url: BaseUrl,
        credentials: Vec<Credential>,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        Ok(Self(Arc::new(Engine::new(base_url, credentials, options)?)))
    }

    /// Returns the base URL that calls are sent to.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        self.0.wire.base_url()
    }

    /// Returns the clock that retries are timed by.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.0.clock()
    }
}

impl Transport for Async {
    type Reply<R: Send + 'static> = Pending<R>;

    fn send<R: Send + 'static>(&self, call: Call<R>) -> Pending<R> {
        Pending(Box::pin(execute(Arc::clone(&self.0), call)))
    }
}

impl fmt::Debug for Async {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Async({})", self.base_url())
    }
}

/// A call in progress: a future of its decoded reply.
///
/// Nothing is sent until it is polled. If it is dropped before it completes, the call may or may
/// not have taken effect.
#[must_use = "a call is not sent until it is awaited"]
pub struct Pending<R>(Pin<Box<dyn Future<Output = Result<R, Error>> + Send>>);

impl<R> Future for Pending<R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<R> fmt::Debug for Pending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}
