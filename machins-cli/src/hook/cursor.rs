//! Cursor. Written from <https://cursor.com/docs/hooks>, October 2026; not tried with the real
//! program, which asks no model but Cursor's own.
//!
//! `"permission": "deny"` with exit code 0 blocks; so does exit code 2. Every other code, a timeout
//! and output that is not JSON run the tool, unless the hook says `"failClosed": true`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::answer::Answer;
use super::event::{Event, known, unreadable};
use super::runtime::{RUNTIME_TIMEOUT, Runtime, Scope, settings_file};
use process_containment::Command;

#[derive(Debug)]
pub(super) struct Cursor;

const SHELL: &str = "beforeShellExecution";
const MCP: &str = "beforeMCPExecution";

/// The fields of the three events. Each has some of them.
#[derive(Deserialize)]
struct Fields {
    hook_event_name: String,
    tool_name: Option<String>,
    tool_input: Option<IgnoredAny>,
    command: Option<IgnoredAny>,
}

impl Runtime for Cursor {
    fn name(&self) -> &'static str {
        "cursor"
    }

    fn title(&self) -> &'static str {
        "Cursor"
    }

    /// `preToolUse` comes before every tool. Versions without it have the other two.
    fn events(&self) -> &'static [&'static str] {
        &["preToolUse", SHELL, MCP]
    }

    fn read(&self, text: &[u8]) -> Result<Event, String> {
        let fields: Fields = serde_json::from_slice(text).map_err(|error| unreadable(&error))?;
        let (name, is_shell) = (fields.hook_event_name, fields.command.is_some());
        let tool = match fields.tool_name {
            Some(tool) if fields.tool_input.is_some() => Some(tool),
            _ => (name == SHELL && is_shell).then(|| "Shell".to_owned()),
        };
        let event = known(Event { name, tool: tool.clone().unwrap_or_default() }, self.events())?;
        tool.map(|_| event).ok_or_else(|| "the event names no tool".to_owned())
    }

    fn allow(&self) -> Answer {
        Answer::Stdout("{}".to_owned())
    }

    fn deny(&self, reason: &str) -> Answer {
        let answer = json!({
            "permission": "deny",
            "user_message": reason,
            "agent_message": reason,
        });
        Answer::Stdout(answer.to_string())
    }

    fn settings(&self, scope: Scope) -> Option<PathBuf> {
        settings_file(scope, None, ".cursor", "hooks.json")
    }

    fn entry(&self, command: &str) -> Value {
        self.handler(command)
    }

    fn handler(&self, command: &str) -> Value {
        json!({"command": command, "timeout": RUNTIME_TIMEOUT.as_secs(), "failClosed": true})
    }

    fn required(&self) -> &'static [(&'static str, u32)] {
        &[("version", 1)]
    }

    fn program(&self) -> &'static str {
        "cursor-agent"
    }

    fn session(&self, _program: &Path, _model: &str) -> Result<Command, &'static str> {
        Err("Cursor asks no model but its own, so no stand-in can ask for a tool")
    }

    fn switches(&self) -> &'static str {
        "Cursor runs a project's hooks only in a workspace that its user trusts"
    }
}
