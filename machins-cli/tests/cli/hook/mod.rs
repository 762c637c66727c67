//! The hook in agent runtimes, without the runtimes: recorded events, and settings files.
//!
//! The events of Claude Code, Codex and Gemini CLI were recorded from the real programs; those of
//! Cursor were written from its documentation. `tests/runtimes` runs the real programs.

mod answers;
mod settings;

use serde_json::{Value, json};

use crate::home::Ran;

pub(crate) const RUNTIMES: [&str; 4] = ["claude", "codex", "gemini", "cursor"];

/// A recorded event, by the name of its file.
pub(crate) fn event(name: &str) -> &'static str {
    match name {
        "claude" => include_str!("../../events/claude.json"),
        "codex" => include_str!("../../events/codex.json"),
        "gemini" => include_str!("../../events/gemini.json"),
        "cursor" => include_str!("../../events/cursor.json"),
        "cursor-shell" => include_str!("../../events/cursor-shell.json"),
        "cursor-mcp" => include_str!("../../events/cursor-mcp.json"),
        _ => panic!("no event {name}"),
    }
}

/// What a runtime makes of an answer, by its documentation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The tool is blocked, and the model is told this.
    Blocked(String),
    /// The runtime's own permission rules decide.
    Untouched,
    /// Something else, most of which runs the tool.
    Other,
}

pub(crate) fn verdict(runtime: &str, ran: &Ran) -> Verdict {
    let stdout = ran.stdout.trim();
    match (ran.code, stdout) {
        (Some(0), "" | "{}") => return Verdict::Untouched,
        (Some(2), _) if !ran.stderr.trim().is_empty() => {
            return Verdict::Blocked(ran.stderr.trim().to_owned());
        }
        // Claude Code needs no reason.
        (Some(2), _) if runtime == "claude" => return Verdict::Blocked(String::new()),
        (Some(0), _) => {}
        _ => return Verdict::Other,
    }
    let answer: Value = serde_json::from_str(stdout).unwrap_or_default();
    let reason = |pointer: &str| answer.pointer(pointer).cloned().unwrap_or_default();
    let (reason, exact) = match runtime {
        "codex" => {
            let reason = reason("/hookSpecificOutput/permissionDecisionReason");
            let output = json!({
                "hookEventName": "PreToolUse",
                "permissionDecision": "deny",
                "permissionDecisionReason": reason,
            });
            (reason, json!({"hookSpecificOutput": output}))
        }
        "gemini" => {
            let reason = reason("/reason");
            (reason.clone(), json!({"decision": "deny", "reason": reason}))
        }
        "cursor" => {
            let reason = reason("/agent_message");
            let exact =
                json!({"permission": "deny", "user_message": reason, "agent_message": reason});
            (reason, exact)
        }
        _ => return Verdict::Other,
    };
    // A field too much is an invalid answer in Codex, which runs the tool.
    match reason.as_str() {
        Some(reason) if answer == exact && !reason.is_empty() => {
            Verdict::Blocked(reason.to_owned())
        }
        _ => Verdict::Other,
    }
}

/// The reason with which the tool is blocked.
#[track_caller]
pub(crate) fn blocked(runtime: &str, ran: &Ran) -> String {
    match verdict(runtime, ran) {
        Verdict::Blocked(reason) => reason,
        other => panic!("{runtime}: {other:?} {ran:#?}"),
    }
}
