//! What goes over the wire, for a log.

use std::sync::Arc;

/// A request as it is sent, or a reply as it was received, for a log. The client's keys and the
/// secrets of the call are replaced by `[REDACTED]`. Meant for the command line.
#[doc(hidden)]
#[derive(Debug, Clone)]
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

pub(crate) type OnMessage = Arc<dyn Fn(&WireMessage) + Send + Sync>;
