//! The body of a reply on its way out.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Full};

/// The body of a reply: whole, as almost all are, or one that comes piece by piece.
pub(super) enum ReplyBody {
    Whole(Full<Bytes>),
    Pieces(Body),
}

/// What a fault sends in another way than whole; kept beside the reply for the journal.
#[derive(Clone)]
pub(super) struct Reshaped(pub(super) Bytes);

/// Returns the reply with its body, which `record` is shown if it is there at once.
pub(super) fn send_whole(
    response: Response,
    record: impl FnOnce(StatusCode, &[u8]),
) -> http::Response<ReplyBody> {
    let (parts, mut body) = response.into_parts();
    if let Some(Reshaped(whole)) = parts.extensions.get() {
        record(parts.status, whole);
        return http::Response::from_parts(parts, ReplyBody::Pieces(body));
    }
    let whole = match body.frame().now_or_never() {
        None => {
            record(parts.status, &[]);
            return http::Response::from_parts(parts, ReplyBody::Pieces(body));
        }
        Some(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        Some(_) => Bytes::new(),
    };
    record(parts.status, &whole);
    http::Response::from_parts(parts, ReplyBody::Whole(Full::new(whole)))
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never: Infallible| match never {}))),
            Self::Pieces(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Pieces(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Pieces(body) => body.size_hint(),
        }
    }
}
