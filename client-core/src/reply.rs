//! A complete reply, and the error that it stands for if it is not a success.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::text::{MAX_PRINTABLE_CHARS, printable};

/// A complete reply, not decoded yet.
#[derive(Clone)]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) header_request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) is_labelled_json: bool,
    pub(crate) repeated: bool,
}

impl Reply {
    /// Returns the HTTP status code, for example 200.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the body, with the client's keys redacted.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns how long the server asked to wait before the next call, or `None` if it did not.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns `false` if a header says that the body is anything but plain JSON: a `Content-Type`
    /// other than `application/json`, or a `Content-Encoding`, since compression is never
    /// requested. Returns `true` if these headers are missing.
    #[must_use]
    pub fn is_labelled_json(&self) -> bool {
        self.is_labelled_json
    }

    /// Returns whether an earlier attempt of the same call may already have taken effect. If so, a
    /// 404 in reply to a removal can mean that the earlier attempt removed the resource.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// Decodes the body from JSON, whatever the status.
    ///
    /// # Errors
    /// Returns [`ErrorKind::UnreadableReply`], with the status and an excerpt, if the body is not
    /// JSON or does not match the type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "not the expected reply",
                serde_json::error::Category::Eof => "cut off",
                _ => "not JSON",
            };
            let message = format!("status {}, but the body is {what} ({error})", self.status);
            self.unreadable(message)
        })
    }

    /// Creates an error of kind [`ErrorKind::UnreadableReply`] with the status and an excerpt of
    /// this reply.
    pub fn unreadable(&self, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::UnreadableReply, message)
            .with_status(self.status)
            .with_request_id(self.request_id())
            .with_excerpt(excerpt(&self.body))
    }

    /// Returns the error that this reply stands for, of the kind of its status.
    ///
    /// The code and the message are taken from `{"detail": "…"}`,
    /// `{"detail": {"code", "message"}}`, `{"error": {"code", "message"}}` or
    /// `{"error": "…", "code": "…"}`. The error of a body that is not JSON has the status and an
    /// excerpt.
    #[must_use]
    pub fn error(&self) -> Error {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = error_code(&body);
        let kind = ErrorKind::from_status(self.status, code.as_deref());
        let text = error_message(&body).filter(|text| Some(*text) != code.as_deref());
        let excerpt = (body.is_null() && !self.body.is_empty()).then(|| excerpt(&self.body));

        let mut message = format!("the server answered {}", self.status);
        if let Some(code) = &code {
            message.extend([" ", code]);
        }
        if let Some(text) = text {
            message.extend([": ", &printable(text)]);
        }
        if let Some(wait) = self.retry_after {
            message.extend(["; it asks to wait ", &wait.as_secs().to_string(), " s"]);
        }
        let error = Error::new(kind, message)
            .with_status(self.status)
            .with_code(code)
            .with_request_id(self.request_id())
            .with_retry_after(self.retry_after);
        match excerpt {
            Some(excerpt) => error.with_excerpt(excerpt),
            None => error,
        }
    }

    /// Returns the service's id of the request, from the body or else from the header
    /// `X-Request-Id`, or `None` if neither has one.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Body {
            request_id: String,
        }
        let id = serde_json::from_slice(&self.body)
            .ok()
            .map(|body: Body| body.request_id)
            .or_else(|| self.header_request_id.clone())?;
        Some(printable(&id))
    }
}

impl fmt::Debug for Reply {
    /// Does not show the body, which may contain a new key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

fn error_code(body: &Value) -> Option<String> {
    let text = body
        .pointer("/error/code")
        .or_else(|| body.pointer("/detail/code"))
        .or_else(|| body.get("code"))
        .or_else(|| body.get("error"))?
        .as_str()?;
    Some(printable(text))
}

fn error_message(body: &Value) -> Option<&str> {
    ["/error/message", "/detail/message", "/message", "/detail", "/error"]
        .into_iter()
        .find_map(|place| body.pointer(place)?.as_str())
}

/// Returns the beginning of a body, safe to show.
fn excerpt(body: &[u8]) -> String {
    // UTF-8 uses at most four bytes for a character.
    let head = &body[..body.len().min(MAX_PRINTABLE_CHARS * 4)];
    printable(&String::from_utf8_lossy(head))
}

/// Reads `Retry-After`: seconds or a date. A date is relative to the reply's own `Date`, so that a
/// wrong clock on either side does no harm.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let now = headers
        .get(DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
        .unwrap_or_else(SystemTime::now);
    Some(at.duration_since(now).unwrap_or_default())
}

/// The value of [`Reply::is_labelled_json`] for these headers.
pub(crate) fn is_labelled_json(headers: &HeaderMap) -> bool {
    let each_is = |name: HeaderName, expected: &str| {
        headers.get_all(name).iter().all(|value| {
            let value = value.to_str().unwrap_or_default();
            value.split(';').next().is_some_and(|first| first.trim().eq_ignore_ascii_case(expected))
        })
    };
    each_is(CONTENT_TYPE, "application/json") && each_is(CONTENT_ENCODING, "identity")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            body: Bytes::copy_from_slice(body.as_bytes()),
            header_request_id: None,
            retry_after: None,
            is_labelled_json: true,
            repeated: false,
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(&headers(&[(RETRY_AFTER, "7")])), Some(Duration::from_secs(7)));
        let date = headers(&[
            (RETRY_AFTER, "Wed, 21 Oct 2026 07:28:30 GMT"),
            (DATE, "Wed, 21 Oct 2026 07:28:00 GMT"),
        ]);
        assert_eq!(retry_after(&date), Some(Duration::from_secs(30)));
        let past = headers(&[(RETRY_AFTER, "Wed, 21 Oct 2015 07:28:00 GMT")]);
        assert_eq!(retry_after(&past), Some(Duration::ZERO));
    }

    #[rstest]
    #[case::word("soon")]
    #[case::negative("-1")]
    #[case::float("1e3")]
    #[case::empty("")]
    #[case::overflow("99999999999999999999999")]
    fn a_malformed_retry_after_is_ignored(#[case] value: &str) {
        assert_eq!(retry_after(&headers(&[(RETRY_AFTER, value)])), None);
    }

    #[rstest]
    #[case::detail(r#"{"detail":"no such"}"#, None, ": no such")]
    #[case::detail_object(
        r#"{"detail":{"code":"NOT_FOUND","message":"no such"}}"#,
        Some("NOT_FOUND"),
        " NOT_FOUND: no such"
    )]
    #[case::error_object(
        r#"{"error":{"code":"NOT_FOUND","message":"no such"},"detail":"other"}"#,
        Some("NOT_FOUND"),
        " NOT_FOUND: no such"
    )]
    #[case::error_and_code(
        r#"{"status":"error","error":"org_not_found","code":"ORG_NOT_FOUND"}"#,
        Some("ORG_NOT_FOUND"),
        " ORG_NOT_FOUND: org_not_found"
    )]
    #[case::error_alone(
        r#"{"status":"not_found","error":"device_not_found"}"#,
        Some("device_not_found"),
        " device_not_found"
    )]
    fn every_known_shape_of_an_error_is_read(
        #[case] body: &str,
        #[case] code: Option<&str>,
        #[case] message: &str,
    ) {
        let error = reply(404, body).error();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.code(), code);
        assert_eq!(error.message(), format!("the server answered 404{message}"));
        assert_eq!(error.excerpt(), None);
    }

    #[test]
    fn a_body_that_is_not_json_keeps_status_and_excerpt() {
        let error = reply(502, "<html>\u{1b}[31mBad Gateway</html>").error();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Some(502)));
        assert_eq!(error.excerpt(), Some("<html> [31mBad Gateway</html>"));

        let error = reply(200, &"x".repeat(10_000)).json::<Value>().unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::UnreadableReply, Some(200)));
        assert_eq!(error.excerpt().map(str::len), Some(MAX_PRINTABLE_CHARS));
    }
}
