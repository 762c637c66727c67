//! The server behind the gate.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::admit::Admission;

/// How long connecting to the server may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Headers that concern one connection and are not passed on.
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    // Java's client offers HTTP/2 with it.
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// An MCP server that speaks streamable HTTP, and who may reach it through the gate.
#[derive(Clone)]
pub struct HttpServer {
    url: Url,
    client: reqwest::Client,
    pub(super) admission: Admission,
}

/// The address of a server cannot be used. It is not shown, as it may contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the address of an MCP server: {reason}")]
pub struct InvalidServer {
    reason: String,
}

impl HttpServer {
    /// Describes the server whose endpoint has this address.
    ///
    /// # Errors
    /// Returns [`InvalidServer`] if it is not an `http` or `https` address, or contains a password.
    pub fn new(url: &str) -> Result<Self, InvalidServer> {
        let invalid = |reason: &dyn ToString| InvalidServer { reason: reason.to_string() };
        let parsed = Url::parse(url).map_err(|error| invalid(&error))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(invalid(&"it must begin with http:// or https://"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(invalid(&"it must not contain a user or password"));
        }
        let mut client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIME)
            .redirect(Policy::none())
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate();
        if is_loopback(&parsed) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| invalid(&error))?;
        Ok(Self { url: parsed, client, admission: Admission::default() })
    }

    /// Permits a host name that clients know the gate by, in addition to loopback names. A page of that
    /// host may use the gate too.
    #[must_use]
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.admission.hosts.push(host.into());
        self
    }

    /// Permits the pages of an origin, such as `https://console.example`, to use the gate.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.admission.origins.push(origin.into());
        self
    }

    /// Returns the path of the endpoint.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// Sends a request to the endpoint, or to another path of the server, and returns the response
    /// without its body.
    pub(super) async fn send(
        &self,
        method: Method,
        path_and_query: Option<&str>,
        headers: &HeaderMap,
        body: Option<Bytes>,
    ) -> reqwest::Result<reqwest::Response> {
        let mut url = self.url.clone();
        if let Some(path_and_query) = path_and_query {
            let (path, query) = match path_and_query.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (path_and_query, None),
            };
            url.set_path(path);
            url.set_query(query);
        }
        let mut headers = passed_on(headers);
        headers.remove(HOST);
        // It is set for the body.
        headers.remove(CONTENT_LENGTH);
        if body.is_some() {
            // What the gate has read it as, in words that no two servers understand differently.
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let request = self.client.request(method, url).headers(headers);
        let request = match body {
            Some(body) => request.body(body),
            None => request,
        };
        request.send().await
    }
}

/// Without the query, which may contain a key.
impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        url.set_query(None);
        f.debug_struct("HttpServer")
            .field("url", &url.as_str())
            .field("admission", &self.admission)
            .finish_non_exhaustive()
    }
}

/// Whether `Connection` names only what concerns a connection. Another header that it names would be
/// one that the gate has read and the server is not given.
pub(super) fn is_plain_connection(headers: &HeaderMap) -> bool {
    named_by_connection(headers).all(|name| {
        let name = name.trim();
        name.is_empty()
            || name.eq_ignore_ascii_case("close")
            || HOP_BY_HOP.iter().any(|known| name.eq_ignore_ascii_case(known.as_str()))
    })
}

/// What the header `Connection` names. An unreadable value is passed as a name that no header has.
fn named_by_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter();
    values.flat_map(|value| value.to_str().unwrap_or("?").split(','))
}

/// The headers that are passed on.
pub(super) fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> =
        named_by_connection(headers).filter_map(|name| name.trim().parse().ok()).collect();
    let mut headers = headers.clone();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
    headers
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}
