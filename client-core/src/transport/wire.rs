//! One exchange of a request and a reply: the only file that sends anything.

use std::error::Error as StdError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, redirect};

use crate::base_url::BaseUrl;
use crate::credential::Credential;
use crate::error::{Error, ErrorKind};
use crate::labels::Labels;
use crate::options::ClientOptions;
use crate::process::SameProcess;
use crate::reply::Reply;
use crate::request::Request;
use crate::request_ids::RequestIds;

/// Idle connections are closed after this time, before most servers close them: if a request meets
/// a connection that is being closed, its outcome is unknown.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const IDLE_CONNECTIONS: usize = 128;

/// The addresses of this machine.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The `User-Agent` of a client that sets none.
const USER_AGENT: &str = concat!("agent-client-core/", env!("CARGO_PKG_VERSION"));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// A stored reply is as wrong for a probe or a balance as it is for a decision.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The HTTP client and the address it talks to.
pub(super) struct Wire {
    http: SameProcess<Client>,
    base_url: BaseUrl,
    max_reply_bytes: usize,
    request_ids: Arc<RequestIds>,
}

impl Wire {
    pub(super) fn new(base_url: BaseUrl, options: &ClientOptions) -> Result<Self, Error> {
        let mut builder = Client::builder()
            .user_agent(options.user_agent.as_deref().unwrap_or(USER_AGENT))
            .default_headers(HeaderMap::from_iter([(ACCEPT, JSON), (CACHE_CONTROL, NO_STORE)]))
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            // Compressed replies are not asked for, whichever features of `reqwest` other crates
            // enable.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .referer(false);
        if let Some(name) = base_url.localhost_name() {
            // Where a resolver says otherwise, the key would go to another machine. The port 0 stands
            // for that of the URL.
            builder = builder.resolve_to_addrs(name, &LOOPBACK.map(|ip| SocketAddr::new(ip, 0)));
        }
        if base_url.is_loopback() {
            // A proxy would forward a call to this machine, with its key, to another machine.
            builder = builder.no_proxy();
            // Loading the system's certificates takes milliseconds and megabytes.
            #[cfg(feature = "rustls")]
            if base_url.is_plain_http() {
                builder = builder.tls_certs_only([]);
            }
        }
        let http = builder.build().map_err(|error| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("the HTTP client cannot be set up: {}", root_cause(&error)),
            )
            .with_source(error)
        })?;
        let max_reply_bytes = options.max_reply_bytes;
        Ok(Self {
            http: SameProcess::new(http),
            base_url,
            max_reply_bytes,
            request_ids: Arc::default(),
        })
    }

    pub(super) fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    /// Returns an error if this process is not the one that created the client.
    pub(super) fn check_process(&self) -> Result<(), Error> {
        self.http.get().map(drop)
    }

    /// Sends the request once. An error of kind [`ErrorKind::NotSent`] means that it did not leave;
    /// after any other error it may have taken effect.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        credential: Option<&Credential>,
        time_limit: Duration,
    ) -> Result<Reply, Error> {
        let sent = self.http.get()?.execute(self.outgoing(request, credential, time_limit));
        match sent.await {
            Ok(mut response) => self.read(&mut response).await,
            Err(error) => Err(self.failure(error)),
        }
    }

    fn outgoing(
        &self,
        request: &Request,
        credential: Option<&Credential>,
        time_limit: Duration,
    ) -> reqwest::Request {
        let url = self.base_url.join(&request.path, &request.query);
        let mut outgoing = reqwest::Request::new(request.method.clone(), url);
        *outgoing.timeout_mut() = Some(time_limit);
        if let Some(credential) = credential {
            outgoing.headers_mut().insert(credential.scheme.header, credential.header.clone());
        }
        if let Some(body) = &request.body {
            outgoing.headers_mut().insert(CONTENT_TYPE, JSON);
            *outgoing.body_mut() = Some(body.clone().into());
        }
        outgoing
    }

    /// Reads the whole reply. The status of a reply that is not a success matters most, so a part
    /// of its body is enough.
    async fn read(&self, response: &mut Response) -> Result<Reply, Error> {
        let status = response.status().as_u16();
        let is_success = response.status().is_success();
        let labels = Labels::read(response.headers());
        let body = match self.read_body(response).await {
            Ok(body) => body,
            Err((_, partial)) if !is_success => partial,
            Err((error, _)) => return Err(error.with_status(status)),
        };
        let request_ids = Arc::clone(&self.request_ids);
        Ok(Reply { status, body, labels, repeated: false, request_ids })
    }

    async fn read_body(&self, response: &mut Response) -> Result<Bytes, (Error, Bytes)> {
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.is_empty() && chunk.len() <= self.max_reply_bytes => {
                    body = chunk.into();
                }
                Ok(Some(chunk)) if body.len() + chunk.len() <= self.max_reply_bytes => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => {
                    let message =
                        format!("the reply is longer than {} bytes", self.max_reply_bytes);
                    return Err((Error::new(ErrorKind::ReplyTooLarge, message), body.freeze()));
                }
                Ok(None) => return Ok(body.freeze()),
                Err(error) => return Err((self.failure(error), body.freeze())),
            }
        }
    }

    fn failure(&self, error: reqwest::Error) -> Error {
        // The URL may hold a secret in its path (`/claim/{token}`).
        let error = error.without_url();
        let cause = root_cause(&error);
        let (kind, message) = if error.is_connect() {
            (ErrorKind::NotSent, format!("cannot connect to {}: {cause}", self.base_url))
        } else if error.is_timeout() {
            (ErrorKind::TimedOut, format!("{} did not answer in time", self.base_url))
        } else {
            (ErrorKind::Interrupted, format!("the connection to {} broke: {cause}", self.base_url))
        };
        Error::new(kind, message).with_source(error)
    }
}

/// Returns the innermost cause, which says most: "connection refused" rather than "error sending
/// request".
fn root_cause(error: &dyn StdError) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
