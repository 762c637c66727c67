//! Receiving webhooks.

use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use machins_client::webhook::{Rejection, SIGNATURE_HEADER, Verifier, Webhook};
use machins_client::{CancellationToken, Error, Secret};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::notice::{Notice, OnNotice};
use crate::source::Source;

/// The number of connections that are served at the same time, at most.
const MOST_CONNECTIONS: usize = 256;
/// The longest head and the longest body of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;
const MAX_BODY: u32 = 1024 * 1024;
/// The size of all bodies that are held at the same time, in bytes.
const MAX_BODIES: usize = 16 * 1024 * 1024;
/// How long a head, and a body, may take to arrive.
const READ_TIME: Duration = Duration::from_secs(5);
/// How long those that have arrived may take after it was stopped.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How long accepting pauses when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Where webhooks of the service arrive, and the secret that signs them.
///
/// Other requests are answered with 401 if the signature is missing or wrong, 413 if the body is
/// longer than 1 MiB, 400 if it is not a webhook's JSON, and 405 if it is not `POST`.
pub struct Webhooks {
    listener: TcpListener,
    verifier: Verifier,
    is_refusal_reported: AtomicBool,
}

/// What became of a webhook.
pub(crate) enum Received {
    /// Its event is stored, or whoever reads the inbox knows of it.
    Passed,
    /// That was not possible now.
    NotNow(String),
    /// The event can never be stored.
    Never(String),
}

impl Received {
    /// Why the event was not passed on. Empty if it was.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::NotNow(reason) | Self::Never(reason) => reason,
        }
    }
}

impl Webhooks {
    /// Describes a receiver behind this listener. `secret` is that of the subscriptions, the same for
    /// all agents.
    ///
    /// With one agent, webhooks may be sent to any path. With several, the last segment of the path is
    /// the id of the agent: `https://relay.example/hooks/AGENT`.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`](machins_client::ErrorKind::InvalidInput) if the secret is
    /// empty.
    pub fn new(listener: TcpListener, secret: &Secret) -> Result<Self, Error> {
        let verifier = Verifier::new(secret)?;
        Ok(Self { listener, verifier, is_refusal_reported: AtomicBool::new(false) })
    }

    /// Gives each webhook to `receive`, with the agent that it is for, and answers it with what comes of
    /// it, until it is stopped. Then it answers those that have arrived.
    pub(crate) async fn serve<'a, F>(
        &self,
        sources: &'a [Source],
        receive: impl Fn(&'a Source, Webhook) -> F,
        on_notice: &OnNotice,
        stop: &CancellationToken,
    ) where
        F: Future<Output = Received>,
    {
        let (memory, receive) = (&Semaphore::new(MAX_BODIES), &receive);
        let answer = |request| async move {
            let (source, webhook) = match self.read(request, sources, memory).await {
                Ok(read) => read,
                Err(refusal) => {
                    let response = refusal.response();
                    self.report(refusal.reason, on_notice);
                    return response;
                }
            };
            self.is_refusal_reported.store(false, Ordering::Relaxed);
            match receive(source, webhook).await {
                Received::Passed => response(StatusCode::NO_CONTENT, ""),
                Received::NotNow(reason) => response(StatusCode::SERVICE_UNAVAILABLE, &reason),
                Received::Never(reason) => response(StatusCode::PAYLOAD_TOO_LARGE, &reason),
            }
        };
        let mut connections = FuturesUnordered::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(()) = connections.next() => continue,
                accepted = self.listener.accept(), if connections.len() < MOST_CONNECTIONS => accepted,
            };
            match accepted {
                Ok((stream, _)) => connections.push(connection(stream, &answer, stop)),
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
        let rest = async { while connections.next().await.is_some() {} };
        // Whoever takes longer is cut off.
        let _ = timeout(LAST_ANSWERS, rest).await;
    }

    /// Reads a webhook, and which agent it is for.
    async fn read<'a>(
        &self,
        request: Request<Incoming>,
        sources: &'a [Source],
        memory: &Semaphore,
    ) -> Result<(&'a Source, Webhook), Refusal> {
        if request.method() != Method::POST {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "webhooks are posted"));
        }
        let segment = request.uri().path().rsplit('/').find(|segment| !segment.is_empty());
        let source = match sources {
            [only] => Some(only),
            _ => sources.iter().find(|source| Some(source.agent.as_str()) == segment),
        };
        let unknown = "the path does not end with the id of an agent of this relay";
        let source = source.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, unknown))?;
        let signature = signature(request.headers())?;
        let body = request.into_body();
        let size = body.size_hint().upper().and_then(|size| u32::try_from(size).ok());
        let size = size.unwrap_or(u32::MAX).min(MAX_BODY);
        let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body took too long");
        let read = async {
            // It is never closed.
            let _room = memory.acquire_many(size).await;
            let body = Limited::new(body, MAX_BODY as usize).collect().await;
            let body = body.map_err(|_| Rejection::TooLarge)?.to_bytes();
            self.verifier.read(&body, signature.as_deref())
        };
        let webhook = timeout(READ_TIME, read).await.map_err(late)??;
        Ok((source, webhook))
    }

    /// Reports the first of several requests in a row that are no webhooks of the service.
    fn report(&self, reason: String, on_notice: &OnNotice) {
        if !self.is_refusal_reported.swap(true, Ordering::Relaxed) {
            on_notice(&Notice::WebhookRefused(reason));
        }
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// Why a request is not passed on.
struct Refusal {
    status: StatusCode,
    reason: String,
}

impl Refusal {
    fn new(status: StatusCode, reason: &str) -> Self {
        Self { status, reason: reason.to_owned() }
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = response(self.status, &self.reason);
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let status = match rejection {
            Rejection::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Rejection::Unreadable => StatusCode::BAD_REQUEST,
            _ => StatusCode::UNAUTHORIZED,
        };
        Self::new(status, &rejection.to_string())
    }
}

/// The signature of a request, if it has one and no more.
fn signature(headers: &HeaderMap) -> Result<Option<String>, Rejection> {
    let mut given = headers.get_all(SIGNATURE_HEADER).iter();
    let signature = given.next().map(|value| value.to_str().map(str::to_owned));
    if given.next().is_some() {
        return Err(Rejection::Malformed);
    }
    signature.transpose().map_err(|_| Rejection::Malformed)
}

async fn connection<F>(
    stream: TcpStream,
    answer: &impl Fn(Request<Incoming>) -> F,
    stop: &CancellationToken,
) where
    F: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(|request| {
        let answering = answer(request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIME)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // How a connection ends is the affair of whoever made it.
    let _ = tokio::select! {
        served = &mut connection => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}

fn response(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text.to_owned()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
