//! `machins demo`: the whole story on the embedded mock, every outcome checked.

use std::fmt::Write;

use machineid_client::blocking::{Client, Gate};
use machineid_client::{ClientBuilder, DeviceId, Error, OrgKey, Reason};
use machins_mock::{Fault, MockServer, OrgUpdate};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Exit, Failure, SYSTEM_UNAVAILABLE};
use crate::output::{BAD, FAINT, GOOD, Output, STRONG};
use crate::text::clean;

const DEVICE: &str = "agent-01";

/// `machins demo`.
pub(crate) fn run(out: Output) -> Result<(), Failure> {
    let server = MockServer::builder()
        .seed(1)
        .start()
        .map_err(|error| Failure::local("the mock can't be started", error))?;
    let mut story = Story { out, server, steps: Vec::new() };
    if !out.is_json() {
        out.text(&format!(
            "{STRONG}MachineID answers one question: may this device run?{STRONG:#}\n\
             {FAINT}The real client asks a mock server inside this process.\n\
             $ is the command to type, > the call in Rust.{FAINT:#}\n"
        ))?;
    }
    story.tell()?;
    story.end()
}

/// What a step shows.
struct Step {
    about: &'static str,
    command: &'static str,
    rust: &'static str,
    /// What it is to come to.
    expected: &'static str,
}

struct Story {
    out: Output,
    server: MockServer,
    steps: Vec<Value>,
}

impl Story {
    fn tell(&mut self) -> Result<(), Failure> {
        let anonymous = self.client(None)?;
        let mut created = None;
        self.step(
            &Step {
                about: "Create an organisation. All its devices share one key.",
                command: "machins org create",
                rust: "client.create_org()?",
                expected: "created",
            },
            || {
                let org = anonymous.create_org()?;
                let shown = json!({"orgApiKey": format!("{}…", prefix(&org.org_key))});
                created = Some(org.org_key);
                Ok(("created".into(), shown))
            },
        )?;
        let key = created.ok_or_else(|| Failure::refused("the demo got no org key"))?;
        let client = self.client(Some(key.clone()))?;
        let gate = Gate::new(&client, DeviceId::new(DEVICE)?);

        self.devices(&client, &gate)?;
        self.plan_limit(&client)?;
        self.kill_switch(&key, &gate)?;
        self.outage(&gate)
    }

    fn devices(&mut self, client: &Client, gate: &Gate) -> Result<(), Failure> {
        let device = gate.device();
        self.register(
            client,
            device,
            "Register this device when it starts. Safe to repeat.",
            "ok",
        )?;
        self.check(gate, "Ask before each piece of work.", "ALLOW")?;
        self.step(
            &Step {
                about: "An operator revokes the device …",
                command: "machins revoke agent-01",
                rust: "client.revoke(&device)?",
                expected: "ok",
            },
            || client.revoke(device).map(|reply| (reply.status.clone(), value(&reply))),
        )?;
        self.check(gate, "… and its next question is denied: stop here.", "DEVICE_REVOKED")?;
        self.step(
            &Step {
                about: "The operator restores it …",
                command: "machins unrevoke agent-01",
                rust: "client.unrevoke(&device)?",
                expected: "ok",
            },
            || client.unrevoke(device).map(|reply| (reply.status.clone(), value(&reply))),
        )?;
        self.check(gate, "… and it may go on.", "ALLOW")
    }

    fn plan_limit(&mut self, client: &Client) -> Result<(), Failure> {
        for name in ["agent-02", "agent-03"] {
            let _registered = client.register(&DeviceId::new(name)?)?;
        }
        self.register(
            client,
            &DeviceId::new("agent-04")?,
            "The free plan has room for 3 devices; a fourth is refused.",
            "blocked",
        )
    }

    fn kill_switch(&mut self, key: &OrgKey, gate: &Gate) -> Result<(), Failure> {
        let gone = |error| Failure::local("the mock lost the organisation", error);
        let org = self.server.org(key.expose()).ok_or_else(|| gone("no such key".to_owned()))?;
        let switch = |on| {
            let update = OrgUpdate::new().execution_enabled(on);
            org.update(update).map_err(|error| gone(error.to_string()))
        };
        switch(false)?;
        self.check(
            gate,
            "The kill switch: the whole organisation is stopped at once.",
            "ORG_DISABLED",
        )?;
        switch(true)?;
        self.check(gate, "Switched on again, every device may go on.", "ALLOW")
    }

    fn outage(&mut self, gate: &Gate) -> Result<(), Failure> {
        let fault = Fault::drop_before().path("/api/v1/devices/validate");
        let outage = self
            .server
            .fault_scoped(fault)
            .map_err(|error| Failure::local("the mock can't break down", error))?;
        self.check(gate, "An outage: connections drop. No answer is a no.", SYSTEM_UNAVAILABLE)?;
        drop(outage);
        self.check(gate, "The service is back.", "ALLOW")
    }

    fn client(&self, key: Option<OrgKey>) -> Result<Client, Failure> {
        let builder = ClientBuilder::default().base_url(self.server.machineid_base_url());
        let builder = match key {
            Some(key) => builder.org_key(key),
            None => builder,
        };
        Ok(builder.build_blocking()?)
    }

    fn register(
        &mut self,
        client: &Client,
        device: &DeviceId,
        about: &'static str,
        expected: &'static str,
    ) -> Result<(), Failure> {
        let command = match device.as_str() {
            DEVICE => "machins register agent-01",
            _ => "machins register agent-04",
        };
        self.step(&Step { about, command, rust: "client.register(&device)?", expected }, || {
            let registration = client.register(device)?;
            let reply = registration.reply();
            Ok((reply.status.clone(), value(reply)))
        })
    }

    fn check(
        &mut self,
        gate: &Gate,
        about: &'static str,
        expected: &'static str,
    ) -> Result<(), Failure> {
        let step =
            Step { about, command: "machins validate agent-01", rust: "gate.check()", expected };
        self.step(&step, || {
            Ok(match gate.check() {
                Ok(permit) => (permit.decision().code().to_string(), value(permit.decision())),
                Err(denied) => {
                    let document = match denied.reason() {
                        Reason::Refused(decision) => value(decision),
                        // There is no reply to show.
                        _ => json!({"allowed": false, "error": denied.to_string()}),
                    };
                    (denied.code().to_string(), document)
                }
            })
        })
    }

    /// Makes one step and shows what came of it.
    fn step(
        &mut self,
        step: &Step,
        make: impl FnOnce() -> Result<(String, Value), Error>,
    ) -> Result<(), Failure> {
        let number = self.steps.len() + 1;
        let (outcome, reply) = match make() {
            Ok(came) => came,
            Err(error) => (error.kind().to_string(), json!({"error": error.to_string()})),
        };
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
        let style = if matches!(outcome.as_str(), "ALLOW" | "ok" | "created") { GOOD } else { BAD };
        let _ = write!(text, "    {style}{outcome}{style:#}{}", notable(&reply));
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

/// What is worth reading in a reply, beside its outcome.
fn notable(reply: &Value) -> String {
    let field = |name: &str| {
        reply.get(name).map(|value| match value.as_str() {
            Some(text) => clean(text).into_owned(),
            None => value.to_string(),
        })
    };
    let told = match (field("orgApiKey"), field("limit"), field("allowed")) {
        (Some(key), _, _) => format!("the key is {key}"),
        (_, Some(limit), _) => {
            let why = field("error").map_or_else(String::new, |why| format!("{why}, "));
            format!("{why}{} of {limit} devices in use", field("devicesUsed").unwrap_or_default())
        }
        (_, _, Some(allowed)) => {
            let exit = if allowed == "true" { 0 } else { Exit::Denied as u8 };
            format!("allowed: {allowed}, exit code {exit}")
        }
        _ => return String::new(),
    };
    format!("  {FAINT}{told}{FAINT:#}")
}

fn prefix(key: &OrgKey) -> &str {
    key.expose().get(..8).unwrap_or_default()
}

fn value(reply: &impl Serialize) -> Value {
    serde_json::to_value(reply).unwrap_or_default()
}
