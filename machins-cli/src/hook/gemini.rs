//! Gemini CLI. Written from `docs/hooks/reference.md` of its package, version 0.61.0, and tried with
//! that version.
//!
//! A deny in JSON with exit code 0 blocks a `BeforeTool`; so does exit code 2 with text on stderr.
//! Exit code 2 without text, every other code and a timeout run the tool. Timeouts are in
//! milliseconds.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::answer::Answer;
use super::event::{Event, tool_call};
use super::runtime::{RUNTIME_TIMEOUT, Runtime, Scope, settings_file};
use process_containment::Command;

#[derive(Debug)]
pub(super) struct Gemini;

impl Runtime for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn title(&self) -> &'static str {
        "Gemini CLI"
    }

    fn events(&self) -> &'static [&'static str] {
        &["BeforeTool"]
    }

    fn read(&self, text: &[u8]) -> Result<Event, String> {
        tool_call(text, self.events())
    }

    fn allow(&self) -> Answer {
        Answer::Stdout("{}".to_owned())
    }

    fn deny(&self, reason: &str) -> Answer {
        Answer::Stdout(json!({"decision": "deny", "reason": reason}).to_string())
    }

    fn settings(&self, scope: Scope) -> Option<PathBuf> {
        let home = std::env::var_os("GEMINI_CLI_HOME").filter(|home| !home.is_empty());
        match home {
            Some(home) if scope == Scope::User => {
                Some(PathBuf::from(home).join(".gemini").join("settings.json"))
            }
            _ => settings_file(scope, None, ".gemini", "settings.json"),
        }
    }

    fn handler(&self, command: &str) -> Value {
        let timeout = RUNTIME_TIMEOUT.as_secs() * 1000;
        json!({"name": "machins", "type": "command", "command": command, "timeout": timeout})
    }

    fn program(&self) -> &'static str {
        "gemini"
    }

    fn session(&self, program: &Path, model: &str) -> Result<Command, &'static str> {
        let command = Command::new(program)
            .args(["--prompt", "Run the command.", "--yolo", "--skip-trust"])
            .args(["--model", "gemini-2.5-flash"])
            // Vertex AI, if the user has chosen no way to log in; a key, if that is what they chose.
            .env("GOOGLE_GENAI_USE_VERTEXAI", "true")
            .env("GOOGLE_API_KEY", "stand-in")
            .env("GOOGLE_VERTEX_BASE_URL", model)
            .env("GEMINI_API_KEY", "stand-in")
            .env("GOOGLE_GEMINI_BASE_URL", model)
            .env("GEMINI_TELEMETRY_ENABLED", "false")
            .env_remove("GOOGLE_GENAI_USE_GCA");
        Ok(command)
    }

    fn switches(&self) -> &'static str {
        "Gemini CLI runs a project's hooks only in a folder that its user trusts, and none that \
         /hooks disable or \"hooksConfig\" in a settings file has turned off"
    }
}
