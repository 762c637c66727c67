//! A tool call that the server was given: asking again while it runs.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::poll_fn;
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::admit::single;
use super::in_use::Claim;
use super::respond::{Body, Broken, Refused, json, respond};
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
pub(super) struct Running {
    pub(super) gate: Arc<McpGate>,
    pub(super) server: HttpServer,
    pub(super) id: Id,
    /// The index of the gate that permitted it.
    pub(super) permitted_by: usize,
    pub(super) headers: HeaderMap,
    /// Is told of a denial.
    pub(super) stop: Tell,
}

/// Is told of a denial.
pub(super) type Tell = Arc<dyn Fn(CallDenied) + Send + Sync>;

type Head = Result<Response<Body>, Refused>;

impl Running {
    /// Sends the call and passes the response on, until it has ended, the device may no longer run, or
    /// the client has left.
    ///
    /// It is a task of its own, so that it goes on while the client reads nothing, and learns that the
    /// client has left.
    pub(super) async fn run(
        self,
        body: Bytes,
        interval: Duration,
        claim: Option<Claim>,
        mut head: oneshot::Sender<Head>,
    ) {
        let mut watch = pin!(self.watch(interval));
        let sent = self.server.send(Method::POST, None, &self.headers, Some(body));
        let sent = tokio::select! {
            biased;
            denied = &mut watch => {
                let answer = self.deny(denied);
                let _ = head.send(Ok(json(StatusCode::OK, &answer)));
                return;
            }
            () = head.closed() => return self.leave(),
            sent = sent => sent,
        };
        let (to_client, mut frames) = mpsc::channel(1);
        let mut passing = None;
        let response = respond(sent, Some(&self.id), |response| {
            let is_stream = is_stream(response.headers());
            let length = response.content_length();
            passing = Some((response.bytes_stream(), length, is_stream));
            BodyExt::boxed(StreamBody::new(poll_fn(move |context| frames.poll_recv(context))))
        });
        // If the client has left, the body is dropped, which is noticed below.
        let _ = head.send(response);
        let Some((stream, length, is_stream)) = passing else { return };
        // The last bytes that were passed on.
        let mut last = Vec::new();
        let denied = {
            let mut passed = pin!(pass(stream, length, &to_client, &mut last));
            tokio::select! {
                biased;
                denied = &mut watch => Some(denied),
                () = to_client.closed() => return self.leave(),
                has_ended = &mut passed => {
                    if !has_ended {
                        self.leave();
                    }
                    None
                }
            }
        };
        // Before the client learns that the response has ended.
        drop(claim);
        let Some(denied) = denied else { return };
        let answer = self.deny(denied);
        // Part of an event cannot be taken back: the connection breaks off instead.
        let end = if is_stream && is_between_events(&last) {
            Ok(Frame::data(format!("event: message\ndata: {answer}\n\n").into()))
        } else {
            Err(Broken::Cancelled)
        };
        let _ = to_client.send(end).await;
    }

    /// Waits until the device may no longer run.
    async fn watch(&self, interval: Duration) -> CallDenied {
        loop {
            sleep(interval).await;
            if let Err(denied) = self.gate.ask(self.permitted_by).await {
                return denied;
            }
        }
    }

    /// Cancels the call, and returns the answer to it.
    fn deny(&self, denied: CallDenied) -> Value {
        self.gate.observe(Event::Cancelled { calls: 1, denied: denied.clone() });
        self.cancel(&denied);
        let answer = reply::denied(&self.id, DeniedCall::Running, &denied, self.gate.on_denial);
        (self.stop)(denied);
        answer
    }

    /// Cancels the call of a client that has left: nobody would learn of a denial.
    fn leave(&self) {
        self.cancel(&"the client has closed its connection");
    }

    /// Tells the server to cancel the call.
    fn cancel(&self, reason: &dyn fmt::Display) {
        // If there are two, the server may have read the other.
        let version = single(&self.headers, &VERSION).ok().flatten();
        // Later, the end of the connection is enough.
        if version.is_some_and(|version| version >= STATELESS) {
            return;
        }
        let (server, headers) = (self.server.clone(), self.headers.clone());
        let message = reply::cancelled(&self.id, reason).to_string();
        tokio::spawn(tokio::time::timeout(CANCEL_TIME, async move {
            // Without an answer the call may run on, as it may after any cancellation.
            let _ = server.send(Method::POST, None, &headers, Some(message.into())).await;
        }));
    }
}

/// Passes the body of a response on until its end. If its length is known, nobody waits for more.
/// Returns whether it has ended, and the client not left before.
async fn pass(
    stream: impl Stream<Item = reqwest::Result<Bytes>>,
    length: Option<u64>,
    to_client: &mpsc::Sender<Result<Frame<Bytes>, Broken>>,
    last: &mut Vec<u8>,
) -> bool {
    let mut stream = pin!(stream);
    let mut left = length;
    while left != Some(0)
        && let Some(bytes) = stream.next().await
    {
        let size = bytes.as_ref().map_or(0, Bytes::len) as u64;
        left = left.map(|left| left.saturating_sub(size));
        let end = bytes.as_ref().map(|bytes| bytes.slice(bytes.len().saturating_sub(4)..));
        let end = end.unwrap_or_default();
        if to_client.send(bytes.map(Frame::data).map_err(Into::into)).await.is_err() {
            return false;
        }
        last.extend_from_slice(&end);
        let surplus = last.len().saturating_sub(4);
        last.drain(..surplus);
    }
    true
}

/// Whether a body is a stream of events.
fn is_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("text/event-stream"))
}

/// Whether an event may begin after these bytes.
fn is_between_events(last: &[u8]) -> bool {
    last.is_empty() || [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"].iter().any(|end| last.ends_with(end))
}
