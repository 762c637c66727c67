//! The transport for blocking callers.

use std::fmt;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Handle, Runtime};

use super::asynchronous::{AndThen, Async, Transport};
use super::execute::lost_result;
use crate::base_url::BaseUrl;
use crate::call::Call;
use crate::call_options::CallOptions;
use crate::credential::Credential;
use crate::error::{Error, ErrorKind};
use crate::options::ClientOptions;
use crate::pool::HttpPool;
use crate::process::SameProcess;

/// Sends calls on the calling thread and returns when they are complete.
///
/// It is the asynchronous transport with a runtime of its own, so both follow the same rules. A
/// clone is one pointer, and any number of threads may call at once. It also works when called
/// from asynchronous code: a helper thread runs the call, but the calling thread is blocked.
#[derive(Clone)]
pub struct Blocking(Arc<Inner>);

struct Inner {
    runtime: Arc<SameProcess<Runtime>>,
    transport: Async,
}

impl Blocking {
    /// Creates a transport to `base_url` with these keys.
    ///
    /// # Errors
    /// Returns an error in the same cases as [`Async::new`], and [`ErrorKind::NotSent`] if the
    /// operating system provides no event queue.
    pub fn new(
        base_url: BaseUrl,
        credentials: Vec<Credential>,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        let pool = options.pool.clone().unwrap_or_else(|| HttpPool::new(&options));
        // A connection belongs to the runtime that opened it.
        let runtime = pool.runtime()?;
        let transport = Async::new(base_url, credentials, options.pool(pool))?;
        Ok(Self::over(runtime, transport))
    }

    fn over(runtime: Arc<SameProcess<Runtime>>, transport: Async) -> Self {
        Self(Arc::new(Inner { runtime, transport }))
    }

    /// Returns the base URL that calls are sent to.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        self.0.transport.base_url()
    }

    /// Returns the asynchronous transport inside. Its futures make progress only while
    /// [`wait`](Self::wait) runs.
    #[must_use]
    pub fn asynchronous(&self) -> &Async {
        &self.0.transport
    }

    /// Runs a future on this transport's runtime until it completes. Meant for crates that define
    /// endpoints. A future that makes a blocking call of this same transport waits for itself.
    #[doc(hidden)]
    pub fn wait<R: Send>(
        &self,
        future: impl Future<Output = Result<R, Error>> + Send,
    ) -> Result<R, Error> {
        self.try_wait(future)?
    }

    /// Runs a future as [`wait`](Self::wait) does, whatever it returns. Returns an error if it could
    /// not be run.
    #[doc(hidden)]
    pub fn try_wait<F>(&self, future: F) -> Result<F::Output, Error>
    where
        F: Future + Send,
        F::Output: Send,
    {
        let mut output = None;
        self.complete(pin!(async { output = Some(future.await) }))?;
        output.ok_or_else(lost_result)
    }

    /// Polls a future until it is complete. It is the same code for every type of future.
    fn complete(&self, future: Pin<&mut (dyn Future<Output = ()> + Send)>) -> Result<(), Error> {
        let runtime = self.0.runtime.get()?;
        let run = || {
            runtime.block_on(async {
                // Between calls nothing polls the idle connections. One turn of the event loop
                // detects those that the server has closed, before one of them is reused.
                tokio::task::yield_now().await;
                future.await;
            });
        };
        if Handle::try_current().is_err() {
            run();
            return Ok(());
        }
        thread::scope(|scope| {
            let helper = thread::Builder::new().spawn_scoped(scope, run).map_err(|error| {
                let message = "no thread can be started for a call from asynchronous code";
                Error::new(ErrorKind::NotSent, message).with_source(error)
            })?;
            helper.join().unwrap_or_else(|panic| resume_unwind(panic));
            Ok(())
        })
    }
}

impl Transport for Blocking {
    type Reply<R: Send + 'static> = Result<R, Error>;

    fn send<R: Send + 'static>(&self, call: Call<R>) -> Result<R, Error> {
        self.wait(self.0.transport.send(call))
    }

    fn with(&self, options: CallOptions) -> Self {
        Self::over(Arc::clone(&self.0.runtime), self.0.transport.with(options))
    }

    fn with_credential(&self, credential: Credential) -> Self {
        Self::over(Arc::clone(&self.0.runtime), self.0.transport.with_credential(credential))
    }

    fn asynchronous(&self) -> &Async {
        &self.0.transport
    }

    fn run<R: Send + 'static>(
        &self,
        calls: impl Future<Output = Result<R, Error>> + Send + 'static,
    ) -> Result<R, Error> {
        self.wait(self.0.transport.run(calls))
    }
}

impl<R: Send + 'static> AndThen<R, Blocking> for Result<R, Error> {
    fn and_then<S: Send + 'static>(
        self,
        next: impl FnOnce(R) -> Result<S, Error> + Send + 'static,
    ) -> Result<S, Error> {
        next(self?)
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blocking({})", self.base_url())
    }
}
