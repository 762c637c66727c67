//! The steps of the demo: shown, checked and counted.

use std::fmt::Write;

use machineid_client::Error;
use machins_mock::MockServer;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Failure, SYSTEM_UNAVAILABLE};
use crate::output::Output;
use crate::style::{BAD, FAINT, GOOD, STRONG};

/// Outcomes that are expected, but are refusals.
const REFUSALS: [&str; 6] =
    ["DEVICE_REVOKED", "blocked", "ORG_DISABLED", SYSTEM_UNAVAILABLE, "not verified", "disputed"];

/// What a step shows before its outcome.
pub(super) struct Step {
    pub(super) about: &'static str,
    pub(super) command: &'static str,
    pub(super) rust: &'static str,
    /// The expected outcome.
    pub(super) expected: &'static str,
}

/// The outcome of a step.
pub(super) struct Outcome {
    status: String,
    /// A detail of the reply, shown beside the outcome.
    detail: String,
    reply: Value,
}

impl Outcome {
    pub(super) fn new(status: &str, detail: String, reply: Value) -> Self {
        Self { status: status.to_owned(), detail, reply }
    }
}

/// The demo under way.
pub(super) struct Story {
    pub(super) server: MockServer,
    out: Output,
    steps: Vec<Value>,
}

impl Story {
    /// Starts the mock server.
    pub(super) fn start(out: Output) -> Result<Self, Failure> {
        let server = MockServer::builder()
            .seed(1)
            .start()
            .map_err(|error| Failure::local("could not start the mock server", error))?;
        Ok(Self { server, out, steps: Vec::new() })
    }

    /// Prints the heading of a chapter.
    pub(super) fn headline(&self, title: &str, text: &str) -> Result<(), Failure> {
        if self.out.is_json() {
            return Ok(());
        }
        self.out.text(&format!("{STRONG}{title}{STRONG:#}\n{FAINT}{text}{FAINT:#}\n"))
    }

    /// Makes the call of a step, and shows and checks its outcome.
    pub(super) fn step(
        &mut self,
        step: &Step,
        call: impl FnOnce() -> Result<Outcome, Error>,
    ) -> Result<(), Failure> {
        let number = self.steps.len() + 1;
        let Outcome { status: outcome, detail, reply } = call().unwrap_or_else(|error| {
            let reply = json!({"error": error.to_string()});
            Outcome::new(error.kind().as_str(), String::new(), reply)
        });
        let ok = outcome == step.expected;
        self.steps.push(json!({
            "step": number,
            "about": step.about,
            "command": step.command,
            "rust": step.rust,
            "expected": step.expected,
            "outcome": outcome,
            "ok": ok,
            "reply": reply,
        }));
        if self.out.is_json() {
            return Ok(());
        }
        let Step { about, command, rust, expected } = step;
        let mut text = format!(
            "\n{STRONG}{number:>2}  {about}{STRONG:#}\n    {FAINT}${FAINT:#} {command:<34} {FAINT}> {rust}{FAINT:#}\n"
        );
        let style = if ok && !REFUSALS.contains(&outcome.as_str()) { GOOD } else { BAD };
        let _ = write!(text, "    {style}{outcome}{style:#}");
        if !detail.is_empty() {
            let _ = write!(text, "  {FAINT}{detail}{FAINT:#}");
        }
        if !ok {
            let _ = write!(text, "  {BAD}expected {expected}{BAD:#}");
        }
        self.out.text(&text)
    }

    /// Prints the end of the demo. Fails if a step had another outcome than expected.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let wrong = self.steps.iter().filter(|step| step["ok"] != true).count();
        if self.out.is_json() {
            self.out.document(&json!({"ok": wrong == 0, "steps": self.steps}))?;
        } else if wrong == 0 {
            self.out.text(&format!(
                "\n{GOOD}All {} steps had the expected outcome.{GOOD:#}\n\
                 Next:\n  machins mock serve --demo-data\n  machins guard --help\n",
                self.steps.len()
            ))?;
        }
        match wrong {
            0 => Ok(()),
            wrong => {
                Err(Failure::refused(format!("{wrong} steps did not have the expected outcome")))
            }
        }
    }
}

/// Converts a reply to JSON.
pub(super) fn value(reply: &impl Serialize) -> Value {
    serde_json::to_value(reply).unwrap_or_default()
}
