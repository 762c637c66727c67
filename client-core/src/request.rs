//! What goes over the wire: the same for every attempt of a call.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::Serialize;

use crate::call_options::CallOptions;
use crate::credential::{Scheme, Secret};
use crate::error::{Error, ErrorKind};
use crate::operation::{Operation, UNNAMED};

/// What is not escaped in a path segment (RFC 3986, "unreserved").
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A condition without which a request is not sent.
pub(crate) type Condition = Arc<dyn Fn() -> Result<(), Error> + Send + Sync>;

/// A request. It is complete when its path has no placeholder left.
pub(crate) struct Request {
    pub(crate) operation: &'static Operation,
    pub(crate) method: Method,
    pub(crate) template: Cow<'static, str>,
    pub(crate) path: String,
    /// Form-encoded, without the question mark.
    pub(crate) query: String,
    pub(crate) body: Option<Bytes>,
    pub(crate) scheme: Option<&'static Scheme>,
    pub(crate) idempotent: bool,
    pub(crate) single_attempt: bool,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) condition: Option<Condition>,
    /// Whether a reply that a cache had stored is refused if the request carries a key.
    pub(crate) must_be_fresh: bool,
    pub(crate) pause: PauseRule,
    pub(crate) unknown_hint: Option<&'static str>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) options: Option<Arc<CallOptions>>,
}

/// How a request takes the pauses that the server asks for with status 429.
#[derive(Clone, Copy)]
pub(crate) struct PauseRule {
    /// Whether the pauses are those of this endpoint alone.
    pub(crate) is_separate: bool,
    /// The longest pause that is waited for; `None` if no pause is.
    pub(crate) longest: Option<Duration>,
}

impl Default for PauseRule {
    fn default() -> Self {
        Self { is_separate: false, longest: Some(Duration::MAX) }
    }
}

impl Request {
    pub(crate) fn new(method: Method, template: Cow<'static, str>) -> Result<Self, Error> {
        if !is_unchanged_in_url(&template) {
            return Err(invalid(
                "a path must start with / and must not contain ? # \\ or the segments . and ..",
            ));
        }
        Ok(Self {
            idempotent: method.is_idempotent(),
            operation: UNNAMED,
            method,
            path: template.clone().into_owned(),
            template,
            query: String::new(),
            body: None,
            scheme: None,
            single_attempt: false,
            time_limit: None,
            condition: None,
            must_be_fresh: false,
            pause: PauseRule::default(),
            unknown_hint: None,
            secrets: Vec::new(),
            options: None,
        })
    }

    /// Fills the placeholder `{name}` of the path.
    pub(crate) fn fill_segment(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let placeholder = format!("{{{name}}}");
        if matches!(value, "" | "." | "..") || value.chars().any(char::is_control) {
            // The value is not repeated: it may be a secret.
            return Err(invalid(format!("this {name} cannot be part of a path")));
        }
        if !self.path.contains(&placeholder) {
            return Err(invalid(format!("the path {} has no {placeholder}", self.template)));
        }
        let encoded = utf8_percent_encode(value, SEGMENT).to_string();
        self.path = self.path.replace(&placeholder, &encoded);
        Ok(())
    }

    /// Appends parameters to the query.
    pub(crate) fn append_query(
        &mut self,
        parameters: &(impl Serialize + ?Sized),
    ) -> Result<(), Error> {
        let parameters = serde_html_form::to_string(parameters).map_err(|error| {
            invalid(format!("the query cannot be written as key=value pairs: {error}"))
        })?;
        if !self.query.is_empty() && !parameters.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(&parameters);
        Ok(())
    }

    /// The endpoints that share this request's rate limit: the first segment of the path, after a
    /// prefix like `/api/v1`.
    pub(crate) fn family(&self) -> &str {
        let is_version = |segment: &str| {
            segment.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok())
        };
        let mut segments = self.template.split('/').skip(1);
        segments.find(|segment| *segment != "api" && !is_version(segment)).unwrap_or_default()
    }

    /// Returns the request if every placeholder of its path is filled.
    pub(crate) fn complete(&self) -> Result<&Self, Error> {
        if self.path.contains('{') {
            return Err(invalid(format!("a segment of the path {} is missing", self.template)));
        }
        Ok(self)
    }
}

/// Whether a URL keeps this path as it is. It resolves dot segments, escaped ones too.
fn is_unchanged_in_url(path: &str) -> bool {
    const DOTS: [&str; 6] = [".", "..", "%2e", "%2e%2e", "%2e.", ".%2e"];
    let is_dots = |segment: &str| DOTS.iter().any(|dots| segment.eq_ignore_ascii_case(dots));
    let is_special = |c: char| matches!(c, '?' | '#' | '\\') || c.is_control();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_{}".contains(&byte);
    // Most paths have nothing that must be decoded.
    path.starts_with('/')
        && (path.bytes().all(is_plain)
            || !path.contains(is_special) && !path.split('/').any(is_dots))
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
