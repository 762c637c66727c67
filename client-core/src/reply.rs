//! A complete reply, and the error that it stands for if it is not a success.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::labels::Labels;
use crate::request_ids::RequestIds;
use crate::text::{MAX_PRINTABLE_CHARS, printable};

/// A complete reply, not decoded yet.
#[derive(Clone)]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) headers: HeaderMap,
    pub(crate) labels: Labels,
    pub(crate) repeated: bool,
    pub(crate) request_ids: Arc<RequestIds>,
}

impl Reply {
    /// Creates a reply with this status and JSON body, for tests (feature `test-util`). A body that
    /// cannot be written as JSON becomes an empty one.
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn new(status: u16, body: &impl serde::Serialize) -> Self {
        Self {
            status,
            body: serde_json::to_vec(body).unwrap_or_default().into(),
            headers: HeaderMap::new(),
            labels: Labels::read(&HeaderMap::new()),
            repeated: false,
            request_ids: Arc::default(),
        }
    }

    /// Sets a header, for tests (feature `test-util`). One that is not valid is left out.
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        use reqwest::header::{HeaderName, HeaderValue};

        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            self.headers.append(name, value);
            self.labels = Labels::read(&self.headers);
        }
        self
    }

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

    /// Returns the headers as the server sent them.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the body, with the client's keys redacted.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns how long the server asked to wait before the next call, or `None` if it did not.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.labels.retry_after
    }

    /// Returns `false` if a header says that the body is anything but plain JSON: a `Content-Type`
    /// other than `application/json` in UTF-8, or a `Content-Encoding`, since compression is never
    /// requested. Returns `true` if these headers are missing.
    #[must_use]
    pub fn is_labelled_json(&self) -> bool {
        self.labels.is_json
    }

    /// Returns whether a cache says that it had stored this reply: a header `Age` is not 0.
    #[must_use]
    pub fn is_from_cache(&self) -> bool {
        self.labels.is_from_cache
    }

    /// Returns whether the reply has both a `Content-Length` and a `Transfer-Encoding`, so that two
    /// readers may disagree on where it ends.
    #[must_use]
    pub fn has_two_lengths(&self) -> bool {
        self.labels.has_two_lengths
    }

    /// Remembers that this reply has this request id. Returns whether none of the last 16,384 ids
    /// that were remembered by this client and its clones is the same.
    #[must_use]
    pub fn remember_request_id(&self, id: &str) -> bool {
        self.request_ids.remember(id)
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
        serde_json::from_str(self.text()?).map_err(|error| self.undecodable(&error))
    }

    fn text(&self) -> Result<&str, Error> {
        // The whole body at once, which takes less time than each of its strings.
        std::str::from_utf8(&self.body).map_err(|error| {
            self.unreadable(format!("status {}, but the body is not UTF-8 ({error})", self.status))
        })
    }

    fn undecodable(&self, error: &serde_json::Error) -> Error {
        let what = match error.classify() {
            serde_json::error::Category::Data => "not the expected reply",
            serde_json::error::Category::Eof => "cut off",
            _ => "not JSON",
        };
        self.unreadable(format!("status {}, but the body is {what} ({error})", self.status))
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
    /// `{"error": "…", "code": "…"}`. A list of invalid fields, as `FastAPI` sends it with status 422
    /// (`{"detail": [{"loc", "msg"}]}`), is a bad request. The error of a body that is not JSON has the status and an
    /// excerpt.
    #[must_use]
    pub fn error(&self) -> Error {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = error_code(&body);
        let invalid_fields = invalid_fields(&body);
        let kind = match (self.status, &invalid_fields) {
            (422, Some(_)) => ErrorKind::BadRequest,
            (status, _) => ErrorKind::from_status(status, code.as_deref()),
        };
        let text = invalid_fields
            .or_else(|| error_message(&body).map(str::to_owned))
            .filter(|text| Some(text) != code.as_ref());
        let excerpt = (body.is_null() && !self.body.is_empty()).then(|| excerpt(&self.body));

        let mut message = format!("the server answered {}", self.status);
        if let Some(code) = &code {
            message.extend([" ", code]);
        }
        if let Some(text) = text {
            message.extend([": ", &printable(&text)]);
        }
        if let Some(wait) = self.labels.retry_after {
            message.extend(["; it asks to wait ", &wait.as_secs().to_string(), " s"]);
        }
        let error = Error::new(kind, message)
            .with_status(self.status)
            .with_code(code)
            .with_request_id(self.request_id())
            .with_retry_after(self.labels.retry_after);
        match excerpt {
            Some(excerpt) => error.with_excerpt(excerpt),
            None => error,
        }
    }

    /// Returns the error of a reply whose status is a success, but whose body refuses the call. `code` is
    /// the word in which it does.
    #[must_use]
    pub fn refusal(&self, kind: ErrorKind, code: &str) -> Error {
        let code = printable(code);
        Error::new(kind, format!("the server answered {}, but refused: {code}", self.status))
            .with_status(self.status)
            .with_code(Some(code))
            .with_request_id(self.request_id())
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
            .or_else(|| self.labels.request_id.clone())?;
        Some(printable(&id))
    }
}

impl fmt::Debug for Reply {
    /// Shows neither the body nor the headers, which may contain a key.
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

/// The invalid fields that `FastAPI` lists, for example `price: Field required`.
fn invalid_fields(body: &Value) -> Option<String> {
    let field = |item: &Value| {
        // The first step says where the field is: in the body, the query, the path or a header.
        let place = item.get("loc")?.as_array()?.iter().skip(1).map(|step| match step {
            Value::String(name) => name.clone(),
            other => other.to_string(),
        });
        let place = place.collect::<Vec<_>>().join(".");
        let problem = item.get("msg")?.as_str()?;
        Some(if place.is_empty() { problem.to_owned() } else { format!("{place}: {problem}") })
    };
    let fields: Vec<String> = body.get("detail")?.as_array()?.iter().filter_map(field).collect();
    (!fields.is_empty()).then(|| fields.join("; "))
}

/// Returns the beginning of a body, safe to show.
fn excerpt(body: &[u8]) -> String {
    // UTF-8 uses at most four bytes for a character.
    let head = &body[..body.len().min(MAX_PRINTABLE_CHARS * 4)];
    printable(&String::from_utf8_lossy(head))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            body: Bytes::copy_from_slice(body.as_bytes()),
            headers: HeaderMap::new(),
            labels: Labels::default(),
            repeated: false,
            request_ids: Arc::default(),
        }
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

    #[rstest]
    #[case::one_field(
        r#"{"detail":[{"loc":["body","price"],"msg":"Field required","type":"missing"}]}"#,
        ErrorKind::BadRequest,
        ": price: Field required"
    )]
    #[case::two_fields(
        r#"{"detail":[{"loc":["query","limit"],"msg":"Too large"},{"loc":["body","tags",0],"msg":"Not text"}]}"#,
        ErrorKind::BadRequest,
        ": limit: Too large; tags.0: Not text"
    )]
    #[case::the_whole_body(
        r#"{"detail":[{"loc":["body"],"msg":"Field required"}]}"#,
        ErrorKind::BadRequest,
        ": Field required"
    )]
    #[case::a_transition(
        r#"{"detail":"not proposed"}"#,
        ErrorKind::InvalidTransition,
        ": not proposed"
    )]
    #[case::an_empty_list(r#"{"detail":[]}"#, ErrorKind::InvalidTransition, "")]
    fn a_list_of_invalid_fields_is_a_bad_request(
        #[case] body: &str,
        #[case] kind: ErrorKind,
        #[case] message: &str,
    ) {
        let error = reply(422, body).error();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.message(), format!("the server answered 422{message}"));
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
