//! The transport for asynchronous callers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Transport;
use super::engine::Engine;
use crate::base_url::BaseUrl;
use crate::call::Call;
use crate::clock::Clock;
use crate::credential::Credential;
use crate::error::Error;
use crate::options::ClientOptions;

/// Sends calls on the tokio runtime that polls them, which must have I/O and timers enabled. A
/// clone is one pointer and shares connections, pause and retry budget.
///
/// A connection lives on the runtime that opened it. Where several runtimes share a transport, a
/// call may meet a connection whose runtime is not being run at the moment, and time out; give
/// such runtimes a transport each.
#[derive(Clone)]
pub struct Async(Arc<Engine>);

impl Async {
    /// A transport to `base_url` that holds these keys.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when TLS can't be set up or
    /// the user agent does not fit in a header.
    pub fn new(
        base_url: BaseUrl,
        credentials: Vec<Credential>,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        Ok(Self(Arc::new(Engine::new(base_url, credentials, options)?)))
    }

    /// Where calls go.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        self.0.base_url()
    }

    /// The time and chance that calls are paced by.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.0.clock()
    }
}

impl Transport for Async {
    type Reply<R: Send + 'static> = Pending<R>;

    fn send<R: Send + 'static>(&self, call: Call<R>) -> Pending<R> {
        Pending(Box::pin(Arc::clone(&self.0).run(call)))
    }
}

impl fmt::Debug for Async {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Async({})", self.base_url())
    }
}

/// A call under way: a future of its reply. Nothing is sent before it is polled. Dropped before
/// its end, it may or may not have taken effect.
#[must_use = "a call is not sent before it is awaited"]
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
