//! The error type of every call.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// The category of an [`Error`], for programs to match on.
///
/// The kind also tells what is known about the call's effect: see [`Error::is_retryable`] and
/// [`ErrorKind::OutcomeUnknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value given by the caller is invalid, for example a malformed id, URL or key. Nothing was
    /// sent.
    InvalidInput,
    /// The call needs a key or token that the client was not given. Nothing was sent.
    MissingCredential,
    /// A key that names one intent, such as that of a purchase, was given again for something else.
    /// Nothing was sent.
    IdempotencyConflict,
    /// The local record of an intent names something that the service does not know. Nothing was
    /// sent.
    StaleIntent,
    /// A spending policy refuses the call. The message names the rule. Nothing was sent.
    Policy,
    /// A spending policy demands that a person approves the call first. Nothing was sent.
    ApprovalNeeded,
    /// A file or store that the call needs could not be read, written or locked. Nothing was sent.
    Storage,
    /// The client was created before this process was made by `fork`, and connections cannot be
    /// shared with the parent. Create a client after the fork. Nothing was sent.
    Forked,
    /// No connection could be made (refused, name not found, TLS failure, connect timeout). Nothing
    /// was sent.
    NotSent,
    /// The certificate of the server is not trusted. Nothing was sent, and trying again will not help.
    UntrustedCertificate,
    /// No complete reply arrived within the time limit. The request may have taken effect.
    TimedOut,
    /// The connection or the task that waited for the reply ended before the reply was complete.
    /// The request may have been sent and have taken effect.
    Interrupted,
    /// The call changes something, and it is unknown whether it took effect. The message says how to
    /// find out, and the source of the error is the error of the attempt.
    OutcomeUnknown,
    /// The server answered with a redirect. Redirects are never followed, because the key would be
    /// sent along.
    Redirect,
    /// The reply is longer than
    /// [`ClientOptions::max_reply_bytes`](crate::ClientOptions::max_reply_bytes).
    ReplyTooLarge,
    /// The reply is not what the API documents: not JSON, cut off, or without an expected field.
    UnreadableReply,
    /// Status 400, or 422 with a list of invalid fields: the request is invalid.
    BadRequest,
    /// Status 400 with code `INSUFFICIENT_FUNDS`: the wallet's balance is too low.
    InsufficientFunds,
    /// Status 401: the key or token is missing or wrong.
    Unauthorized,
    /// Status 403: the key is valid but does not permit this.
    Forbidden,
    /// Status 404: the resource does not exist.
    NotFound,
    /// Status 409: the resource exists already, or was changed by somebody else at the same time.
    Conflict,
    /// Status 422: the resource's state does not allow this.
    InvalidTransition,
    /// Status 429: too many calls. [`Error::retry_after`] is how long to wait, if the server said
    /// so.
    RateLimited,
    /// Status 408 or 5xx: the service is unavailable or failed.
    Unavailable,
    /// Any other status that is not a success (2xx), or a success whose body says that it is none.
    UnexpectedStatus,
}

impl ErrorKind {
    /// Returns a stable name of the kind, for logs and machine-readable output.
    ///
    /// ```
    /// assert_eq!(agent_client_core::ErrorKind::NotSent.as_str(), "not_sent");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::MissingCredential => "missing_credential",
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::StaleIntent => "stale_intent",
            Self::Policy => "policy",
            Self::ApprovalNeeded => "approval_needed",
            Self::Storage => "storage",
            Self::Forked => "forked",
            Self::NotSent => "not_sent",
            Self::UntrustedCertificate => "untrusted_certificate",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Redirect => "redirect",
            Self::ReplyTooLarge => "reply_too_large",
            Self::UnreadableReply => "unreadable_reply",
            Self::BadRequest => "bad_request",
            Self::InsufficientFunds => "insufficient_funds",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::InvalidTransition => "invalid_transition",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::UnexpectedStatus => "unexpected_status",
        }
    }

    /// Returns the kind of a reply that is not a success.
    pub(crate) fn from_status(status: u16, code: Option<&str>) -> Self {
        match (status, code) {
            (_, Some("INSUFFICIENT_FUNDS")) => Self::InsufficientFunds,
            (300..=399, _) => Self::Redirect,
            (400, _) => Self::BadRequest,
            (401, _) => Self::Unauthorized,
            (403, _) => Self::Forbidden,
            (404, _) => Self::NotFound,
            (409, _) => Self::Conflict,
            (422, _) => Self::InvalidTransition,
            (429, _) => Self::RateLimited,
            (408 | 500..=599, _) => Self::Unavailable,
            _ => Self::UnexpectedStatus,
        }
    }

    /// What the reader of the message can do.
    fn advice(self) -> Option<&'static str> {
        match self {
            Self::Forked => Some("nothing was sent: create a new client in this process"),
            Self::NotSent => {
                Some("nothing was sent: check the address and the network, then try again")
            }
            Self::UntrustedCertificate => Some(
                "nothing was sent: if its authority is your own, name the file of its certificate in SSL_CERT_FILE",
            ),
            Self::TimedOut | Self::Interrupted | Self::Unavailable => Some("try again later"),
            Self::OutcomeUnknown => Some("it may have taken effect: check before you repeat it"),
            Self::Redirect => Some(
                "redirects are not followed, because the key would be sent along: set the base URL to the service's own address",
            ),
            Self::UnreadableReply => Some(
                "check that the base URL is the service's own and that no proxy answers in its place",
            ),
            Self::Unauthorized => Some("check the key"),
            _ => None,
        }
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error of a call: what happened, why, and what is known about the call's effect.
///
/// `Display` is one line for people; [`kind`](Self::kind) and the other methods are for programs.
/// An error never contains a key, a token or the query of a URL.
///
/// The message does not repeat the error's source, so that a report that prints the whole chain, as
/// `anyhow` does, says nothing twice. `{:#}` writes the message and all of its sources as one line:
/// print that where nothing else prints the sources.
///
/// ```
/// use agent_client_core::{BaseUrl, Error, ErrorKind};
///
/// let error = BaseUrl::parse("http://example.com").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// assert!(!error.is_retryable());
///
/// let error = Error::new(ErrorKind::Storage, "the journal cannot be written")
///     .with_source(std::io::Error::other("disk full"));
/// assert_eq!(error.to_string(), "the journal cannot be written");
/// assert_eq!(format!("{error:#}"), "the journal cannot be written: disk full");
/// ```
#[derive(Clone)]
pub struct Error(Box<Details>);

#[derive(Clone)]
struct Details {
    kind: ErrorKind,
    message: String,
    status: Option<u16>,
    code: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    excerpt: Option<String>,
    call: Option<String>,
    advice: Advice,
    source: Option<Source>,
}

/// What the message advises to do.
#[derive(Clone, Copy)]
enum Advice {
    /// The advice of the error's kind.
    OfKind,
    Own(&'static str),
    Nothing,
}

#[derive(Clone)]
enum Source {
    Error(Arc<dyn StdError + Send + Sync>),
    /// The innermost cause of this error.
    RootOf(Arc<dyn StdError + Send + Sync>),
}

impl Error {
    /// Creates an error of this kind. Meant for crates that define endpoints.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            message: message.into(),
            status: None,
            code: None,
            request_id: None,
            retry_after: None,
            excerpt: None,
            call: None,
            advice: Advice::OfKind,
            source: None,
        }))
    }

    /// Returns the category of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the HTTP status, or `None` if no reply was received.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the service's error code, for example `device_limit_reached`, or `None` if the reply
    /// has none.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// Returns the service's id of the request, for its support and logs, or `None` if the reply
    /// has none.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns how long the server asked to wait before the next call, or `None` if it did not.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the first 200 characters of a reply that could not be read, without characters that
    /// are not [printable](crate::is_printable), or `None` if the reply could be read.
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        self.0.excerpt.as_deref()
    }

    /// Returns the message alone, without the method, path and advice that `Display` adds.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns whether the same call may safely be made again later, and may then succeed. This is
    /// `false` for [`ErrorKind::OutcomeUnknown`]: check first whether the call took effect.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::NotSent
                | ErrorKind::TimedOut
                | ErrorKind::Interrupted
                | ErrorKind::RateLimited
                | ErrorKind::Unavailable
        )
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_code(mut self, code: Option<String>) -> Self {
        self.0.code = code;
        self
    }

    pub(crate) fn with_request_id(mut self, request_id: Option<String>) -> Self {
        self.0.request_id = request_id;
        self
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.0.retry_after = retry_after;
        self
    }

    pub(crate) fn with_excerpt(mut self, excerpt: String) -> Self {
        self.0.excerpt = Some(excerpt);
        self
    }

    /// Sets the cause of the error. Meant for crates that define endpoints.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Source::Error(Arc::new(source)));
        self
    }

    /// Sets the innermost cause of this error as the source. It says most: "connection refused"
    /// rather than "error sending request".
    pub(crate) fn with_root_cause(mut self, error: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Source::RootOf(Arc::new(error)));
        self
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn with_advice(mut self, advice: &'static str) -> Self {
        self.0.advice = Advice::Own(advice);
        self
    }

    /// Sets the method and path to show, unless they are set already.
    pub(crate) fn with_call(mut self, call: impl FnOnce() -> String) -> Self {
        self.0.call.get_or_insert_with(call);
        self
    }

    /// Turns the error of an attempt into the error of a call that may have taken effect, with the
    /// former as its source.
    pub(crate) fn into_outcome_unknown(mut self, advice: Option<&'static str>) -> Self {
        let mut details = Details::clone(&self.0);
        details.kind = ErrorKind::OutcomeUnknown;
        "it is unknown whether the call took effect".clone_into(&mut details.message);
        details.advice = advice.map_or(Advice::OfKind, Advice::Own);
        // To try again would be wrong now.
        self.0.advice = Advice::Nothing;
        details.source = Some(Source::Error(Arc::new(self)));
        Self(Box::new(details))
    }

    /// Applies `clean` to every text that came from the server.
    pub(crate) fn map_texts(mut self, clean: impl Fn(&str) -> String) -> Self {
        let details = &mut *self.0;
        details.message = clean(&details.message);
        for text in [&mut details.code, &mut details.request_id, &mut details.excerpt] {
            *text = text.as_deref().map(&clean);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(call) = &self.0.call {
            write!(f, "{call}: ")?;
        }
        f.write_str(&self.0.message)?;
        if f.alternate() {
            let mut next = self.source();
            while let Some(source) = next {
                write!(f, ": {source}")?;
                next = source.source();
            }
        }
        let advice = match self.0.advice {
            Advice::OfKind => self.kind().advice(),
            Advice::Own(advice) => Some(advice),
            Advice::Nothing => None,
        };
        match advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.kind()).field("message", &self.0.message);
        if let Some(call) = &self.0.call {
            out.field("call", call);
        }
        if let Some(status) = self.0.status {
            out.field("status", &status);
        }
        if let Some(code) = &self.0.code {
            out.field("code", code);
        }
        if let Some(request_id) = &self.0.request_id {
            out.field("request_id", request_id);
        }
        if let Some(retry_after) = &self.0.retry_after {
            out.field("retry_after", retry_after);
        }
        if let Some(source) = self.source() {
            out.field("source", &source);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.0.source.as_ref()? {
            Source::Error(error) => Some(&**error),
            Source::RootOf(error) => Some(root_cause(&**error)),
        }
    }
}

/// Returns the innermost cause of an error.
fn root_cause<'a>(mut error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}
