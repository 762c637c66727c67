//! When an `ALLOW` is believed.

use std::error::Error as StdError;
use std::fmt;

use agent_client_core::{Extra, Reply};

use crate::decision_code::DecisionCode;
use crate::device_id::DeviceId;
use crate::{batch, device, org, plan, registration};

/// The handlers of the other endpoints of the service's API Reference.
const OTHER_HANDLERS: [&[&str]; 5] =
    [batch::HANDLERS, device::HANDLERS, org::HANDLERS, plan::HANDLERS, registration::HANDLERS];

/// The handler of the endpoint that decides.
const VALIDATE: &str = "devices/validate";

/// The words that mean that a device may not run: those of the service's replies, and others that say the
/// same. So do the decision codes.
const DENIALS: [&str; 12] = [
    "revoked",
    "blocked",
    "not_found",
    "limit_reached",
    "denied",
    "disabled",
    "suspended",
    "frozen",
    "expired",
    "inactive",
    "unauthorized",
    "forbidden",
];

/// Why a reply with the code `ALLOW` is not believed, so that the device is denied.
///
/// It is the [`source`](std::error::Error::source) of the error that stands for the reply;
/// [`Denied::invalid_allow`](crate::Denied::invalid_allow) returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidAllow {
    /// The HTTP status is neither 200 nor 201.
    HttpStatus(u16),
    /// A header says that the body is not plain JSON in UTF-8.
    NotPlainJson,
    /// The reply has both a `Content-Length` and a `Transfer-Encoding`, so that proxies may
    /// disagree on where it ends.
    TwoLengths,
    /// The reply comes from a cache: its `Age` is not 0.
    FromCache,
    /// The field `allowed` is not JSON `true`.
    NotAllowed,
    /// The field `error` is present.
    HasError,
    /// The field `status` says otherwise, for example `revoked`, or the field `revoked` is present and is
    /// not JSON `false`.
    OtherStatus,
    /// The field `deviceId` or `device_id` is not the device that was asked about.
    OtherDevice,
    /// The field `handler` names another endpoint than the one that was called.
    OtherHandler,
    /// The field `request_id` is missing, or is not a text.
    NoRequestId,
    /// One of the last 16,384 decisions that this client and its clones were given has the same request
    /// id, so the reply is a stored or repeated one.
    RepeatedRequestId,
}

impl InvalidAllow {
    /// Whether the reply itself says that the device may not run.
    pub(crate) fn is_contradiction(self) -> bool {
        matches!(self, Self::NotAllowed | Self::HasError | Self::OtherStatus)
    }
}

impl fmt::Display for InvalidAllow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HttpStatus(status) => {
                return write!(f, "its HTTP status is {status}, not 200 or 201");
            }
            Self::NotPlainJson => "a header says that it is not plain JSON in UTF-8",
            Self::TwoLengths => "it has both a Content-Length and a Transfer-Encoding",
            Self::FromCache => "it comes from a cache: its Age is not 0",
            Self::NotAllowed => "its field \"allowed\" is not true",
            Self::HasError => "it has a field \"error\"",
            Self::OtherStatus => "its field \"status\" says otherwise",
            Self::OtherDevice => "it is about another device",
            Self::OtherHandler => "its field \"handler\" names another endpoint",
            Self::NoRequestId => "it has no request_id",
            Self::RepeatedRequestId => {
                "its request_id was given before, so it is a stored or repeated reply"
            }
        })
    }
}

impl StdError for InvalidAllow {}

/// Why a reply without a decision is no outage: it says that the device may not run. It is the source of the
/// error that stands for the reply.
#[derive(Debug)]
pub(crate) struct Refusal;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it says that the device may not run, but has no decision code")
    }
}

impl StdError for Refusal {}

/// Checks everything but the code, which is `ALLOW`. `is_new` is whether the request id was not
/// given before, or `None` if there is none.
pub(crate) fn verify(
    reply: &Reply,
    fields: &Extra,
    asked: &DeviceId,
    is_new: Option<bool>,
) -> Result<(), InvalidAllow> {
    let text = |name: &str| fields.get(name).map(|value| value.as_str());
    // If replies are off by one on a connection, this is the reply to another request.
    let is_asked = |name: &str| text(name).is_none_or(|device| device == Some(asked.as_str()));
    let requirements = [
        (matches!(reply.status(), 200 | 201), InvalidAllow::HttpStatus(reply.status())),
        (reply.is_labelled_json(), InvalidAllow::NotPlainJson),
        (!reply.has_two_lengths(), InvalidAllow::TwoLengths),
        (!reply.is_from_cache(), InvalidAllow::FromCache),
        (
            fields.get("allowed").is_some_and(|allowed| allowed.as_json() == "true"),
            InvalidAllow::NotAllowed,
        ),
        (!fields.contains_key("error"), InvalidAllow::HasError),
        (
            text("status").is_none_or(is_consistent_status) && !is_set(fields, "revoked"),
            InvalidAllow::OtherStatus,
        ),
        (is_asked("deviceId") && is_asked("device_id"), InvalidAllow::OtherDevice),
        (text("handler").is_none_or(is_consistent_handler), InvalidAllow::OtherHandler),
        (is_new.is_some(), InvalidAllow::NoRequestId),
        (is_new == Some(true), InvalidAllow::RepeatedRequestId),
    ];
    match requirements.into_iter().find(|(is_met, _)| !is_met) {
        Some((_, invalid)) => Err(invalid),
        None => Ok(()),
    }
}

/// The request id, unless it is empty.
pub(crate) fn request_id(fields: &Extra) -> Option<&str> {
    fields.get("request_id")?.as_str().filter(|id| !id.trim().is_empty())
}

/// Whether a reply without a decision says all the same that the device may not run, or that the key is not
/// accepted: then it is no outage.
pub(crate) fn is_refusal(status: u16, fields: &Extra) -> bool {
    let says = |name: &str| fields.get(name).and_then(|word| word.as_str()).is_some_and(is_denial);
    match status {
        401 => true,
        408 | 429 | 500.. => false,
        _ => {
            fields.get("allowed").is_some_and(|allowed| allowed.as_json() == "false")
                || says("status")
                || says("error")
                || is_set(fields, "revoked")
        }
    }
}

/// Whether a field is present and is anything but `false`.
fn is_set(fields: &Extra, name: &str) -> bool {
    fields.get(name).is_some_and(|value| value.as_json() != "false")
}

/// Whether a status is a word other than those that deny.
fn is_consistent_status(status: Option<&str>) -> bool {
    status.is_some_and(|word| {
        word == "ok" || !is_denial(word) && !word.trim().eq_ignore_ascii_case("error")
    })
}

fn is_denial(word: &str) -> bool {
    let codes = DecisionCode::WORDS.iter().filter(|code| **code != DecisionCode::Allow.as_str());
    let word = word.trim();
    DENIALS.iter().chain(codes).any(|denial| word.eq_ignore_ascii_case(denial))
}

/// Whether a handler is that of validate, or a name that no document mentions.
fn is_consistent_handler(handler: Option<&str>) -> bool {
    handler.is_some_and(|handler| {
        handler == VALIDATE || {
            let handler = normalized(handler);
            !OTHER_HANDLERS.iter().copied().flatten().any(|other| normalized(other) == handler)
        }
    })
}

/// The name in lower case and with one separator, without the path before it. The service writes
/// names with different separators.
fn normalized(name: &str) -> String {
    let words = name.trim().split(['/', '_', '-', '.']).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("/").to_ascii_lowercase();
    name.strip_prefix("api/v1/").map(str::to_owned).unwrap_or(name)
}
