//! The transport for callers that wait.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

use super::{Async, Transport};
use crate::base_url::BaseUrl;
use crate::call::Call;
use crate::credential::Credential;
use crate::error::{Error, ErrorKind};
use crate::options::ClientOptions;

/// Sends calls on the calling thread and returns when they have ended.
///
/// It is the asynchronous transport with a runtime of its own, so nothing is decided twice. A
/// clone is one pointer; any number of threads may call at once. Called from asynchronous code it
/// works too, on a helper thread, but holds up the thread it was called on.
#[derive(Clone)]
pub struct Blocking(Arc<Inner>);

struct Inner {
    transport: Async,
    /// Taken only by `drop`.
    runtime: Option<Runtime>,
}

impl Blocking {
    /// A transport to `base_url` that holds these keys.
    ///
    /// # Errors
    /// As [`Async::new`], and when the operating system refuses an event queue.
    pub fn new(
        base_url: BaseUrl,
        credentials: Vec<Credential>,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        let transport = Async::new(base_url, credentials, options)?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            Error::new(ErrorKind::NotSent, "no event loop could be set up").with_source(error)
        })?;
        Ok(Self(Arc::new(Inner { transport, runtime: Some(runtime) })))
    }

    /// Where calls go.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        self.0.transport.base_url()
    }

    /// The asynchronous transport inside. Its futures need [`wait`](Self::wait) to run.
    #[must_use]
    pub fn asynchronous(&self) -> &Async {
        &self.0.transport
    }

    /// Runs a future on this transport's runtime to its end. Meant for crates that define
    /// endpoints: a future that makes a blocking call of this same transport waits for itself.
    #[doc(hidden)]
    pub fn wait<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send,
    {
        let Some(runtime) = &self.0.runtime else {
            unreachable!("the runtime is there until the last clone is dropped")
        };
        let run = || {
            runtime.block_on(async {
                // Between calls nobody watches the idle connections. One turn of the event loop
                // lets those that the server has closed be seen as closed before one is reused.
                tokio::task::yield_now().await;
                future.await
            })
        };
        if Handle::try_current().is_err() {
            return run();
        }
        thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl Transport for Blocking {
    type Reply<R: Send + 'static> = Result<R, Error>;

    fn send<R: Send + 'static>(&self, call: Call<R>) -> Result<R, Error> {
        self.wait(self.0.transport.send(call))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A plain drop waits for the runtime's threads, which panics in asynchronous code.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blocking({})", self.base_url())
    }
}
