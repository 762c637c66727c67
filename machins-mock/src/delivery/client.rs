//! One POST to another server.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::resolver::{Resolver, is_localhost};

/// How long a post may take by default, its answer included.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Which machines posts may go to, and how long they may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// Whether posts may go to other machines.
    pub(crate) everywhere: bool,
    pub(crate) time_limit: Duration,
}

/// The header by which a mock server knows that a request is a webhook or a verification of a mock
/// server: neither must reach its own routes, by whatever name or port they are reached.
pub(crate) static OWN_POST: HeaderName = HeaderName::from_static("x-machins-mock");

/// How much of an answer is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Posts to other servers.
pub(crate) struct Client {
    http: HyperClient<HttpConnector<Resolver>, Full<Bytes>>,
    policy: Policy,
    /// The address of the server itself, which is not posted to.
    own: SocketAddr,
}

/// The reason why a post got no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("only http:// URLs can be posted to")]
    NotHttp,
    #[error("the address is not on this machine, and the server was not told to post elsewhere")]
    NotLoopback,
    #[error("the address is that of the mock server itself")]
    Own,
    #[error("no answer: {0}")]
    NoAnswer(String),
    #[error("no answer within {} seconds", .0.as_secs_f64())]
    TooLate(Duration),
    #[error("the reply is incomplete or larger than {MAX_ANSWER} bytes")]
    Answer,
}

impl Client {
    pub(crate) fn new(policy: Policy, own: SocketAddr) -> Self {
        let mut connector = HttpConnector::new_with_resolver(Resolver::new());
        connector.set_nodelay(true);
        let client = HyperClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self { http: client, policy, own }
    }

    /// Posts JSON and returns the answer. Redirects are not followed.
    pub(super) async fn post(
        &self,
        url: &str,
        body: Bytes,
        signature: Option<&str>,
    ) -> Result<(u16, Bytes), PostError> {
        let uri = target(url, self.policy.everywhere, self.own)?;
        let mut request = Request::post(uri)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(&OWN_POST, HeaderValue::from_static("post"));
        if let Some(signature) = signature {
            request = request.header("X-Machins-Signature", signature);
        }
        let request = request.body(Full::new(body)).map_err(|_| PostError::NotHttp)?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| {
                let reason = std::error::Error::source(&error);
                PostError::NoAnswer(reason.map_or_else(|| error.to_string(), ToString::to_string))
            })?;
            let status = response.status().as_u16();
            let answer = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            Ok((status, answer.map_err(|_| PostError::Answer)?.to_bytes()))
        };
        let limit = self.policy.time_limit;
        tokio::time::timeout(limit, exchange).await.unwrap_or(Err(PostError::TooLate(limit)))
    }
}

/// Returns the address, if it may be posted to.
///
/// A client of a test's server must not be able to reach into the network through it. So names
/// other than `localhost` and those under it are refused before they are resolved.
fn target(url: &str, everywhere: bool, own: SocketAddr) -> Result<Uri, PostError> {
    let uri: Uri = url.parse().map_err(|_| PostError::NotHttp)?;
    if uri.scheme_str() != Some("http") {
        return Err(PostError::NotHttp);
    }
    let host = uri.host().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let loopback = literal.as_ref().map_or_else(|_| is_localhost(host), IpAddr::is_loopback);
    let is_here = loopback && (own.ip().is_loopback() || own.ip().is_unspecified());
    if uri.port_u16().unwrap_or(80) == own.port() && (is_here || literal == Ok(own.ip())) {
        return Err(PostError::Own);
    }
    if loopback || everywhere { Ok(uri) } else { Err(PostError::NotLoopback) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 9999))
    }

    #[test]
    fn the_server_itself_is_not_posted_to() {
        for url in
            ["http://127.0.0.1:9999/", "http://localhost:9999/_mock/reset", "http://[::1]:9999/"]
        {
            assert!(matches!(target(url, true, own()), Err(PostError::Own)), "{url}");
        }
    }

    #[test]
    fn only_this_machine_is_posted_to() {
        for url in [
            "http://127.0.0.1:1/a",
            "http://127.8.9.1",
            "http://[::1]:80/",
            "http://localhost:8080/x?y",
            "http://LOCALHOST/",
            "http://hooks.localhost:8080/",
            "http://localhost./",
        ] {
            assert!(target(url, false, own()).is_ok(), "{url}");
        }
        for url in [
            "http://example.com/",
            "http://localhost.example.com/",
            "http://mylocalhost/",
            "http://127.0.0.1.example.com/",
            "http://10.0.0.1/",
            "http://0.0.0.0/",
            "http://169.254.169.254/",
            "http://[::ffff:10.0.0.1]/",
            "http://127.0.0.1@example.com/",
        ] {
            assert!(matches!(target(url, false, own()), Err(PostError::NotLoopback)), "{url}");
            assert!(target(url, true, own()).is_ok(), "{url}");
        }
        for url in ["https://127.0.0.1/", "ftp://localhost/", "localhost", "", "/a", "http://"] {
            assert!(matches!(target(url, true, own()), Err(PostError::NotHttp)), "{url}");
        }
    }
}
