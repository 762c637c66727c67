//! Codex. Written from <https://developers.openai.com/codex/hooks>, October 2026, and tried with
//! version 0.171.0.
//!
//! A deny in JSON with exit code 0 blocks a `PreToolUse`; so does exit code 2 with text on stderr.
//! Exit code 2 without text, every other code and a timeout run the tool, and so does JSON with a
//! field that Codex does not know. A hook that the user has not trusted is not run at all.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::answer::Answer;
use super::event::{Event, tool_call};
use super::runtime::{RUNTIME_TIMEOUT, Runtime, Scope, settings_file};
use process_containment::Command;

#[derive(Debug)]
pub(super) struct Codex;

const EVENT: &str = "PreToolUse";

impl Runtime for Codex {
    fn name(&self) -> &'static str {
        "codex"
    }

    fn title(&self) -> &'static str {
        "Codex"
    }

    fn events(&self) -> &'static [&'static str] {
        &[EVENT]
    }

    fn read(&self, text: &[u8]) -> Result<Event, String> {
        tool_call(text, self.events())
    }

    fn allow(&self) -> Answer {
        Answer::Stdout("{}".to_owned())
    }

    fn deny(&self, reason: &str) -> Answer {
        let output = json!({
            "hookEventName": EVENT,
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        });
        Answer::Stdout(json!({"hookSpecificOutput": output}).to_string())
    }

    fn settings(&self, scope: Scope) -> Option<PathBuf> {
        settings_file(scope, Some("CODEX_HOME"), ".codex", "hooks.json")
    }

    fn handler(&self, command: &str) -> Value {
        json!({"type": "command", "command": command, "timeout": RUNTIME_TIMEOUT.as_secs()})
    }

    fn program(&self) -> &'static str {
        "codex"
    }

    fn session(&self, program: &Path, model: &str) -> Result<Command, &'static str> {
        let provider = format!(
            r#"model_providers.stand-in={{name="stand-in",base_url="{model}/v1",wire_api="responses",env_key="STAND_IN_KEY"}}"#
        );
        // Without a sandbox the hook alone stands before the tool.
        let command = Command::new(program)
            .args(["exec", "--ephemeral", "--skip-git-repo-check"])
            .arg("--dangerously-bypass-approvals-and-sandbox")
            .args(["-c", "model_provider=stand-in", "-c", &provider, "Run the command."])
            .env("STAND_IN_KEY", "stand-in");
        Ok(command)
    }

    fn switches(&self) -> &'static str {
        "Codex runs a hook only after its user has trusted it, and again after each change: start \
         codex and review the hook under /hooks; the feature \"hooks\" must be on"
    }
}
