//! The effect of a fault on a request and its reply.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::time::{Sleep, sleep};

use super::reply_body::Reshaped;
use crate::fault::{Fault, Kind};
use crate::http::json as json_reply;
use crate::site::fault_reply;

/// Bytes that are not JSON, nor text.
const GARBAGE: &[u8] = b"<!doctype html><title>502 Bad Gateway</title>\xff\xfe{\"";

/// How many pieces a slow body comes in, at most.
const SLOW_PIECES: usize = 16;

/// The connection is to be closed without a reply.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed by a fault")]
pub(crate) struct ConnectionLost;

/// Answers a request under a fault, in the form of its API; `serve` answers it without the fault.
pub(crate) async fn apply(
    fault: Fault,
    about_machins: bool,
    serve: impl Future<Output = Result<Response, Infallible>>,
) -> Result<Response, ConnectionLost> {
    let serve = async {
        let Ok(response) = serve.await;
        response
    };
    match fault.kind {
        Kind::Status { status, body, retry_after } => {
            let text = body.as_ref().and_then(|body| body.parse::<String>().ok());
            let mut response = match (text, body) {
                (Some(text), _) => {
                    let mut response = json_reply(status, &());
                    response.headers_mut().insert(CONTENT_TYPE, TEXT);
                    *response.body_mut() = Body::from(text);
                    response
                }
                (None, Some(body)) => json_reply(status, &body),
                (None, None) if about_machins => fault_reply(status),
                (None, None) => json_reply(status, &default_body(status)),
            };
            let retry_after = retry_after.map(|value| HeaderValue::try_from(value.to_string()));
            if let Some(Ok(value)) = retry_after {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
            Ok(response)
        }
        Kind::Delay { millis } => {
            sleep(Duration::from_millis(millis)).await;
            Ok(serve.await)
        }
        // Faults on webhooks do not hit requests.
        Kind::Duplicate | Kind::Drop | Kind::Reorder { .. } | Kind::BadSignature => Ok(serve.await),
        Kind::DropBefore => Err(ConnectionLost),
        Kind::DropAfter => {
            serve.await;
            Err(ConnectionLost)
        }
        Kind::Truncate => reshape(serve.await, Pieces::cut).await,
        Kind::Garbage => {
            let mut response = serve.await;
            response.headers_mut().remove(CONTENT_LENGTH);
            *response.body_mut() = Body::from(GARBAGE);
            Ok(response)
        }
        Kind::SlowBody { millis } => {
            let over = Duration::from_millis(millis);
            reshape(serve.await, |whole| Pieces::slow(whole, over)).await
        }
    }
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

fn default_body(status: u16) -> serde_json::Value {
    json!({"status": "error", "code": "FAULT", "detail": format!("a fault answers {status}")})
}

/// Returns the reply with its body sent in another way.
async fn reshape(
    response: Response,
    shape: impl FnOnce(&Bytes) -> Pieces,
) -> Result<Response, ConnectionLost> {
    let (mut parts, body) = response.into_parts();
    let whole = body.collect().await.map_err(|_| ConnectionLost)?.to_bytes();
    let pieces = Body::new(shape(&whole));
    parts.extensions.insert(Reshaped(whole));
    Ok(Response::from_parts(parts, pieces))
}

/// A body that comes in pieces, with pauses or with a broken end.
struct Pieces {
    /// The length in the head of the reply.
    announced: usize,
    /// Last piece first.
    rest: Vec<Bytes>,
    pause: Option<Duration>,
    end: End,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// How a body ends.
enum End {
    Whole,
    /// The connection breaks once the pieces are sent.
    Cut,
    Broken,
}

impl Pieces {
    /// Returns the first half of a body, after which the connection breaks.
    fn cut(whole: &Bytes) -> Self {
        let announced = whole.len().max(1);
        let half = whole.slice(..whole.len() / 2);
        Self { announced, rest: vec![half], pause: None, end: End::Cut, sleep: None }
    }

    /// Returns a body in equal pieces, sent over this time.
    fn slow(whole: &Bytes, over: Duration) -> Self {
        let size = whole.len().div_ceil(SLOW_PIECES).max(1);
        let rest: Vec<_> = whole.chunks(size).rev().map(|piece| whole.slice_ref(piece)).collect();
        let count = u32::try_from(rest.len()).unwrap_or(u32::MAX).max(1);
        let pause = Some(over / count);
        Self { announced: whole.len(), rest, pause, end: End::Whole, sleep: None }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = ConnectionLost;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionLost>>> {
        if self.rest.is_empty() {
            return match self.end {
                End::Whole => Poll::Ready(None),
                End::Cut => {
                    // What is written so far is flushed only when the body has to be waited for.
                    self.end = End::Broken;
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                End::Broken => Poll::Ready(Some(Err(ConnectionLost))),
            };
        }
        if let Some(pause) = self.pause {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(pause)));
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        Poll::Ready(self.rest.pop().map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced as u64)
    }
}
