//! The commands about devices: register, validate, devices, revoke, unrevoke, remove.

use std::fmt::Write;
use std::io::{self, IsTerminal};

use machineid_client::{
    BatchItem, BatchStatus, Decision, DecisionCode, DeviceId, DeviceStatus, PlanFigures,
    Registration, UnrevokeReason,
};
use serde::Serialize;
use serde_json::json;

use crate::args::{Device, Devices};
use crate::context::Context;
use crate::error::{Failure, SYSTEM_UNAVAILABLE};
use crate::format::moment;
use crate::output::{BAD, FAINT, GOOD, Style, WARN, to_stderr};
use crate::table::{Cell, cell, styled, table};
use crate::text::clean;

/// `machins register`.
pub(crate) fn register(context: &Context, device: &Device) -> Result<(), Failure> {
    let device = context.device(device.id.as_deref())?;
    let registration = context.machineid()?.register(&device)?;
    let reply = registration.reply();
    let figures = figures(&reply.figures);
    let (word, refusal) = match &registration {
        Registration::Created(_) => ("registered", None),
        Registration::Exists(_) => ("exists", None),
        Registration::Blocked(_) => ("blocked", Some(format!("the plan is full ({figures})"))),
        Registration::Revoked(_) => ("revoked", Some(format!("{device} is revoked"))),
        Registration::PlanFrozen(_) => ("frozen", Some("the organisation's plan is frozen".into())),
        other => ("refused", Some(format!("the service said {}", clean(&other.reply().status)))),
    };
    let style = if refusal.is_none() { GOOD } else { BAD };
    context
        .out
        .result(reply, || format!("{style}{word}{style:#}  {device}  {FAINT}{figures}{FAINT:#}"))?;
    let Some(refusal) = refusal else {
        return Ok(());
    };
    let next = match &registration {
        Registration::Blocked(_) => {
            "machins revoke or machins remove a device, or machins checkout PLAN".to_owned()
        }
        Registration::Revoked(_) => format!("machins unrevoke {device}"),
        _ => "see the MachineID console".to_owned(),
    };
    let code = reply.error.as_deref().unwrap_or(&reply.status);
    Err(Failure::refused(format!("{device} was not registered: {refusal}"))
        .hint(next)
        .code(code)
        .request_id(reply.request_id.as_deref()))
}

/// `machins validate`.
pub(crate) fn validate(context: &Context, device: &Device) -> Result<(), Failure> {
    let device = context.device(device.id.as_deref())?;
    let client = context.machineid()?;
    match client.validate(&device) {
        Ok(decision) => decided(context, &device, &decision),
        Err(error) => {
            let document = json!({
                "allowed": false,
                "code": SYSTEM_UNAVAILABLE,
                "deviceId": device,
                "request_id": error.request_id(),
            });
            context.out.result(&document, || verdict(false, &device, SYSTEM_UNAVAILABLE))?;
            Err(Failure::from(error).denying())
        }
    }
}

fn decided(context: &Context, device: &DeviceId, decision: &Decision) -> Result<(), Failure> {
    let code = decision.code();
    let allowed = decision.is_allowed();
    context.out.result(decision, || verdict(allowed, device, code.as_str()))?;
    if allowed {
        return Ok(());
    }
    let (why, next) = match code {
        DecisionCode::DeviceRevoked => {
            (format!("{device} is revoked"), format!("machins unrevoke {device}"))
        }
        DecisionCode::DeviceNotFound => {
            (format!("{device} is not registered"), format!("machins register {device}"))
        }
        DecisionCode::OrgDisabled => {
            ("execution is disabled for the whole organisation".into(), console())
        }
        DecisionCode::PlanFrozen => ("the organisation's plan is frozen".into(), console()),
        DecisionCode::EntitlementExpired => {
            ("the organisation's plan has run out".into(), "machins checkout PLAN".into())
        }
        DecisionCode::OrgNotFound | DecisionCode::InvalidOrgKey => (
            "the org key is not valid".into(),
            "machins config explain shows where it comes from".into(),
        ),
        DecisionCode::SystemUnavailable => {
            ("the service could not decide".into(), "try again later".into())
        }
        _ => (format!("the service said {}", clean(code.as_str())), console()),
    };
    Err(Failure::denied(why)
        .hint(next)
        .status(decision.http_status())
        .code(code.as_str())
        .request_id(decision.request_id()))
}

fn console() -> String {
    "see the MachineID console".into()
}

fn verdict(allowed: bool, device: &DeviceId, code: &str) -> String {
    let (word, style) = if allowed { ("allowed", GOOD) } else { ("denied", BAD) };
    format!("{style}{word}{style:#}  {device}  {}", clean(code))
}

/// `machins devices`.
pub(crate) fn list(context: &Context) -> Result<(), Failure> {
    let list = context.machineid()?.list_devices()?;
    if list.devices.is_empty() {
        context.out.note("No devices yet. Register one: machins register agent-01");
        return context.out.result(&list, String::new);
    }
    let rows: Vec<Vec<Cell>> = list
        .devices
        .iter()
        .map(|device| {
            let state = match &device.status {
                Some(status @ DeviceStatus::Active) => styled(status.as_str(), GOOD),
                Some(status @ DeviceStatus::Revoked) => styled(status.as_str(), BAD),
                other => cell(other.as_ref().map_or("unknown", DeviceStatus::as_str)),
            };
            vec![
                cell(device.device_id.as_str()),
                state,
                moment(device.created_at.as_ref(), "unknown"),
                moment(device.last_validated_at.as_ref(), "never"),
            ]
        })
        .collect();
    context
        .out
        .result(&list, || table(&["DEVICE", "STATE", "REGISTERED", "LAST VALIDATED"], &rows))?;
    context.out.note(&format!("{FAINT}{}{FAINT:#}", figures(&list.figures)));
    Ok(())
}

/// `machins remove`.
pub(crate) fn remove(context: &Context, device: &Device) -> Result<(), Failure> {
    let device = context.device(device.id.as_deref())?;
    let reply = context.machineid()?.remove(&device)?;
    context.out.result(&reply, || format!("{GOOD}removed{GOOD:#}  {device}"))
}

/// `machins revoke`.
pub(crate) fn revoke(context: &Context, devices: &Devices) -> Result<(), Failure> {
    let ids = ids(devices)?;
    if let [device] = ids.as_slice() {
        let reply = context.machineid()?.revoke(device)?;
        return context.out.result(&reply, || format!("{BAD}revoked{BAD:#}  {device}"));
    }
    let client = context.machineid()?;
    confirm("Revoke", "active", &ids, devices.yes)?;
    let reply = if devices.all { client.revoke_all_active() } else { client.revoke_batch(&ids) }?;
    let count = reply.revoked_count.unwrap_or_default();
    report(context, &reply, &reply.results, &format!("{} revoked", counted(count)))
}

/// `machins unrevoke`.
pub(crate) fn unrevoke(context: &Context, devices: &Devices) -> Result<(), Failure> {
    let ids = ids(devices)?;
    if let [device] = ids.as_slice() {
        let reply = context.machineid()?.unrevoke(device)?;
        return context.out.result(&reply, || format!("{GOOD}restored{GOOD:#}  {device}"));
    }
    let client = context.machineid()?;
    confirm("Restore", "revoked", &ids, devices.yes)?;
    let reply =
        if devices.all { client.unrevoke_all_revoked() } else { client.unrevoke_batch(&ids) }?;
    let mut summary = format!("{} restored", counted(reply.unrevoked_count.unwrap_or_default()));
    match &reply.reason {
        Some(UnrevokeReason::AtCap) => summary += ": the plan is full (machins usage)",
        Some(UnrevokeReason::NoneRevoked) => summary += ": none was revoked",
        _ => {}
    }
    for device in &reply.unrevoked_sample {
        let _ = write!(summary, "\n{GOOD}restored{GOOD:#}  {}", clean(device.as_str()));
    }
    report(context, &reply, &reply.results, &summary)
}

fn ids(devices: &Devices) -> Result<Vec<DeviceId>, Failure> {
    devices.ids.iter().map(|id| DeviceId::new(id).map_err(Failure::from)).collect()
}

/// Device by device what a batch did; a failure when it could not do it for one of them.
fn report(
    context: &Context,
    reply: &impl Serialize,
    items: &[BatchItem],
    summary: &str,
) -> Result<(), Failure> {
    let rows: Vec<Vec<Cell>> = items
        .iter()
        .map(|item| {
            let id = item.device_id.as_str().map_or_else(|| item.device_id.to_string(), Into::into);
            vec![
                cell(&id),
                styled(&item.status.as_str().replace('_', " "), style_of(&item.status)),
                cell(&item.error.as_deref().unwrap_or_default().replace('_', " ")),
            ]
        })
        .collect();
    context.out.result(reply, || match rows.as_slice() {
        [] => summary.to_owned(),
        rows => table(&["DEVICE", "RESULT", ""], rows),
    })?;
    let failed = items.iter().filter(|item| style_of(&item.status) == WARN).count();
    match failed {
        0 => Ok(()),
        failed => Err(Failure::partial(format!(
            "{failed} of {} could not be changed",
            counted(items.len() as u64)
        ))
        .hint("machins devices shows what there is")),
    }
}

fn style_of(status: &BatchStatus) -> Style {
    match status {
        BatchStatus::Revoked | BatchStatus::AlreadyRevoked => BAD,
        BatchStatus::Unrevoked | BatchStatus::AlreadyActive => GOOD,
        _ => WARN,
    }
}

fn counted(count: u64) -> String {
    format!("{count} device{}", if count == 1 { "" } else { "s" })
}

/// Asks before more than one device is changed.
fn confirm(verb: &str, state: &str, ids: &[DeviceId], yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let what = match ids {
        [] => format!("{verb} every {state} device of the organisation"),
        ids => format!("{verb} {} devices", ids.len()),
    };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::usage(format!("{what}: nobody is here to confirm that"))
            .hint("add --yes if you mean it"));
    }
    to_stderr(&format!("{what}? [y/N] "));
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::local("could not read the answer", error))?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::refused("not confirmed; nothing was changed")),
    }
}

/// A plan and how much of it is used, in words.
pub(crate) fn figures(figures: &PlanFigures) -> String {
    let used = figures.devices_used.map(|used| match figures.limit {
        Some(limit) => format!("{used} of {limit} devices in use"),
        None => format!("{used} devices in use"),
    });
    let plan = figures.plan_tier.as_ref().map(|plan| format!("{} plan", clean(plan.as_str())));
    plan.into_iter().chain(used).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn figures_are_words() {
        let read = |value: Value| serde_json::from_value::<PlanFigures>(value).unwrap();
        assert_eq!(
            figures(&read(json!({"planTier": "free", "limit": 3, "devicesUsed": 1}))),
            "free plan, 1 of 3 devices in use"
        );
        assert_eq!(figures(&read(json!({}))), "");
    }
}
