//! What goes over the wire, for a log.

use std::fmt;
use std::sync::Arc;

/// A request as it is sent, or a reply as it was received, for a log. The client's keys and the
/// secrets of the call are replaced by `[REDACTED]`. Meant for the command line.
#[doc(hidden)]
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct WireMessage {
    /// Whether it is a reply.
    pub is_reply: bool,
    /// The method and the URL of a request, or the status of a reply.
    pub start: String,
    /// The names and values of the headers.
    pub headers: Vec<(String, String)>,
    /// The body; what is not UTF-8 in it is replaced. Empty if there is none.
    pub body: String,
}

impl fmt::Debug for WireMessage {
    /// Shows no content: what is secret in it for others is not known here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireMessage").field("is_reply", &self.is_reply).finish_non_exhaustive()
    }
}

pub(crate) type OnMessage = Arc<dyn Fn(&WireMessage) + Send + Sync>;
