//! One exchange of a request and a reply: the only file that sends anything.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, USER_AGENT as USER_AGENT_HEADER,
};
use reqwest::{Client, Response};

use crate::base_url::BaseUrl;
use crate::certificate;
use crate::error::{Error, ErrorKind};
use crate::labels::Labels;
use crate::options::ClientOptions;
use crate::paused_time::PausedTime;
use crate::pool::HttpPool;
use crate::process::SameProcess;
use crate::proxy;
use crate::reply::Reply;
use crate::request::Request;
use crate::request_ids::RequestIds;
#[cfg(feature = "test-util")]
use crate::script::Script;

/// The `User-Agent` of a client that sets none.
const USER_AGENT: &str = concat!("agent-client-core/", env!("CARGO_PKG_VERSION"));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// A stored reply is as wrong for a probe or a balance as it is for a decision.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The HTTP client and the address it talks to.
pub(super) struct Wire {
    exchange: Exchange,
    base_url: BaseUrl,
    /// The proxy that the environment names.
    proxy: Option<String>,
    user_agent: HeaderValue,
    max_reply_bytes: usize,
    request_ids: Arc<RequestIds>,
}

/// What answers requests.
enum Exchange {
    Http(SameProcess<Client>),
    #[cfg(feature = "test-util")]
    Script(Script),
}

impl Wire {
    pub(super) fn new(base_url: BaseUrl, options: &ClientOptions) -> Result<Self, Error> {
        if !base_url.is_plain_http() && !cfg!(any(feature = "rustls", feature = "native-tls")) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("{base_url} needs TLS: enable the feature `rustls` or `native-tls`"),
            ));
        }
        let user_agent = options.user_agent.as_deref().unwrap_or(USER_AGENT);
        let user_agent = HeaderValue::from_str(user_agent).map_err(|_| {
            Error::new(ErrorKind::InvalidInput, "the user agent is not a valid header value")
        })?;
        let pool = options.pool.clone().unwrap_or_else(|| HttpPool::new(options));
        #[cfg(feature = "test-util")]
        let script = options.script.clone().map(Exchange::Script);
        #[cfg(not(feature = "test-util"))]
        let script = None;
        let exchange = match script {
            Some(script) => script,
            None => Exchange::Http(SameProcess::new(pool.client(&base_url)?)),
        };
        // A proxy that the user has configured is not known here.
        let proxy = if base_url.is_loopback() || pool.is_configured() {
            None
        } else {
            proxy::for_url(&base_url.to_string())
        };
        Ok(Self {
            exchange,
            max_reply_bytes: options.max_reply_bytes,
            request_ids: Arc::default(),
            user_agent,
            base_url,
            proxy,
        })
    }

    pub(super) fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    /// Returns an error if this process is not the one that created the client.
    pub(super) fn check_process(&self) -> Result<(), Error> {
        match &self.exchange {
            Exchange::Http(http) => http.get().map(drop),
            #[cfg(feature = "test-util")]
            Exchange::Script(_) => Ok(()),
        }
    }

    /// Sends the request once, after giving it to `show`. An error of kind [`ErrorKind::NotSent`] means
    /// that it did not leave; after any other error it may have taken effect.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        key: Option<(&'static str, HeaderValue)>,
        time_limit: Duration,
        show: impl FnOnce(&reqwest::Request),
    ) -> Result<Reply, Error> {
        let http = match &self.exchange {
            Exchange::Http(http) => http.get()?,
            #[cfg(feature = "test-util")]
            Exchange::Script(script) => {
                let request_ids = Arc::clone(&self.request_ids);
                return script.answer(request).map(|reply| Reply { request_ids, ..reply });
            }
        };
        let sending = {
            let outgoing = self.outgoing(request, key, time_limit);
            show(&outgoing);
            http.execute(outgoing)
        };
        let _held = PausedTime::hold(time_limit);
        let mut response = sending.await.map_err(|error| self.failure(error))?;
        self.read(&mut response).await
    }

    fn outgoing(
        &self,
        request: &Request,
        key: Option<(&'static str, HeaderValue)>,
        time_limit: Duration,
    ) -> reqwest::Request {
        let url = self.base_url.join(&request.path, &request.query);
        let mut outgoing = reqwest::Request::new(request.method.clone(), url);
        *outgoing.timeout_mut() = Some(time_limit);
        let headers = outgoing.headers_mut();
        if let Some(options) = &request.options {
            headers.clone_from(&options.headers);
        }
        headers.insert(ACCEPT, JSON);
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.insert(USER_AGENT_HEADER, self.user_agent.clone());
        if let Some((name, value)) = key {
            headers.insert(name, value);
        }
        if let Some(body) = &request.body {
            outgoing.headers_mut().insert(CONTENT_TYPE, JSON);
            *outgoing.body_mut() = Some(body.clone().into());
        }
        #[cfg(feature = "otel")]
        super::trace_context::inject(outgoing.headers_mut());
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
        let headers = mem::take(response.headers_mut());
        Ok(Reply { status, headers, body, labels, repeated: false, request_ids })
    }

    async fn read_body(&self, response: &mut Response) -> Result<Bytes, (Error, Bytes)> {
        // Most replies are one chunk, which needs no copy.
        let mut body = Bytes::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= self.max_reply_bytes => {
                    body = if body.is_empty() { chunk } else { joined(body, &chunk) };
                }
                Ok(Some(_)) => {
                    let message =
                        format!("the reply is longer than {} bytes", self.max_reply_bytes);
                    return Err((Error::new(ErrorKind::ReplyTooLarge, message), body));
                }
                Ok(None) => return Ok(body),
                Err(error) => return Err((self.failure(error), body)),
            }
        }
    }

    fn failure(&self, error: reqwest::Error) -> Error {
        // The URL may hold a secret in its path (`/claim/{token}`).
        let error = error.without_url();
        let url = &self.base_url;
        if let Some(reason) = certificate::rejection(&error) {
            let message = format!("the certificate of {url} is not trusted: {reason}");
            return Error::new(ErrorKind::UntrustedCertificate, message);
        }
        if error.is_connect() {
            let through = match &self.proxy {
                Some(proxy) => format!(" through the proxy {proxy}"),
                None => String::new(),
            };
            let message = format!("cannot connect to {url}{through}");
            return Error::new(ErrorKind::NotSent, message).with_root_cause(error);
        }
        if error.is_timeout() {
            return Error::new(ErrorKind::TimedOut, format!("{url} did not answer in time"));
        }
        let message = format!("the connection to {url} broke");
        Error::new(ErrorKind::Interrupted, message).with_root_cause(error)
    }
}

/// Appends to a body. Only a first chunk that the connection still holds is copied.
fn joined(body: Bytes, chunk: &[u8]) -> Bytes {
    let mut body = BytesMut::from(body);
    body.extend_from_slice(chunk);
    body.freeze()
}
