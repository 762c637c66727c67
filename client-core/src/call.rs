//! An endpoint as a value: what to send, how to read the reply, and whether it may be sent twice.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call_options::CallOptions;
use crate::credential::{Scheme, Secret};
use crate::error::Error;
use crate::operation::Operation;
use crate::reply::Reply;
use crate::request::{Request, invalid};

/// A call that has not been sent yet. `R` is the type that its reply is decoded as.
///
/// A new call returns the raw [`Reply`], whatever its status. [`json`](Call::json) and
/// [`decode`](Call::decode) make it return something else. Invalid input, such as a path parameter
/// that would change the path or a body that cannot be serialized, is kept in the call and returned
/// as an error when the call is sent, before anything goes over the network.
///
/// ```
/// use agent_client_core::{Call, Method};
///
/// #[derive(serde::Deserialize)]
/// struct Thing { name: String }
///
/// let call = Call::new(Method::POST, "/things/{id}/polish")
///     .segment("id", "42")
///     .body(&serde_json::json!({"shine": 3}))
///     .idempotent()
///     .json::<Thing>();
/// ```
#[must_use = "a call does nothing until a transport sends it"]
pub struct Call<R> {
    pub(crate) request: Result<Request, Error>,
    pub(crate) decode: Decode<R>,
    pub(crate) recovery: Option<Recovery<R>>,
}

pub(crate) type Decode<R> = Box<dyn Fn(&Reply) -> Result<R, Error> + Send + Sync>;
pub(crate) type Recovery<R> = Box<dyn Fn(&Error) -> Probe<R> + Send + Sync>;

/// A call that asks the server whether another call, which returns an `R`, took effect.
#[must_use = "a probe does nothing by itself: return it from the closure given to `Call::recover_with`"]
pub struct Probe<R> {
    /// Boxed, because most results of probes hold no further one.
    pub(crate) request: Box<Result<Request, Error>>,
    pub(crate) decode: Decode<ProbeResult<R>>,
}

impl<R> Probe<R> {
    /// Creates a probe that sends `call` and lets `interpret` draw the conclusion from its result.
    /// If `interpret` returns an error, the outcome stays unknown.
    pub fn new<T: 'static>(
        call: Call<T>,
        interpret: impl Fn(Result<T, Error>) -> Result<ProbeResult<R>, Error> + Send + Sync + 'static,
    ) -> Self {
        let Call { request, decode, .. } = call;
        let request = Box::new(request);
        Self { request, decode: Box::new(move |reply| interpret(decode(reply))) }
    }
}

/// What a [`Probe`] found out about a call whose outcome was unknown.
// Exhaustive: programs create it, and none has to match it.
pub enum ProbeResult<R> {
    /// The call took effect, and this is its reply.
    Done(R),
    /// The call has not taken effect: it may be sent again.
    Absent,
    /// The server's answer does not tell whether the call took effect.
    Unknown,
    /// The call cannot take effect any more, for this reason.
    Failed(Error),
    /// Not decided yet: this probe comes next.
    Next(Probe<R>),
}

impl Call<Reply> {
    /// Creates a call of this method and path. `{name}` in the path is a placeholder for a
    /// [`segment`](Self::segment).
    ///
    /// When the outcome of a GET, HEAD, PUT or DELETE is unknown, it is sent again, unless it can
    /// [recover](Self::recover_with). A call of any other method is sent again only if it is
    /// [`idempotent`](Self::idempotent) or can recover.
    pub fn new(method: Method, path: impl Into<Cow<'static, str>>) -> Self {
        Self {
            request: Request::new(method, path.into()),
            decode: Box::new(|reply| Ok(reply.clone())),
            recovery: None,
        }
    }

    /// Creates a GET of this path.
    pub fn get(path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Creates a POST to this path.
    pub fn post(path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::POST, path)
    }

    /// Decodes a successful reply from JSON. A reply of any other status becomes an [`Error`] of
    /// the kind of its status. If the call carries a key, a reply that a cache had stored (its `Age`
    /// is not 0) is [`UnreadableReply`](crate::ErrorKind::UnreadableReply): it is out of date.
    pub fn json<T: DeserializeOwned>(self) -> Call<T> {
        self.set(|request| request.must_be_fresh = true)
            .decode(|reply| if reply.is_success() { reply.json() } else { Err(reply.error()) })
    }

    /// Decodes the reply, whatever its status, with this function.
    pub fn decode<T>(
        self,
        decode: impl Fn(&Reply) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Call<T> {
        Call { request: self.request, decode: Box::new(decode), recovery: None }
    }
}

impl<R> Call<R> {
    /// Creates a call that returns this error instead of being sent.
    pub fn refused(error: Error) -> Self {
        Self { request: Err(error), decode: Box::new(|reply| Err(reply.error())), recovery: None }
    }

    /// Fills `{name}` in the path with `value`, percent-encoded. A value that is empty, `.` or
    /// `..`, or contains a control character, makes the call invalid, because the path could mean
    /// another endpoint.
    pub fn segment(self, name: &str, value: &str) -> Self {
        self.try_set(|request| request.fill_segment(name, value))
    }

    /// Appends `parameters` to the query: a struct, a map or a slice of pairs. Fields that are
    /// `None` are left out. Parameters that cannot be written as `key=value` pairs make the call
    /// invalid.
    ///
    /// ```
    /// use agent_client_core::Call;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Filter { status: Option<String>, limit: u32 }
    ///
    /// let call = Call::get("/things")
    ///     .query(&Filter { status: None, limit: 20 })
    ///     .query(&[("search", "a thing")]);
    /// ```
    pub fn query(self, parameters: &(impl Serialize + ?Sized)) -> Self {
        self.try_set(|request| request.append_query(parameters))
    }

    /// Sets the request's body, which is sent as JSON.
    pub fn body(self, body: &impl Serialize) -> Self {
        self.try_set(|request| {
            let json = serde_json::to_vec(body)
                .map_err(|error| invalid(format!("the body cannot be written as JSON: {error}")))?;
            request.body = Some(json.into());
            Ok(())
        })
    }

    /// Names the endpoint, for spans and metrics. Without a name it is `call`.
    ///
    /// ```
    /// use agent_client_core::{Call, operation};
    ///
    /// let call = Call::get("/things/{id}").operation(operation!("example.get_thing"));
    /// ```
    pub fn operation(self, operation: &'static Operation) -> Self {
        self.set(|request| request.operation = operation)
    }

    /// Makes the call carry the client's key for this scheme. By default a call carries no key.
    pub fn auth(self, scheme: &'static Scheme) -> Self {
        self.set(|request| request.scheme = Some(scheme))
    }

    /// Redacts this text, for example a password in the body, in every reply that is an error, so
    /// that no error message repeats it.
    pub fn secret(self, secret: &Secret) -> Self {
        self.set(|request| request.secrets.push(secret.clone()))
    }

    /// Declares that sending this call twice has the same effect as sending it once.
    pub fn idempotent(self) -> Self {
        self.set(|request| request.idempotent = true)
    }

    /// Sends this call at most once, whatever the client's options say about retries.
    pub fn single_attempt(self) -> Self {
        self.set(|request| request.single_attempt = true)
    }

    /// Sets how long this call may take in total, if that is shorter than the
    /// [`timeout`](crate::ClientOptions::timeout) of the client.
    pub fn time_limit(self, limit: Duration) -> Self {
        self.set(|request| request.time_limit = Some(limit))
    }

    /// Sets a condition without which nothing is sent: the call then ends with its error. It is
    /// checked before each attempt, and for a call with a body again at the moment in which the
    /// request is written to the connection, however long it took to connect. So a process that was
    /// stopped in between does not send what it may not send any more. While the reply is waited for,
    /// it is checked ten times a second, and closes the connection: then the call may have taken
    /// effect. It must not block.
    ///
    /// ```
    /// use agent_client_core::{Call, Error, ErrorKind};
    /// use std::time::{Duration, Instant};
    ///
    /// let start = Instant::now();
    /// let call = Call::post("/things").body(&"lamp").only_while(move || {
    ///     if start.elapsed() < Duration::from_secs(5) {
    ///         return Ok(());
    ///     }
    ///     Err(Error::new(ErrorKind::Storage, "the lock may have run out"))
    /// });
    /// ```
    pub fn only_while(
        self,
        condition: impl Fn() -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.set(|request| request.condition = Some(Arc::new(condition)))
    }

    /// Gives this call's endpoint a rate limit of its own: a 429 in reply to another call does not
    /// hold this one up, and a 429 in reply to this one holds no other up. By default a call shares
    /// the pauses of its [family of endpoints](crate::retry#rate-limits).
    pub fn separate_rate_limit(self) -> Self {
        self.set(|request| request.pause.is_separate = true)
    }

    /// Sets the longest pause after a 429 that this call waits for. During a longer one it fails with
    /// [`RateLimited`](crate::ErrorKind::RateLimited) at once. By default it waits for every pause
    /// that ends within its time limit.
    pub fn longest_pause(self, limit: Duration) -> Self {
        self.set(|request| request.pause.longest = Some(limit))
    }

    /// Sends this call even if the server has asked to pause: for a question that can't wait.
    pub fn ignore_pause(self) -> Self {
        self.set(|request| request.pause.longest = None)
    }

    /// Sets what an error of kind [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) advises
    /// the caller to do: how to find out what happened, or what is lost.
    pub fn unknown_hint(self, hint: &'static str) -> Self {
        self.set(|request| request.unknown_hint = Some(hint))
    }

    /// Checks what the reply was decoded as. A reply that is not about what was asked for is
    /// [`UnreadableReply`](crate::ErrorKind::UnreadableReply): replies may be off by one on a connection.
    ///
    /// ```
    /// use agent_client_core::Call;
    /// # use serde::Deserialize;
    /// # #[derive(Deserialize)] struct Trade { id: String }
    ///
    /// let call = Call::get("/trades/{id}")
    ///     .segment("id", "t1")
    ///     .json::<Trade>()
    ///     .check(|trade| trade.id == "t1");
    /// ```
    pub fn check(self, is_asked_for: impl Fn(&R) -> bool + Send + Sync + 'static) -> Self
    where
        R: 'static,
    {
        let decode = self.decode;
        let decode = move |reply: &Reply| {
            let value = decode(reply)?;
            if is_asked_for(&value) {
                return Ok(value);
            }
            Err(reply.unreadable("the reply is about something else than the call"))
        };
        Self { decode: Box::new(decode), ..self }
    }

    /// Sets how to find out whether the call took effect when its outcome is unknown. `probe` is
    /// given the error of the attempt. The server is asked before the call is sent again, even if it
    /// is a PUT or DELETE.
    ///
    /// The server is also asked when it refuses the call after such an attempt: the attempt may
    /// have arrived late, and be the reason for the refusal. If the answer does not settle it, a refusal that
    /// is not about the call itself, such as a conflict, leaves the outcome unknown.
    ///
    /// ```
    /// use agent_client_core::{Call, Probe, ProbeResult};
    /// # use serde::Deserialize;
    /// # #[derive(Deserialize)] struct Trade { status: String }
    ///
    /// let accept = Call::post("/trades/{id}/accept")
    ///     .segment("id", "t1")
    ///     .json::<Trade>()
    ///     .recover_with(|_error| {
    ///         let trade = Call::get("/trades/{id}").segment("id", "t1").json::<Trade>();
    ///         Probe::new(trade, |found| {
    ///             let trade = found?;
    ///             Ok(match trade.status.as_str() {
    ///                 "proposed" => ProbeResult::Absent,
    ///                 _ => ProbeResult::Done(trade),
    ///             })
    ///         })
    ///     });
    /// ```
    pub fn recover_with(
        mut self,
        probe: impl Fn(&Error) -> Probe<R> + Send + Sync + 'static,
    ) -> Self {
        self.recovery = Some(Box::new(probe));
        self.set(|request| request.idempotent = false)
    }

    /// Sets what is different for this call.
    pub(crate) fn with_options(self, options: Option<Arc<CallOptions>>) -> Self {
        self.try_set(|request| {
            if let Some(CallOptions { invalid: Some(error), .. }) = options.as_deref() {
                return Err(error.clone());
            }
            request.options = options;
            Ok(())
        })
    }

    fn set(mut self, change: impl FnOnce(&mut Request)) -> Self {
        if let Ok(request) = &mut self.request {
            change(request);
        }
        self
    }

    fn try_set(mut self, change: impl FnOnce(&mut Request) -> Result<(), Error>) -> Self {
        if let Ok(request) = &mut self.request {
            if let Err(error) = change(request) {
                self.request = Err(error);
            }
        }
        self
    }
}

impl<R> fmt::Debug for Call<R> {
    /// Shows the method and the path's template: parameters and body may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Ok(request) => write!(f, "Call({} {})", request.method, request.template),
            Err(error) => write!(f, "Call(refused: {error})"),
        }
    }
}

impl<R> fmt::Debug for Probe<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.request {
            Ok(request) => write!(f, "Probe({} {})", request.method, request.template),
            Err(error) => write!(f, "Probe(refused: {error})"),
        }
    }
}

impl<R> fmt::Debug for ProbeResult<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(_) => f.write_str("Done"),
            Self::Absent => f.write_str("Absent"),
            Self::Unknown => f.write_str("Unknown"),
            Self::Failed(error) => write!(f, "Failed({error:?})"),
            Self::Next(probe) => probe.fmt(f),
        }
    }
}
