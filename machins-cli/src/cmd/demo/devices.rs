//! Devices in the demo: allow, revoke, deny, restore; a full plan, the kill switch, an outage.

use machineid_client::blocking::{Client, Gate};
use machineid_client::{ClientBuilder, DeviceId, OrgKey, Reason};
use machins_mock::{Fault, OrgUpdate};
use serde_json::{Value, json};

use super::story::{Outcome, Step, Story, value};
use crate::error::{Exit, Failure, SYSTEM_UNAVAILABLE};
use crate::text::clean;

const DEVICE: &str = "agent-01";

impl Story {
    /// Shows the part about devices.
    pub(super) fn devices(&mut self) -> Result<(), Failure> {
        let anonymous = self.client(None)?;
        let mut created = None;
        self.step(
            &Step {
                about: "Create an org. All its devices share one key.",
                command: "machins org create",
                rust: "client.create_org()?",
                expected: "created",
            },
            || {
                let org = anonymous.create_org()?;
                let shown = json!({"orgApiKey": format!("{}…", prefix(&org.org_key))});
                created = Some(org.org_key);
                Ok(outcome("created", shown))
            },
        )?;
        let key = created.ok_or_else(|| Failure::refused("the demo did not get an org key"))?;
        let client = self.client(Some(key.clone()))?;
        let gate = Gate::new(&client, DeviceId::new(DEVICE)?);

        self.one_device(&client, &gate)?;
        self.plan_limit(&client)?;
        self.kill_switch(&key, &gate)?;
        self.outage(&gate)
    }

    fn one_device(&mut self, client: &Client, gate: &Gate) -> Result<(), Failure> {
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
            || {
                client
                    .revoke(device)
                    .map(|reply| outcome(reply.status.as_deref().unwrap_or("ok"), value(&reply)))
            },
        )?;
        self.check(gate, "… and its next check is denied: stop here.", "DEVICE_REVOKED")?;
        self.step(
            &Step {
                about: "The operator restores it …",
                command: "machins unrevoke agent-01",
                rust: "client.unrevoke(&device)?",
                expected: "ok",
            },
            || {
                client
                    .unrevoke(device)
                    .map(|reply| outcome(reply.status.as_deref().unwrap_or("ok"), value(&reply)))
            },
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
        let lost = |error| Failure::local("the mock lost the org", error);
        let org = self.server.org(key.expose()).ok_or_else(|| lost("no such key".to_owned()))?;
        let switch = |on| {
            let update = OrgUpdate::new().execution_enabled(on);
            org.update(update).map_err(|error| lost(error.to_string()))
        };
        switch(false)?;
        self.check(gate, "The kill switch: the whole org is stopped at once.", "ORG_DISABLED")?;
        switch(true)?;
        self.check(gate, "Switched on again, every device may go on.", "ALLOW")
    }

    fn outage(&mut self, gate: &Gate) -> Result<(), Failure> {
        let fault = Fault::drop_before().path("/api/v1/devices/validate");
        let outage = self
            .server
            .fault_scoped(fault)
            .map_err(|error| Failure::local("could not start the outage", error))?;
        self.check(
            gate,
            "An outage: connections drop. No answer counts as a denial.",
            SYSTEM_UNAVAILABLE,
        )?;
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
            Ok(outcome(&reply.status, value(reply)))
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
                Ok(permit) => outcome(permit.decision().code().as_str(), value(permit.decision())),
                Err(denied) => {
                    let document = match denied.reason() {
                        Reason::Refused(decision) => value(decision),
                        // There is no reply to show.
                        _ => json!({"allowed": false, "error": format!("{denied:#}")}),
                    };
                    outcome(denied.code().as_str(), document)
                }
            })
        })
    }
}

fn outcome(outcome: &str, reply: Value) -> Outcome {
    Outcome::new(outcome, detail(&reply), reply)
}

/// A detail of a reply to show beside its outcome.
fn detail(reply: &Value) -> String {
    let field = |name: &str| {
        reply.get(name).map(|value| match value.as_str() {
            Some(text) => clean(text).into_owned(),
            None => value.to_string(),
        })
    };
    match (field("orgApiKey"), field("limit"), field("allowed")) {
        (Some(key), _, _) => format!("the key is {key}"),
        (_, Some(limit), _) => {
            let why = field("error").map_or_else(String::new, |why| format!("{why}, "));
            format!("{why}{} of {limit} devices in use", field("devicesUsed").unwrap_or_default())
        }
        (_, _, Some(allowed)) => {
            let exit = if allowed == "true" { 0 } else { Exit::Denied as u8 };
            format!("allowed: {allowed}, exit code {exit}")
        }
        _ => String::new(),
    }
}

fn prefix(key: &OrgKey) -> &str {
    key.expose().get(..8).unwrap_or_default()
}
