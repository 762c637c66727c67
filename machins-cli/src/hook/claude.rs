//! Claude Code. Written from <https://code.claude.com/docs/en/hooks>, October 2026, and tried with
//! version 2.1.332.
//!
//! Exit code 2 blocks a `PreToolUse`, and stderr is the reason that the model is shown. Every other
//! code but 0 is a "non-blocking error", a timeout too, unless the hook says `"onFailure": "block"`
//! (since 2.1.295; older versions ignore the field).

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::answer::Answer;
use super::event::{Event, tool_call};
use super::runtime::{RUNTIME_TIMEOUT, Runtime, Scope, settings_file};
use process_containment::Command;

#[derive(Debug)]
pub(super) struct Claude;

impl Runtime for Claude {
    fn name(&self) -> &'static str {
        "claude"
    }

    fn title(&self) -> &'static str {
        "Claude Code"
    }

    fn events(&self) -> &'static [&'static str] {
        &["PreToolUse"]
    }

    fn read(&self, text: &[u8]) -> Result<Event, String> {
        tool_call(text, self.events())
    }

    /// Says nothing: `"permissionDecision": "allow"` would skip the user's own permission prompt.
    fn allow(&self) -> Answer {
        Answer::Stdout(String::new())
    }

    fn deny(&self, _reason: &str) -> Answer {
        Answer::Block
    }

    fn settings(&self, scope: Scope) -> Option<PathBuf> {
        settings_file(scope, Some("CLAUDE_CONFIG_DIR"), ".claude", "settings.json")
    }

    fn handler(&self, command: &str) -> Value {
        json!({
            "type": "command",
            "command": command,
            "timeout": RUNTIME_TIMEOUT.as_secs(),
            "onFailure": "block",
        })
    }

    fn program(&self) -> &'static str {
        "claude"
    }

    fn session(&self, program: &Path, model: &str) -> Result<Command, &'static str> {
        // The user's own settings may set the same variables; these take precedence.
        let settings = json!({"env": {"ANTHROPIC_BASE_URL": model}});
        let command = Command::new(program)
            .args(["--print", "Run the command.", "--allowedTools", "Bash"])
            .arg("--no-session-persistence")
            .args(["--settings", &settings.to_string()])
            .env("ANTHROPIC_BASE_URL", model)
            .env("ANTHROPIC_API_KEY", "stand-in")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_AUTOUPDATER", "1");
        let others = [
            "ANTHROPIC_AUTH_TOKEN",
            "CLAUDECODE",
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CODE_USE_FOUNDRY",
            "CLAUDE_CODE_USE_VERTEX",
        ];
        Ok(others.into_iter().fold(command, Command::env_remove))
    }

    fn switches(&self) -> &'static str {
        "Claude Code runs no hooks with --bare, with \"disableAllHooks\" in a settings file, or if its \
         managed settings allow only managed hooks"
    }
}
