//! The event that a runtime writes to the hook's stdin.

use std::io::{self, Read};

use serde::Deserialize;

/// Longer events are refused, in bytes. They hold the arguments of a tool, such as a file's content.
const LONGEST: u64 = 32 << 20;

/// A tool call that a runtime asks about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The runtime's name of the event.
    pub(crate) name: String,
    /// The runtime's name of the tool.
    pub(crate) tool: String,
}

/// The fields that Claude Code, Codex and Gemini CLI share. A field that appears twice is an error.
#[derive(Deserialize)]
struct ToolCall {
    hook_event_name: String,
    tool_name: String,
    #[serde(rename = "tool_input")]
    _tool_input: serde::de::IgnoredAny,
}

/// Reads an event with the fields `hook_event_name`, `tool_name` and `tool_input`.
pub(super) fn tool_call(text: &[u8], events: &[&str]) -> Result<Event, String> {
    let call: ToolCall = serde_json::from_slice(text).map_err(|error| unreadable(&error))?;
    known(Event { name: call.hook_event_name, tool: call.tool_name }, events)
}

/// Passes on an event whose name is one of these.
pub(super) fn known(event: Event, events: &[&str]) -> Result<Event, String> {
    if events.contains(&event.name.as_str()) {
        return Ok(event);
    }
    Err(format!("the event {} is not one that this hook answers", event.name))
}

/// Says that an event is not in its shape. The position is enough: the event may hold secrets.
pub(super) fn unreadable(error: &serde_json::Error) -> String {
    format!("the event is not readable (line {}, column {})", error.line(), error.column())
}

/// Reads stdin to its end. What is too long is read as well, so that its writer does not fail.
pub(crate) fn read_event() -> Result<Vec<u8>, String> {
    let mut stdin = io::stdin().lock();
    let mut text = Vec::new();
    let failed = |error: io::Error| format!("stdin could not be read: {error}");
    stdin.by_ref().take(LONGEST).read_to_end(&mut text).map_err(failed)?;
    match io::copy(&mut stdin, &mut io::sink()).map_err(failed)? {
        0 => Ok(text),
        _ => Err(format!("the event is longer than {} MiB", LONGEST >> 20)),
    }
}

/// Reads stdin to its end, so that its writer does not fail. An error changes nothing.
pub(crate) fn drain() {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
}
