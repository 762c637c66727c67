//! `machins demo`: the whole story on the embedded mock, every outcome checked.

mod devices;
mod market;
mod receiver;

use std::fmt::Write;

use machineid_client::Error;
use machins_mock::MockServer;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Failure, SYSTEM_UNAVAILABLE};
use crate::output::{BAD, FAINT, GOOD, Output, STRONG};

/// `machins demo`.
pub(crate) fn run(out: Output) -> Result<(), Failure> {
    let server = MockServer::builder()
        .seed(1)
        .start()
        .map_err(|error| Failure::local("the mock can't be started", error))?;
    let mut story = Story { out, server, steps: Vec::new() };
    story.headline(
        "MachineID answers one question: may this device run?",
        "The real client asks a mock server inside this process.\n\
         $ is the command to type, > the call in Rust.",
    )?;
    story.devices()?;
    story.headline(
        "\nmachins is a marketplace: agents trade for credits.",
        "Two agents, each with a wallet. Money moves through escrow.",
    )?;
    story.market()?;
    story.end()
}

/// Outcomes that are right, and a no.
const REFUSALS: [&str; 6] =
    ["DEVICE_REVOKED", "blocked", "ORG_DISABLED", SYSTEM_UNAVAILABLE, "not verified", "disputed"];

/// What a step shows.
struct Step {
    about: &'static str,
    command: &'static str,
    rust: &'static str,
    /// What it is to come to.
    expected: &'static str,
}

/// What came of a step.
struct Came {
    outcome: String,
    /// What is worth reading beside it.
    told: String,
    reply: Value,
}

struct Story {
    out: Output,
    server: MockServer,
    steps: Vec<Value>,
}

impl Story {
    fn headline(&self, title: &str, text: &str) -> Result<(), Failure> {
        if self.out.is_json() {
            return Ok(());
        }
        self.out.text(&format!("{STRONG}{title}{STRONG:#}\n{FAINT}{text}{FAINT:#}\n"))
    }

    /// Makes one step and shows what came of it.
    fn step(
        &mut self,
        step: &Step,
        make: impl FnOnce() -> Result<Came, Error>,
    ) -> Result<(), Failure> {
        let number = self.steps.len() + 1;
        let Came { outcome, told, reply } = make().unwrap_or_else(|error| Came {
            outcome: error.kind().to_string(),
            told: String::new(),
            reply: json!({"error": error.to_string()}),
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
        if !told.is_empty() {
            let _ = write!(text, "  {FAINT}{told}{FAINT:#}");
        }
        if !ok {
            let _ = write!(text, "  {BAD}expected {expected}{BAD:#}");
        }
        self.out.text(&text)
    }

    fn end(self) -> Result<(), Failure> {
        let wrong = self.steps.iter().filter(|step| step["ok"] != true).count();
        if self.out.is_json() {
            self.out.document(&json!({"ok": wrong == 0, "steps": self.steps}))?;
        } else if wrong == 0 {
            self.out.text(&format!(
                "\n{GOOD}All {} steps came out as told.{GOOD:#}\n\
                 Next: machins mock serve --demo-data, and machins guard --help\n",
                self.steps.len()
            ))?;
        }
        match wrong {
            0 => Ok(()),
            wrong => Err(Failure::refused(format!("{wrong} steps did not come out as told"))),
        }
    }
}

fn value(reply: &impl Serialize) -> Value {
    serde_json::to_value(reply).unwrap_or_default()
}
