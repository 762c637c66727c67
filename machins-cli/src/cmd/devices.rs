//! Devices: `machins register`, `validate`, `devices`, `revoke`, `unrevoke`; and the group Devices, to
//! which `guard`, `remove` and the commands of the org belong as well.

use std::fmt::Write;

use clap::{Args, Subcommand};
use machineid_client::decision_log::Record;
use machineid_client::{
    BatchItem, BatchStatus, Decision, DecisionCode, DeviceId, DeviceStatus, Document, Extra,
    PlanFigures, Registration, UnrevokeReason,
};
use serde::Serialize;
use serde_json::json;

use super::guard::Guard;
use super::org;
use super::remove::{Remove, naming};
use crate::context::{Context, LastStatus};
use crate::decision_log::DecisionLogFlags;
use crate::error::{ExitCode, Failure, OPERATOR_DECIDES, SYSTEM_UNAVAILABLE};
use crate::format::{counted, time};
use crate::list::{Limit, List, show_list};
use crate::style::{BAD, FAINT, GOOD, Style, WARN};
use crate::table::{Table, cell, styled};
use crate::text::clean;
use crate::{input, panic, suggestion};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register a device
    ///
    /// It is safe to do this at every start: a device that is already registered stays as it is.
    #[command(after_help = "Example:\n  machins register agent-01")]
    Register(Device),

    /// Check whether a device may run: exit 0 if allowed, 3 if denied
    ///
    /// Exits with 0 only if the decision is ALLOW. Every other decision exits with 3, and so does
    /// a failure to get one: no answer counts as a denial with the code SYSTEM_UNAVAILABLE. An id that
    /// may begin with a hyphen stands after --: -h asks for this help, and exits with 0.
    #[command(
        after_help = "Examples:\n  machins validate agent-01 && echo go\n  machins validate -- agent-01"
    )]
    Validate(Validate),

    Guard(Guard),

    /// List the org's devices
    #[command(after_help = "Examples:\n  machins devices\n  machins devices --status revoked")]
    Devices(Listed),

    /// Revoke devices: they are denied from their next validation on
    #[command(after_help = "Examples:\n  machins revoke agent-01\n  machins revoke --all --yes")]
    Revoke(Devices),

    /// Restore revoked devices, until the plan is full
    #[command(
        after_help = "Examples:\n  machins unrevoke agent-01\n  machins unrevoke --all --yes"
    )]
    Unrevoke(Devices),

    Remove(Remove),

    #[command(flatten)]
    Org(org::Command),
}

// The argument of commands for one device.
#[derive(Debug, Args)]
pub(crate) struct Device {
    /// Id of the device [default: MACHINEID_DEVICE_ID or the setting machineid.device_id]
    #[arg(value_name = "ID")]
    id: Option<String>,
}

// The flags of `machins devices`.
#[derive(Debug, Args)]
pub(crate) struct Listed {
    /// Only devices with this status: active or revoked
    #[arg(long, value_name = "STATUS", value_parser = device_status)]
    status: Option<DeviceStatus>,
    #[command(flatten)]
    limit: Limit,
}

fn device_status(text: &str) -> Result<DeviceStatus, String> {
    match DeviceStatus::from(text) {
        DeviceStatus::Active => Ok(DeviceStatus::Active),
        DeviceStatus::Revoked => Ok(DeviceStatus::Revoked),
        _ => Err(suggestion::unknown("status", text, &["active", "revoked"])),
    }
}

// The arguments of `machins validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    log: DecisionLogFlags,
}

// The arguments of commands for one device, several, or all.
#[derive(Debug, Args)]
pub(crate) struct Devices {
    /// Ids of the devices
    #[arg(value_name = "ID", required_unless_present = "all")]
    ids: Vec<String>,
    /// Apply to all devices of the org
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Do not ask for confirmation before changing more than one
    #[arg(short, long)]
    yes: bool,
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        match self {
            Self::Register(device) => register(context, &device)?,
            Self::Validate(arguments) => {
                panic::deny_on_panic();
                validate(context, &arguments).map_err(Failure::denying)?;
            }
            // Exits with the status of its command.
            Self::Guard(guard) => return guard.run(context),
            Self::Devices(listed) => list(context, &listed)?,
            Self::Revoke(devices) => revoke(context, &devices)?,
            Self::Unrevoke(devices) => unrevoke(context, &devices)?,
            Self::Remove(remove) => remove.run(context)?,
            Self::Org(command) => command.run(context)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn register(context: &Context, device: &Device) -> Result<(), Failure> {
    let device = context.device(device.id.as_deref())?;
    let status = LastStatus::default();
    let registration = context.machineid()?.with(status.watch()).register(&device)?;
    let reply = registration.reply();
    let figures = figures(&reply.figures);
    let (word, refusal) = match &registration {
        Registration::Created(_) => ("registered", None),
        Registration::Exists(_) => ("exists", None),
        Registration::Blocked(_) => ("blocked", Some(plan_is_full(&figures))),
        Registration::Revoked(_) => ("revoked", Some(format!("{device} is revoked"))),
        Registration::PlanFrozen(_) => ("frozen", Some("the org's plan is frozen".into())),
        other => {
            ("refused", Some(format!("the service answered {}", clean(&other.reply().status))))
        }
    };
    let style = if refusal.is_none() { GOOD } else { BAD };
    context
        .out
        .result(reply, || format!("{style}{word}{style:#}  {device}  {FAINT}{figures}{FAINT:#}"))?;
    let Some(refusal) = refusal else {
        return Ok(());
    };
    let code = reply.error.as_deref().unwrap_or(&reply.status);
    Err(Failure::refused(format!("{device} was not registered: {refusal}"))
        .hint(OPERATOR_DECIDES)
        .status(status.get())
        .code(code)
        .request_id(reply.request_id.as_deref()))
}

fn validate(context: &Context, Validate { device, log }: &Validate) -> Result<(), Failure> {
    let device = &context.device(device.id.as_deref())?;
    let log = log.open(context, "validate")?;
    let client = context.machineid()?;
    let decision = client.validate(device);
    let record = match &decision {
        Ok(decision) => {
            let followed = if decision.is_allowed() { "exit_0" } else { "exit_3" };
            Record::new(Some(device), decision.code(), decision.request_id(), followed)
        }
        Err(error) => {
            let code = DecisionCode::SystemUnavailable;
            Record::new(Some(device), &code, error.request_id(), "exit_3")
        }
    };
    // Who is allowed must be in the log first, who is denied must not wait for it.
    if let Some(log) = &log
        && record.is_allowed()
        && let Err(error) = log.append(&record)
        && log.is_required()
    {
        let request_id = decision.as_ref().ok().and_then(Decision::request_id);
        report_no_decision(context, device, request_id)?;
        return Err(Failure::denied(format!(
            "{device} is allowed, but a decision that is not logged does not count: {error}"
        ))
        .code(SYSTEM_UNAVAILABLE)
        .request_id(request_id));
    }
    let result = match decision {
        Ok(decision) => report_decision(context, device, &decision),
        Err(error) => {
            report_no_decision(context, device, error.request_id())?;
            Err(Failure::from(error).denying())
        }
    };
    if let Some(log) = log.filter(|_| !record.is_allowed()) {
        // A denial stands whether it can be logged or not.
        let _ = log.append(&record);
    }
    result
}

/// Prints the denial that stands where no decision counts.
fn report_no_decision(
    context: &Context,
    device: &DeviceId,
    request_id: Option<&str>,
) -> Result<(), Failure> {
    let document = json!({
        "allowed": false,
        "code": SYSTEM_UNAVAILABLE,
        "deviceId": device,
        "request_id": request_id,
    });
    context.out.outcome(&document, || describe_decision(false, device, SYSTEM_UNAVAILABLE))
}

fn report_decision(
    context: &Context,
    device: &DeviceId,
    decision: &Decision,
) -> Result<(), Failure> {
    let code = decision.code();
    let allowed = decision.is_allowed();
    context.out.outcome(decision, || describe_decision(allowed, device, code.as_str()))?;
    if allowed {
        return Ok(());
    }
    let why = match code {
        DecisionCode::DeviceRevoked => format!("{device} is revoked"),
        DecisionCode::DeviceNotFound => format!("the org has no device {device}"),
        DecisionCode::OrgDisabled => "execution is disabled for the whole org".into(),
        DecisionCode::PlanFrozen => "the org's plan is frozen".into(),
        DecisionCode::EntitlementExpired => "the org's plan has expired".into(),
        DecisionCode::OrgNotFound | DecisionCode::InvalidOrgKey => {
            "the org key is not valid".into()
        }
        DecisionCode::SystemUnavailable => "the service could not decide".into(),
        _ => format!("the service answered {}", clean(code.as_str())),
    };
    let next = match code {
        DecisionCode::SystemUnavailable => "nothing may run without a decision; try again later",
        _ => OPERATOR_DECIDES,
    };
    Err(Failure::denied(why)
        .hint(next)
        .status(decision.http_status())
        .code(code.as_str())
        .request_id(decision.request_id()))
}

/// Formats a decision on one line.
fn describe_decision(allowed: bool, device: &DeviceId, code: &str) -> String {
    let (word, style) = if allowed { ("allowed", GOOD) } else { ("denied", BAD) };
    format!("{style}{word}{style:#}  {device}  {}", clean(code))
}

fn list(context: &Context, listed: &Listed) -> Result<(), Failure> {
    let mut devices = context.machineid()?.list_devices()?;
    if let Some(status) = &listed.status {
        devices.devices.retain(|device| device.status.as_ref() == Some(status));
    }
    let list = List::whole("device", std::mem::take(&mut devices.devices), &listed.limit);
    devices.devices.clone_from(&list.items);
    // The service's own name of the items stays beside the one that all lists have.
    let reply = Document::new(&devices).and_then(|reply| reply.to::<Extra>());
    let reply = reply.map_err(|error| Failure::local("could not write the list", error))?;
    let list = list.with_extra(reply).with_summary(figures(&devices.figures));
    let table = Table::<machineid_client::Device>::new()
        .column("DEVICE", |device| cell(device.device_id.as_str()))
        .column("STATE", |device| match &device.status {
            Some(status @ DeviceStatus::Active) => styled(status.as_str(), GOOD),
            Some(status @ DeviceStatus::Revoked) => styled(status.as_str(), BAD),
            other => cell(other.as_ref().map_or("unknown", DeviceStatus::as_str)),
        })
        .column("REGISTERED", |device| time(device.created_at.as_ref(), "unknown"))
        .column("LAST VALIDATED", |device| time(device.last_validated_at.as_ref(), "never"));
    let if_empty = match listed.status {
        None => "No devices yet. Register one: `machins register agent-01`",
        Some(_) => "No device has that status. All devices: `machins devices`",
    };
    show_list(context.out, &list, if_empty, &table)
}

fn revoke(context: &Context, devices: &Devices) -> Result<(), Failure> {
    let ids = ids(devices)?;
    if let [device] = ids.as_slice() {
        let reply = context.machineid()?.revoke(device).map_err(|error| naming(error, device))?;
        return context.out.outcome(&reply, || format!("{BAD}revoked{BAD:#}  {device}"));
    }
    let client = context.machineid()?;
    confirm("Revoke", "active", &ids, devices.yes)?;
    let reply = if devices.all { client.revoke_all_active() } else { client.revoke_batch(&ids) }?;
    let count = reply.revoked_count.unwrap_or_default();
    report(context, &reply, &reply.results, &format!("{} revoked", counted(count, "device")))
}

fn unrevoke(context: &Context, devices: &Devices) -> Result<(), Failure> {
    let ids = ids(devices)?;
    if let [device] = ids.as_slice() {
        let reply = context.machineid()?.unrevoke(device).map_err(|error| naming(error, device))?;
        return context.out.outcome(&reply, || format!("{GOOD}restored{GOOD:#}  {device}"));
    }
    let client = context.machineid()?;
    confirm("Restore", "revoked", &ids, devices.yes)?;
    let reply =
        if devices.all { client.unrevoke_all_revoked() } else { client.unrevoke_batch(&ids) }?;
    let mut summary =
        format!("{} restored", counted(reply.unrevoked_count.unwrap_or_default(), "device"));
    match &reply.reason {
        Some(UnrevokeReason::AtCap) => summary += ": the plan is full; to see it: `machins usage`",
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

/// Prints the result of a batch for each device. Fails if some of them could not be changed.
fn report(
    context: &Context,
    reply: &impl Serialize,
    items: &[BatchItem],
    summary: &str,
) -> Result<(), Failure> {
    context.out.result(reply, || {
        if items.is_empty() {
            return context.out.commands(summary);
        }
        let table = Table::<BatchItem>::new()
            .column("DEVICE", |item| {
                let id = &item.device_id;
                id.as_str().map_or_else(|| cell(&id.to_string()), cell)
            })
            .column("RESULT", |item| {
                styled(&item.status.as_str().replace('_', " "), style(&item.status))
            })
            .column("", |item| cell(&item.error.as_deref().unwrap_or_default().replace('_', " ")));
        table.render(items)
    })?;
    match items.iter().filter(|item| style(&item.status) == WARN).count() {
        0 => Ok(()),
        failed => Err(Failure::partial(format!(
            "{failed} of {} could not be changed",
            counted(items.len() as u64, "device")
        ))
        .hint("to see the devices and their states: `machins devices`")),
    }
}

/// The colour of a batch result. WARN marks the devices that could not be changed.
fn style(status: &BatchStatus) -> Style {
    match status {
        BatchStatus::Revoked | BatchStatus::AlreadyRevoked => BAD,
        BatchStatus::Unrevoked | BatchStatus::AlreadyActive => GOOD,
        _ => WARN,
    }
}

/// Asks before more than one device is changed.
fn confirm(verb: &str, state: &str, ids: &[DeviceId], yes: bool) -> Result<(), Failure> {
    let what = match ids {
        [] => format!("{verb} every {state} device of the org"),
        ids => format!("{verb} {} devices", ids.len()),
    };
    input::confirm(&what, yes)
}

/// Says that a plan is full, with its figures if there are any.
fn plan_is_full(figures: &str) -> String {
    let figures = Some(figures).filter(|figures| !figures.is_empty());
    figures.map_or_else(
        || "the plan is full".into(),
        |figures| format!("the plan is full ({figures})"),
    )
}

/// Formats a plan and how much of it is in use.
fn figures(figures: &PlanFigures) -> String {
    let used = figures.devices_used.map(|used| match figures.limit {
        Some(limit) => format!("{used} of {limit} devices in use"),
        None => format!("{used} devices in use"),
    });
    let plan = figures.plan_tier.as_ref().map(|plan| format!("{} plan", clean(plan.as_str())));
    plan.into_iter().chain(used).collect::<Vec<_>>().join(", ")
}

impl crate::records::Record for machineid_client::Device {
    const COLUMNS: &'static [&'static str] =
        &["deviceId", "status", "createdAt", "revokedAt", "lastValidatedAt"];
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
        assert_eq!(plan_is_full("free plan"), "the plan is full (free plan)");
        assert_eq!(plan_is_full(""), "the plan is full");
    }
}
