//! The messages that the gate itself writes.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::denial::CallDenied;
use crate::gate::OnDenial;
use crate::message::{Id, Refusal};

/// The JSON-RPC error code of a denial. It is outside the range that JSON-RPC and MCP reserve.
pub(crate) const DENIED: i32 = -31403;
/// JSON-RPC: invalid JSON.
const PARSE_ERROR: i32 = -32700;
/// JSON-RPC: not a valid request.
const INVALID_REQUEST: i32 = -32600;
/// JSON-RPC: an internal error.
pub(crate) const INTERNAL_ERROR: i32 = -32603;

/// When a tool call was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeniedCall {
    Waiting,
    Running,
}

impl DeniedCall {
    /// What a model is told.
    pub(crate) fn text(self, denied: &CallDenied) -> String {
        match self {
            Self::Waiting => format!("The tool was not called. {denied:#}."),
            Self::Running => {
                format!(
                    "The call was cancelled while it ran, and may have had effects. {denied:#}."
                )
            }
        }
    }
}

/// Answers a tool call that was denied.
pub(crate) fn denied(id: &Id, call: DeniedCall, denied: &CallDenied, form: OnDenial) -> Value {
    let code = denied.code();
    let text = call.text(denied);
    match form {
        OnDenial::Error => {
            let error = json!({
                "code": DENIED,
                "message": text,
                "data": {"code": code},
            });
            json!({"jsonrpc": "2.0", "id": id.to_json(), "error": error})
        }
        OnDenial::Result | OnDenial::Stop => {
            let result = json!({
                // Required since revision 2026-07-28, unknown and therefore ignored before.
                "resultType": "complete",
                "content": [{"type": "text", "text": text}],
                "isError": true,
                "_meta": {"io.machineid/code": code},
            });
            json!({"jsonrpc": "2.0", "id": id.to_json(), "result": result})
        }
    }
}

/// Answers a message of the client that is not passed on.
pub(crate) fn refused(refusal: &Refusal) -> Value {
    let code = if refusal.id.is_some() { INVALID_REQUEST } else { PARSE_ERROR };
    let message = format!("the gate does not pass this message on: {}", refusal.reason);
    error(refusal.id.as_ref(), code, &message)
}

/// An error response. Without an id, that of the request is unknown.
pub(crate) fn error(id: Option<&Id>, code: i32, message: &str) -> Value {
    let id = id.map_or(Value::Null, Id::to_json);
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

/// Tells a server to cancel a request.
pub(crate) fn cancelled(id: &Id, reason: &dyn Display) -> Value {
    json!({
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": id.to_json(), "reason": format!("{reason:#}")},
    })
}

/// A message as a line of the stdio transport.
pub(crate) fn line(message: &Value) -> bytes::Bytes {
    format!("{message}\n").into()
}
