//! A body that is sent only under a condition.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::request::Condition;

/// A body that checks a condition when it is read. The HTTP library reads it once the connection can
/// be written to, and writes it at once, together with what precedes it.
pub(super) struct ConditionalBody {
    /// `None` once it was read.
    content: Option<Bytes>,
    condition: Condition,
}

impl ConditionalBody {
    pub(super) fn new(content: Bytes, condition: Condition) -> Self {
        Self { content: Some(content), condition }
    }
}

impl Body for ConditionalBody {
    type Data = Bytes;
    type Error = NoLongerAllowed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NoLongerAllowed>>> {
        let Some(content) = self.content.take() else { return Poll::Ready(None) };
        let allowed = (self.condition)().map_err(|_| NoLongerAllowed);
        Poll::Ready(Some(allowed.map(|()| Frame::data(content))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.as_ref().map_or(0, |content| content.len() as u64))
    }
}

/// The error of a body whose condition does not hold any more.
#[derive(Debug)]
pub(super) struct NoLongerAllowed;

impl NoLongerAllowed {
    /// Whether this is the cause of an error.
    pub(super) fn is_cause_of(error: &reqwest::Error) -> bool {
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            if inner.is::<Self>() {
                return true;
            }
            cause = inner.source();
        }
        false
    }
}

impl fmt::Display for NoLongerAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the condition for sending it does not hold any more")
    }
}

impl std::error::Error for NoLongerAllowed {}
