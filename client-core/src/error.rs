//! What a caller sees when a call did not end as hoped.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// What went wrong, made to be matched.
///
/// The kind also says what is known about the call's effect: see
/// [`Error::is_retryable`] and [`ErrorKind::OutcomeUnknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value given by the caller can't be sent: a malformed id, URL or key. Nothing was sent.
    InvalidInput,
    /// The call needs a key or token that the client was not given. Nothing was sent.
    MissingCredential,
    /// No connection came about (refused, name not found, TLS, connect timeout). Nothing was sent.
    NotSent,
    /// No complete answer within the time limit.
    TimedOut,
    /// The connection broke after the request had begun to leave.
    Interrupted,
    /// The call changes something, and whether it did is unknown. The error's source says what
    /// broke, its message how to find out.
    OutcomeUnknown,
    /// The server answered with a redirect, which is never followed: a key would travel along.
    Redirect,
    /// The reply is longer than [`ClientOptions::max_reply_bytes`](crate::ClientOptions::max_reply_bytes).
    ReplyTooLarge,
    /// The server's answer is not what the API promises: HTML, cut off, or of another shape.
    UnreadableReply,
    /// 400: the request is not valid.
    BadRequest,
    /// 400 with code `INSUFFICIENT_FUNDS`: the wallet does not hold enough.
    InsufficientFunds,
    /// 401: the key or token is missing or wrong.
    Unauthorized,
    /// 403: the key is right but may not do this.
    Forbidden,
    /// 404: there is no such thing.
    NotFound,
    /// 409: it exists already, or somebody else changed it first.
    Conflict,
    /// 422: not possible in the present state.
    InvalidTransition,
    /// 429: too many calls. [`Error::retry_after`] says how long to wait, when the server did.
    RateLimited,
    /// 408 or 5xx: the service could not answer.
    Unavailable,
    /// Any other status that is not a success.
    UnexpectedStatus,
}

impl ErrorKind {
    /// The kind as a stable word, for logs and machine-readable output.
    ///
    /// ```
    /// assert_eq!(agent_client_core::ErrorKind::NotSent.as_str(), "not_sent");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::MissingCredential => "missing_credential",
            Self::NotSent => "not_sent",
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

    /// The kind of a reply that is not a success, from its status and error code.
    pub(crate) fn of_status(status: u16, code: Option<&str>) -> Self {
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

    /// What the reader of the message can do about it.
    fn advice(self) -> Option<&'static str> {
        match self {
            Self::NotSent => {
                Some("nothing was sent: check the address and the network, then try again")
            }
            Self::TimedOut | Self::Interrupted | Self::Unavailable => Some("try again later"),
            Self::OutcomeUnknown => Some("it may have taken effect: look before you repeat it"),
            Self::Redirect => Some(
                "redirects are not followed, so that no key leaves with them: set the base URL to the service's own address",
            ),
            Self::UnreadableReply => {
                Some("check that the base URL is the service's own, with no proxy page in between")
            }
            Self::Unauthorized => Some("check the key"),
            _ => None,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A call that did not end as hoped: what happened, why, and what is known of its effect.
///
/// `Display` gives one line for people; [`kind`](Self::kind) and the other accessors are for
/// programs. No error holds a key, a token or a URL's query.
///
/// ```
/// use agent_client_core::{BaseUrl, ErrorKind};
///
/// let error = BaseUrl::parse("http://example.com").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// assert!(!error.is_retryable());
/// ```
pub struct Error(Box<Details>);

struct Details {
    kind: ErrorKind,
    message: String,
    status: Option<u16>,
    code: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    excerpt: Option<String>,
    call: Option<String>,
    advice: Option<&'static str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind. Meant for crates that define endpoints.
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
            advice: None,
            source: None,
        }))
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The HTTP status, when there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The service's own error code, for example `device_limit_reached`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The service's id of this exchange, for its support and logs.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the server asked to wait before the next call.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The beginning of a reply that could not be read, control characters removed.
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        self.0.excerpt.as_deref()
    }

    /// The message alone, without the call and the advice that `Display` adds.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the same call may be made again later, safely and with some hope. False for
    /// [`ErrorKind::OutcomeUnknown`]: look first whether it took effect.
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

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Names the call, unless an inner call has named itself already.
    pub(crate) fn with_call(mut self, call: impl FnOnce() -> String) -> Self {
        self.0.call.get_or_insert_with(call);
        self
    }

    /// The same failure for a call that changes something: it may have happened. `advice` is what
    /// the caller can do about it.
    pub(crate) fn into_outcome_unknown(self, advice: Option<&'static str>) -> Self {
        Self(Box::new(Details {
            kind: ErrorKind::OutcomeUnknown,
            message: self.0.message.clone(),
            status: self.0.status,
            code: self.0.code.clone(),
            request_id: self.0.request_id.clone(),
            retry_after: self.0.retry_after,
            excerpt: self.0.excerpt.clone(),
            call: self.0.call.clone(),
            advice,
            source: Some(Box::new(self)),
        }))
    }

    /// Applies `clean` to every text that came from outside.
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
        if let Some(advice) = self.0.advice.or(self.kind().advice()) {
            write!(f, "; {advice}")?;
        }
        Ok(())
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
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
