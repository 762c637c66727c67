//! An endpoint as a value: what to send, what the reply means, and whether it may be sent twice.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::credential::{Scheme, Secret};
use crate::error::{Error, ErrorKind};
use crate::reply::Reply;

/// What stands unescaped in a path segment (RFC 3986, "unreserved").
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A call that has not been made yet. `R` is what its reply is read as.
///
/// A new call reads as the raw [`Reply`], whatever its status; [`json`](Call::json) or
/// [`decode`](Call::decode) give the reply a meaning. Errors in what goes in (a path parameter
/// that would change the path, a body that is not JSON) are kept and come out when the call is
/// sent, before anything leaves.
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

/// What goes over the wire, the same for every attempt. Complete when the path has no
/// placeholder left.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) template: Cow<'static, str>,
    pub(crate) path: String,
    /// Form-encoded, without the question mark.
    pub(crate) query: String,
    pub(crate) body: Option<Bytes>,
    pub(crate) scheme: Option<&'static Scheme>,
    pub(crate) idempotent: bool,
    pub(crate) single_attempt: bool,
    pub(crate) unknown_hint: Option<&'static str>,
    pub(crate) secrets: Vec<Secret>,
}

impl Request {
    /// The request, if every placeholder of its path was filled.
    pub(crate) fn complete(self) -> Result<Self, Error> {
        if self.path.contains('{') {
            return Err(invalid(format!("not every segment of {} was given", self.template)));
        }
        Ok(self)
    }
}

/// A call that asks the server whether another call, which would have given an `R`, took effect.
#[must_use = "a look does nothing by itself: give it to `Call::recover_with`"]
pub struct Probe<R> {
    pub(crate) request: Result<Request, Error>,
    pub(crate) judge: Decode<ProbeResult<R>>,
}

impl<R> Probe<R> {
    /// Makes `call`, and lets `judge` say what came of it. An error that `judge` returns leaves
    /// the fate unknown.
    pub fn new<T: 'static>(
        call: Call<T>,
        judge: impl Fn(Result<T, Error>) -> Result<ProbeResult<R>, Error> + Send + Sync + 'static,
    ) -> Self {
        let Call { request, decode, .. } = call;
        Self { request, judge: Box::new(move |reply| judge(decode(reply))) }
    }
}

/// What a look at the server said about a call whose fate was unknown.
pub enum ProbeResult<R> {
    /// It took effect, and this is its reply.
    Done(R),
    /// It surely did not take effect: it may be sent again.
    Absent,
    /// There is no telling.
    Unknown,
    /// It can't take effect any more, and this is the reason.
    Failed(Error),
    /// Not decided yet: look here next.
    Next(Probe<R>),
}

impl Call<Reply> {
    /// A call of this method and path. `{name}` in the path stands for a [`segment`](Self::segment).
    ///
    /// GET, HEAD, PUT and DELETE may be repeated when their fate is unknown; any other method
    /// only when the call is [`idempotent`](Self::idempotent) or
    /// [`recoverable`](Self::recover_with).
    pub fn new(method: Method, path: impl Into<Cow<'static, str>>) -> Self {
        let template = path.into();
        let idempotent = method.is_idempotent();
        let request = if leads_on(&template) {
            Ok(Request {
                method,
                path: template.clone().into_owned(),
                template,
                query: String::new(),
                body: None,
                scheme: None,
                idempotent,
                single_attempt: false,
                unknown_hint: None,
                secrets: Vec::new(),
            })
        } else {
            Err(invalid("a path begins with / and holds no ? # \\ nor the segments . and .."))
        };
        Self { request, decode: Box::new(|reply| Ok(reply.clone())), recovery: None }
    }

    /// A GET of this path.
    pub fn get(path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A POST to this path.
    pub fn post(path: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::POST, path)
    }

    /// Reads a successful reply as JSON; any other status becomes an [`Error`] of its kind.
    pub fn json<T: DeserializeOwned>(self) -> Call<T> {
        self.decode(|reply| if reply.is_success() { reply.json() } else { Err(reply.error()) })
    }

    /// Gives the reply, whatever its status, another meaning.
    pub fn decode<T>(
        self,
        decode: impl Fn(&Reply) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Call<T> {
        Call { request: self.request, decode: Box::new(decode), recovery: None }
    }
}

impl<R> Call<R> {
    /// A call that ends with this error, before anything is sent.
    pub fn refused(error: Error) -> Self {
        Self { request: Err(error), decode: Box::new(|reply| Err(reply.error())), recovery: None }
    }

    /// Fills `{name}` of the path with `value`, percent-encoded. A value that is empty, `.` or
    /// `..`, or holds a control character, refuses the call: it could mean another path.
    pub fn segment(self, name: &str, value: &str) -> Self {
        self.edit(|request| {
            let placeholder = format!("{{{name}}}");
            if matches!(value, "" | "." | "..") || value.chars().any(char::is_control) {
                // The value is not repeated: it may be a secret.
                return Err(invalid(format!("that can't be used as {name} in a path")));
            }
            if !request.path.contains(&placeholder) {
                return Err(invalid(format!("the path {} has no {placeholder}", request.template)));
            }
            let encoded = utf8_percent_encode(value, SEGMENT).to_string();
            request.path = request.path.replace(&placeholder, &encoded);
            Ok(())
        })
    }

    /// Appends `parameters` to the query: a struct, a map or a slice of pairs. Fields that are
    /// `None` are left out. Parameters that cannot be written as `key=value` pairs make the call
    /// fail with [`ErrorKind::InvalidInput`] when it is sent.
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
        self.edit(|request| {
            let parameters = serde_html_form::to_string(parameters).map_err(|error| {
                invalid(format!("the query cannot be written as key=value pairs: {error}"))
            })?;
            if !request.query.is_empty() && !parameters.is_empty() {
                request.query.push('&');
            }
            request.query.push_str(&parameters);
            Ok(())
        })
    }

    /// Sends `body` as JSON.
    pub fn body(self, body: &impl Serialize) -> Self {
        self.edit(|request| {
            let json = serde_json::to_vec(body)
                .map_err(|error| invalid(format!("the body can't be written as JSON: {error}")))?;
            request.body = Some(json.into());
            Ok(())
        })
    }

    /// The key that this call carries. Without one it carries none.
    pub fn auth(self, scheme: &'static Scheme) -> Self {
        self.edit(|request| {
            request.scheme = Some(scheme);
            Ok(())
        })
    }

    /// Takes this text out of whatever the server says back, so that no error repeats it: a
    /// password in the body, a token in the path.
    pub fn secret(self, secret: &Secret) -> Self {
        self.edit(|request| {
            request.secrets.push(secret.clone());
            Ok(())
        })
    }

    /// Says that sending this call twice is the same as sending it once.
    pub fn idempotent(self) -> Self {
        self.edit(|request| {
            request.idempotent = true;
            Ok(())
        })
    }

    /// Sends this call once, whatever the client's policy says about retries.
    pub fn single_attempt(self) -> Self {
        self.edit(|request| {
            request.single_attempt = true;
            Ok(())
        })
    }

    /// What the caller can do when the call's fate stays unknown: how to find out, what is lost.
    pub fn unknown_hint(self, advice: &'static str) -> Self {
        self.edit(|request| {
            request.unknown_hint = Some(advice);
            Ok(())
        })
    }

    /// How to find out, when the call's fate is unknown, whether it took effect. `look` is given
    /// what broke.
    ///
    /// The server is asked again when it refuses the call after such a doubt: an attempt that was
    /// thought lost may have arrived late, and is what the refusal is about.
    ///
    /// ```
    /// use agent_client_core::{Call, Probe, ProbeResult};
    /// # use serde::Deserialize;
    /// # #[derive(Deserialize)] struct Trade { status: String }
    ///
    /// let accept = Call::post("/trades/{id}/accept")
    ///     .segment("id", "t1")
    ///     .json::<Trade>()
    ///     .recover_with(|_doubt| {
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
        look: impl Fn(&Error) -> Probe<R> + Send + Sync + 'static,
    ) -> Self {
        self.recovery = Some(Box::new(look));
        self
    }

    fn edit(mut self, change: impl FnOnce(&mut Request) -> Result<(), Error>) -> Self {
        self.request = self.request.and_then(|mut request| change(&mut request).map(|()| request));
        self
    }
}

/// Whether a URL's path would be exactly this: dots, also escaped ones, would make another of it.
fn leads_on(path: &str) -> bool {
    const DOTS: [&str; 6] = [".", "..", "%2e", "%2e%2e", "%2e.", ".%2e"];
    let is_dots = |segment: &str| DOTS.iter().any(|dots| segment.eq_ignore_ascii_case(dots));
    path.starts_with('/')
        && !path.contains(['?', '#', '\\'])
        && !path.contains(char::is_control)
        && !path.split('/').any(is_dots)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

impl<R> fmt::Debug for Call<R> {
    /// Shows the method and the path's template: parameters and body may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Ok(request) => write!(f, "Call({} {})", request.method, request.template),
            Err(error) => write!(f, "Call(refused: {error})"),
        }
    }
}

impl<R> fmt::Debug for Probe<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
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
            Self::Next(look) => look.fmt(f),
        }
    }
}
