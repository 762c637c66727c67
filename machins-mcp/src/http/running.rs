//! A tool call that the server was given: asking again while it runs.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::time::sleep;

use super::admit::single;
use super::in_use::Claim;
use super::respond::{Body, Broken};
use super::upstream::HttpServer;
use crate::denial::CallDenied;
use crate::event::Event;
use crate::gate::McpGate;
use crate::message::Id;
use crate::reply::{self, DeniedCall};

/// How long the server may take to accept a cancellation.
const CANCEL_TIME: Duration = Duration::from_secs(10);

/// The first revision in which closing a response cancels the request.
const STATELESS: &str = "2026-07-28";

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// A tool call that the server was given.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) gate: Arc<McpGate>,
    pub(super) server: HttpServer,
    pub(super) id: Id,
    /// The index of the gate that permitted it.
    pub(super) permitted_by: usize,
    pub(super) headers: HeaderMap,
}

type Watch = Pin<Box<dyn Future<Output = CallDenied> + Send + Sync>>;

impl Running {
    /// Waits until the device may no longer run.
    pub(super) fn watch(&self) -> Option<Watch> {
        let interval = self.gate.recheck?;
        let (gate, permitted_by) = (Arc::clone(&self.gate), self.permitted_by);
        // A task of its own, as the questions of a gate cannot be shared between threads by reference.
        let (tell, denied) = tokio::sync::oneshot::channel();
        let task = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                sleep(interval).await;
                if let Err(denied) = gate.ask(permitted_by).await {
                    // The call has ended if nobody is told.
                    let _ = tell.send(denied);
                    return;
                }
            }
        }));
        Some(Box::pin(async move {
            let denied = denied.await;
            drop(task);
            match denied {
                Ok(denied) => denied,
                Err(_) => std::future::pending().await,
            }
        }))
    }

    /// Cancels the call, and returns the answer to it.
    pub(super) fn cancel(&self, denied: &CallDenied) -> serde_json::Value {
        self.gate.observe(Event::Cancelled { calls: 1, denied: denied.clone() });
        // If there are two, the server may have read the other.
        let version = single(&self.headers, &VERSION).ok().flatten();
        // Later, the end of the connection is enough.
        if version.is_none_or(|version| version < STATELESS) {
            let call = self.clone();
            let message = reply::cancelled(&self.id, denied).to_string();
            tokio::spawn(tokio::time::timeout(CANCEL_TIME, async move {
                let body = Some(Bytes::from(message));
                // Without an answer the call may run on, as it may after any cancellation.
                let _ = call.server.send(http::Method::POST, None, &call.headers, body).await;
            }));
        }
        reply::denied(&self.id, DeniedCall::Running, denied, self.gate.on_denial)
    }

    /// Passes the body of a response on, and ends it if the call is denied meanwhile.
    pub(super) fn body(
        self,
        response: reqwest::Response,
        watch: Watch,
        tell: Tell,
        claim: Option<Claim>,
    ) -> Body {
        let is_stream = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("text/event-stream"));
        let stream = Watched {
            stream: Some(Box::pin(response.bytes_stream())),
            watch,
            call: self,
            is_stream,
            last: Vec::new(),
            tell,
            _claim: claim,
        };
        BodyExt::boxed(StreamBody::new(stream))
    }
}

/// Is told of a denial.
pub(super) type Tell = Arc<dyn Fn(CallDenied) + Send + Sync>;

struct Watched {
    /// `None` once the body has ended.
    stream: Option<Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send + Sync>>>,
    watch: Watch,
    call: Running,
    /// Whether the body is a stream of events.
    is_stream: bool,
    /// The last bytes that were passed on.
    last: Vec<u8>,
    tell: Tell,
    _claim: Option<Claim>,
}

impl Watched {
    /// Whether an event may begin here.
    fn is_between_events(&self) -> bool {
        self.is_stream
            && (self.last.is_empty()
                || [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"].iter().any(|end| self.last.ends_with(end)))
    }

    fn pass(&mut self, bytes: &Bytes) {
        self.last.extend_from_slice(&bytes[bytes.len().saturating_sub(4)..]);
        let surplus = self.last.len().saturating_sub(4);
        self.last.drain(..surplus);
    }
}

impl Stream for Watched {
    type Item = Result<Frame<Bytes>, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
        if let Poll::Ready(denied) = this.watch.as_mut().poll(context) {
            this.stream = None;
            let answer = this.call.cancel(&denied);
            (this.tell)(denied);
            // Part of an event cannot be taken back: the connection breaks off instead.
            return Poll::Ready(Some(if this.is_between_events() {
                Ok(Frame::data(format!("event: message\ndata: {answer}\n\n").into()))
            } else {
                Err(Broken::Cancelled)
            }));
        }
        match stream.as_mut().poll_next(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(bytes))) => {
                this.pass(&bytes);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Poll::Ready(Some(Err(error))) => {
                this.stream = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                this.stream = None;
                Poll::Ready(None)
            }
        }
    }
}
