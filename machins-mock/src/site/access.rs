//! Who may use the server: its doors are shut to the web pages that its user happens to visit.
//!
//! A browser lets any page send requests to any address, and a page whose name is rebound to this
//! machine may even read the replies. So requests must name the server as a test would, and requests
//! of pages of other origins are refused.

use std::net::IpAddr;

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::request::Parts;
use http::{Method, StatusCode};

use super::own_routes::is_page;
use crate::delivery::OWN_POST;
use crate::http::Problem;
use crate::server_state::AccessRules;
use crate::text::beginning;

/// Names with a dot that are answered without being told.
const KNOWN_HOST: &str = "host.docker.internal";

/// The header in which a browser says where a request comes from.
static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What becomes of a request at the door.
pub(crate) enum Admission {
    /// It is answered, with headers for the page that sent it.
    Admitted(Cors),
    /// It is answered here.
    Answered(Response),
}

/// The origin of the page that sent a request, if the server was told to admit it.
pub(crate) struct Cors(Option<HeaderValue>);

/// Decides whether a request is answered.
pub(crate) fn admit(rules: &AccessRules, parts: &Parts) -> Admission {
    let refuse =
        |code, detail: String| Admission::Answered(Problem::new(403, code, detail).into_response());
    if parts.headers.contains_key(&OWN_POST) {
        let detail = "this is a webhook of a mock server, whose own routes it must not reach";
        return refuse("OWN_WEBHOOK", detail.to_owned());
    }
    let host = host(parts);
    if !is_known(rules, host) {
        let detail = format!(
            "this server is not known as {}; allow the name with --allow-host",
            beginning(host, 200),
        );
        return refuse("HOST_NOT_ALLOWED", detail);
    }
    let headers = &parts.headers;
    if let Some(origin) = headers.get(ORIGIN) {
        if is_allowed(rules, origin) {
            let is_preflight = parts.method == Method::OPTIONS
                && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
            return if is_preflight {
                Admission::Answered(preflight(headers, origin))
            } else {
                Admission::Admitted(Cors(Some(origin.clone())))
            };
        }
        if !is_same(origin, headers.get(HOST)) && !is_visit(parts) {
            let detail = "web pages of other origins cannot use the mock server; \
                          allow the origin with --cors";
            return refuse("CROSS_ORIGIN", detail.to_owned());
        }
    }
    let site = headers.get(&SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    if matches!(site, Some(b"cross-site" | b"same-site")) && !is_visit(parts) {
        let detail = "web pages of other sites cannot use the mock server";
        return refuse("CROSS_ORIGIN", detail.to_owned());
    }
    Admission::Admitted(Cors(None))
}

impl Cors {
    /// Lets the page that sent the request read its reply.
    pub(crate) fn apply(self, headers: &mut HeaderMap) {
        if let Self(Some(origin)) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
    }
}

/// Returns the name or address by which a request names the server, without a port; empty if it
/// does not, as no browser does.
fn host(parts: &Parts) -> &str {
    let header = parts.headers.get(HOST).map(|host| host.to_str().unwrap_or("?"));
    let authority = header.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    let authority = authority.unwrap_or_default();
    if authority.starts_with('[') {
        return authority.split_inclusive(']').next().unwrap_or_default();
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Returns whether a test would call the server by this name. A name with a dot could be anyone's,
/// and could be rebound to this machine.
fn is_known(rules: &AccessRules, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let ends_with = |end: &str| {
        let at = host.len().checked_sub(end.len());
        at.and_then(|at| host.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    !host.contains('.') && !host.contains(':')
        || literal.parse::<IpAddr>().is_ok()
        || ends_with(".localhost")
        || host.eq_ignore_ascii_case(KNOWN_HOST)
        || rules.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
}

fn is_allowed(rules: &AccessRules, origin: &HeaderValue) -> bool {
    rules.origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
}

/// Returns whether an origin is the server's own.
fn is_same(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (origin, host) = (origin.as_bytes(), host.map_or(&b""[..], HeaderValue::as_bytes));
    ["http://", "https://"]
        .iter()
        .any(|scheme| origin.strip_prefix(scheme.as_bytes()).is_some_and(|rest| rest == host))
}

/// Returns whether a person follows a link to a page for people.
fn is_visit(parts: &Parts) -> bool {
    let is = |name: &str, value: &[u8]| {
        parts.headers.get(name).is_some_and(|given| given.as_bytes() == value)
    };
    (parts.method == Method::GET || parts.method == Method::HEAD)
        && is("sec-fetch-mode", b"navigate")
        && is("sec-fetch-dest", b"document")
        && is_page(parts.uri.path())
}

/// Returns the answer to a browser that asks whether a page may send a request.
fn preflight(asked: &HeaderMap, origin: &HeaderValue) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers.append(VARY, HeaderValue::from_static("origin"));
    for (from, to) in [
        (ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_ALLOW_METHODS),
        (ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_ALLOW_HEADERS),
    ] {
        if let Some(value) = asked.get(from) {
            headers.insert(to, value.clone());
        }
    }
    response
}
