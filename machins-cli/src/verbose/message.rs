//! Requests and replies as `-vv` shows them.

use std::fmt::Write;

use agent_client_core::WireMessage;
use serde_json::value::RawValue;

use super::masked;
use crate::json;
use crate::text::clean;

/// The most lines that are shown of one body.
const MOST_LINES: usize = 200;

/// Formats a request or a reply: each line behind `>` or `<`, safe for a terminal, secrets masked.
pub(super) fn lines(message: &WireMessage) -> String {
    let mark = if message.is_reply { '<' } else { '>' };
    let mut lines = String::new();
    // Writing to a string never fails.
    let _ = writeln!(lines, "{mark} {}", clean(&masked::text(&message.start)));
    for (name, value) in &message.headers {
        let value = masked::header(name, value);
        let _ = writeln!(lines, "{mark} {}: {}", clean(name), clean(&value));
    }
    if message.body.is_empty() {
        return lines;
    }
    let _ = writeln!(lines, "{mark}");
    let body = body(&message.body);
    for line in body.lines().take(MOST_LINES) {
        let _ = writeln!(lines, "{mark} {}", clean(line));
    }
    let more = body.lines().skip(MOST_LINES).count();
    if more > 0 {
        let _ = writeln!(lines, "{mark} … {more} more lines");
    }
    lines
}

/// The body as text, indented if it is JSON.
fn body(body: &str) -> String {
    masked::json(body)
        .and_then(|json| RawValue::from_string(json).ok())
        .and_then(|json| json::indented(&json).ok())
        .unwrap_or_else(|| masked::text(body))
}
