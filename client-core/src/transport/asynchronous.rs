//! The interface of the transports, and the one for asynchronous callers.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::engine::Engine;
use super::execute::execute;
use crate::base_url::BaseUrl;
use crate::call::Call;
use crate::call_options::CallOptions;
use crate::clock::Clock;
use crate::credential::{Credential, Scheme, Secret};
use crate::error::{Error, ErrorKind};
use crate::options::ClientOptions;
use crate::process::SameProcess;

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
pub trait Transport: Clone + Send + Sync + 'static {
    /// What sending a call returns: a future of the result, or the result itself. [`AndThen`] makes
    /// another call of it.
    type Reply<R: Send + 'static>: AndThen<R, Self>;

    /// Sends the call and decodes its reply, within the client's limits and retry rules.
    fn send<R: Send + 'static>(&self, call: Call<R>) -> Self::Reply<R>;

    /// Returns a transport that shares everything with this one, and sends its calls with these
    /// options.
    #[must_use]
    fn with(&self, options: CallOptions) -> Self;

    /// Returns a transport with this key instead of the one for the same scheme. It shares the
    /// connections with this one; rate limits and the retry budget are its own.
    #[must_use]
    fn with_credential(&self, credential: Credential) -> Self;

    /// Returns the asynchronous transport that sends the calls.
    fn asynchronous(&self) -> &Async;

    /// Runs a future that sends several calls over [`asynchronous`](Self::asynchronous), so that
    /// they are one call to the caller.
    fn run<R: Send + 'static>(
        &self,
        calls: impl Future<Output = Result<R, Error>> + Send + 'static,
    ) -> Self::Reply<R>;
}

/// Makes a call after another one, for code that serves both kinds of callers.
///
/// ```
/// use agent_client_core::{AndThen, Call, Transport};
/// use serde_json::Value;
///
/// /// Returns the owner of a thing.
/// fn owner<T: Transport>(transport: &T, thing: &str) -> T::Reply<Value> {
///     let next = transport.clone();
///     let thing = Call::get("/things/{id}").segment("id", thing).json::<Value>();
///     transport.send(thing).and_then(move |thing| {
///         let owner = thing["owner"].as_str().unwrap_or_default();
///         next.send(Call::get("/owners/{id}").segment("id", owner).json())
///     })
/// }
/// ```
pub trait AndThen<R, T: Transport>: Sized {
    /// Returns the reply to the call that `next` makes with this reply. If this call fails, its
    /// error is returned, and `next` is not called.
    fn and_then<S: Send + 'static>(
        self,
        next: impl FnOnce(R) -> T::Reply<S> + Send + 'static,
    ) -> T::Reply<S>;
}

/// Sends calls on the tokio runtime that polls them.
///
/// The runtime must have I/O and timers enabled (`enable_all`); in another one, and outside a
/// runtime, calls return [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput). All clones share
/// connections, rate-limit pauses and retry budget.
///
/// A connection belongs to the runtime that opened it. If several runtimes share a transport, a
/// call may be given a connection of a runtime that is not running at that moment, and time out:
/// use a transport for each such runtime. For the same reason, a process that was made by `fork` must
/// create its own transport: one of its parent's returns
/// [`ErrorKind::Forked`](crate::ErrorKind::Forked) there, and stays usable in the parent.
#[derive(Clone)]
pub struct Async(Arc<View>);

/// An engine, and what is different for the calls that are made through this view of it.
struct View {
    engine: Arc<Engine>,
    call_options: Option<Arc<CallOptions>>,
}

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
        let engine = Arc::new(Engine::new(base_url, credentials, options)?);
        Ok(Self::view(engine, None))
    }

    fn view(engine: Arc<Engine>, call_options: Option<Arc<CallOptions>>) -> Self {
        Self(Arc::new(View { engine, call_options }))
    }

    /// Returns the base URL that calls are sent to.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        self.0.engine.wire.base_url()
    }

    /// Returns the clock that retries are timed by.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.0.engine.clock()
    }

    /// Returns the time limit of a call that begins now: see [`ClientOptions::timeout`].
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.time_left(self.clock().now())
    }

    /// Returns what is left of the time of a call that began at this moment on the transport's clock.
    /// Meant for crates that make one call of several.
    #[doc(hidden)]
    #[must_use]
    pub fn time_left(&self, start: Instant) -> Duration {
        let own = self.0.call_options.as_ref().and_then(|options| options.timeout);
        let limit = own.unwrap_or(self.0.engine.options.retry.timeout);
        let now = self.clock().now();
        let left = limit.saturating_sub(now.saturating_duration_since(start));
        let total = self.0.engine.options.total_timeout.as_ref();
        total.map_or(left, |total| left.min(total.remaining(now)))
    }

    /// Returns an error if this process and this runtime cannot send calls. Whether the runtime has
    /// I/O shows only when a call is sent. Meant for crates that define endpoints.
    #[doc(hidden)]
    pub fn check_usable(&self) -> Result<(), Error> {
        self.0.engine.wire.check_process()?;
        check_runtime()?;
        reporting_missing_drivers(|| drop(tokio::time::sleep(Duration::ZERO)))
    }

    /// Returns the key that calls of this scheme carry, or `None` if the client has none. Meant for
    /// crates that define endpoints.
    #[doc(hidden)]
    pub fn credential(&self, scheme: &'static Scheme) -> Result<Option<Secret>, Error> {
        let key = self.0.engine.find_credential(scheme).map(Credential::key).transpose()?;
        Ok(key.map(|key| key.secret.clone()))
    }
}

impl Transport for Async {
    type Reply<R: Send + 'static> = Pending<R>;

    fn send<R: Send + 'static>(&self, call: Call<R>) -> Pending<R> {
        let engine = Arc::clone(&self.0.engine);
        let call = call.with_options(self.0.call_options.clone());
        self.run(async move { execute(&engine, &call).await })
    }

    fn with(&self, options: CallOptions) -> Self {
        Self::view(Arc::clone(&self.0.engine), Some(Arc::new(options)))
    }

    fn with_credential(&self, credential: Credential) -> Self {
        let engine = Arc::new(self.0.engine.with_credential(&credential));
        Self::view(engine, self.0.call_options.clone())
    }

    fn asynchronous(&self) -> &Async {
        self
    }

    fn run<R: Send + 'static>(
        &self,
        calls: impl Future<Output = Result<R, Error>> + Send + 'static,
    ) -> Pending<R> {
        Pending(SameProcess::new(Box::pin(calls)))
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
pub struct Pending<R>(SameProcess<Calls<R>>);

type Calls<R> = Pin<Box<dyn Future<Output = Result<R, Error>> + Send>>;

impl<R> Future for Pending<R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let calls = self.0.get_mut()?;
        check_runtime()?;
        reporting_missing_drivers(|| calls.as_mut().poll(context))
            .unwrap_or_else(|error| Poll::Ready(Err(error)))
    }
}

impl<R: Send + 'static> AndThen<R, Async> for Pending<R> {
    fn and_then<S: Send + 'static>(
        self,
        next: impl FnOnce(R) -> Pending<S> + Send + 'static,
    ) -> Pending<S> {
        Pending(SameProcess::new(Box::pin(async move { next(self.await?).await })))
    }
}

/// Without this check the HTTP library would panic.
fn check_runtime() -> Result<(), Error> {
    if Handle::try_current().is_ok() {
        return Ok(());
    }
    let message = "an asynchronous call must be awaited inside a tokio runtime";
    Err(Error::new(ErrorKind::InvalidInput, message))
}

/// Runs a function, and returns an error if it panics because tokio's timers or I/O are not enabled:
/// that cannot be asked, only tried. Nothing was sent then, because connecting needs both.
fn reporting_missing_drivers<R>(run: impl FnOnce() -> R) -> Result<R, Error> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let what = missing_driver(&*panic).unwrap_or_else(|| resume_unwind(panic));
        let message = format!("the tokio runtime has no {what}: build it with `enable_all`");
        Error::new(ErrorKind::InvalidInput, message)
    })
}

/// Returns what tokio's panic says is not enabled, or `None` for any other panic.
fn missing_driver(panic: &(dyn Any + Send)) -> Option<&'static str> {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))?;
    let drivers = [("enable_time", "timers"), ("enable_io", "I/O")];
    drivers.into_iter().find(|(method, _)| text.contains(method)).map(|(_, what)| what)
}

impl<R> fmt::Debug for Pending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}
