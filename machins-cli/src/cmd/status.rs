//! `machins status`.

use clap::Args;
use serde::Serialize;

use crate::config::document::{mask, shown};
use crate::config::key::{
    AGENT_ID, AGENT_SLUG, API_KEY, BASE_URL, Key, MACHINEID_BASE_URL, MACHINEID_DEVICE_ID,
    MACHINEID_ORG_KEY,
};
use crate::config::settings::Setting;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::format::{credits, or_unknown};
use crate::style::{BAD, FAINT, GOOD, STRONG};
use crate::table::{Cell, cell, fields, styled};

/// Show your agent and balance, your org and device
///
/// Also shows the profile in use and where each key comes from. A service without a key is shown
/// as such and is no error; exits with 1 if a service with a key refuses or can't be reached.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  machins status")]
pub(crate) struct Status;

/// What is configured and what the services say of it.
#[derive(Serialize)]
struct Report {
    profile: Option<String>,
    agent_slug: Option<String>,
    agent_id: Option<String>,
    base_url: Option<String>,
    api_key: Option<Secret>,
    wallet: Option<machins_client::Wallet>,
    error: Option<String>,
    machineid: MachineId,
}

/// The org and the device.
#[derive(Default, Serialize)]
struct MachineId {
    base_url: Option<String>,
    org_key: Option<Secret>,
    plan: Option<String>,
    devices_used: Option<u64>,
    limit: Option<u64>,
    device_id: Option<String>,
    /// The state of the device; "not registered" if the org does not have it.
    device_state: Option<String>,
    error: Option<String>,
}

/// A key, masked, and where it comes from.
#[derive(Serialize)]
struct Secret {
    value: String,
    origin: String,
}

impl Secret {
    fn find(context: &Context, key: &Key) -> Result<Option<Self>, Failure> {
        let setting = context.setting(key)?;
        Ok(setting.map(|Setting { value, origin }| Self {
            value: mask(&value),
            origin: origin.to_string(),
        }))
    }
}

impl Status {
    #[expect(clippy::unused_self, reason = "the command has no arguments")]
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let (mut report, mut failures) = (machins(context)?, Vec::new());
        if report.api_key.is_some() {
            match context.machins().and_then(|client| Ok(client.get_wallet()?)) {
                Ok(wallet) => add_wallet(&mut report, wallet),
                Err(failure) => {
                    report.error = Some(failure.message().to_owned());
                    failures.push(("machins", failure));
                }
            }
        }
        report.machineid = machineid(context)?;
        if report.machineid.org_key.is_some() {
            match context.machineid().and_then(|client| Ok(client.list_devices()?)) {
                Ok(devices) => add_devices(&mut report.machineid, &devices),
                Err(failure) => {
                    report.machineid.error = Some(failure.message().to_owned());
                    failures.push(("MachineID", failure));
                }
            }
        }
        context.out.result(&report, || describe(&report))?;
        if report.api_key.is_none() {
            context.out.note("To join the marketplace: `machins join --help`");
        }
        if report.machineid.org_key.is_none() {
            context.out.note("To create an org: `machins org create --save`");
        }
        let names: Vec<&str> = failures.iter().map(|(name, _)| *name).collect();
        // What is invalid here was never sent.
        let is_own = |(_, failure): &(&str, Failure)| failure.exit != Exit::Refused;
        if let Some(at) = failures.iter().position(is_own) {
            return Err(failures.swap_remove(at).1);
        }
        if names.is_empty() {
            return Ok(());
        }
        Err(Failure::refused(format!("no usable answer from {}", names.join(" and ")))
            .hint("to see what to do: `machins doctor`"))
    }
}

fn machins(context: &Context) -> Result<Report, Failure> {
    Ok(Report {
        agent_slug: context.value(&AGENT_SLUG)?,
        agent_id: context.value(&AGENT_ID)?,
        base_url: base_url(context, &BASE_URL)?,
        api_key: Secret::find(context, &API_KEY)?,
        profile: context.profile()?.map(Into::into),
        wallet: None,
        error: None,
        machineid: MachineId::default(),
    })
}

/// The address of a service, as it is shown.
fn base_url(context: &Context, key: &Key) -> Result<Option<String>, Failure> {
    Ok(context.value(key)?.map(|url| shown(key, &url)))
}

fn machineid(context: &Context) -> Result<MachineId, Failure> {
    Ok(MachineId {
        base_url: base_url(context, &MACHINEID_BASE_URL)?,
        org_key: Secret::find(context, &MACHINEID_ORG_KEY)?,
        device_id: context.value(&MACHINEID_DEVICE_ID)?,
        ..MachineId::default()
    })
}

fn add_wallet(report: &mut Report, wallet: machins_client::Wallet) {
    // The key may belong to another agent than the one in the config file.
    if let Some(id) = &wallet.agent_id {
        if report.agent_id.as_deref() != Some(id.as_str()) {
            report.agent_slug = None;
        }
        report.agent_id = Some(id.to_string());
    }
    report.wallet = Some(wallet);
}

fn add_devices(report: &mut MachineId, list: &machineid_client::DeviceList) {
    let figures = &list.figures;
    report.plan = figures.plan_tier.as_ref().map(ToString::to_string);
    report.devices_used = figures.devices_used;
    report.limit = figures.limit;
    report.device_state = report.device_id.as_deref().map(|id| {
        let device = list.devices.iter().find(|device| device.device_id.as_str() == id);
        device.map_or_else(
            || "not registered".to_owned(),
            |device| device.status.as_ref().map_or("unknown", |status| status.as_str()).to_owned(),
        )
    });
}

fn describe(report: &Report) -> String {
    let key = |key: &Option<Secret>| match key {
        Some(Secret { value, origin }) => cell(&format!("{value} ({origin})")),
        None => styled("not set", FAINT),
    };
    let error = |error: &Option<String>| error.as_deref().map(|text| ("error", styled(text, BAD)));
    let profile = report.profile.as_deref().map_or_else(|| styled("none", FAINT), cell);
    let mut machins = vec![
        ("agent", or_unknown(report.agent_slug.as_deref())),
        ("agent id", or_unknown(report.agent_id.as_deref())),
        ("base URL", or_unknown(report.base_url.as_deref())),
        ("API key", key(&report.api_key)),
    ];
    if let Some(wallet) = &report.wallet {
        machins.push(("balance", cell(&credits(wallet.balance))));
        machins.push(("in escrow", cell(&credits(wallet.held_balance))));
        machins.push(("available", styled(&credits(wallet.available_balance), GOOD)));
    }
    machins.extend(error(&report.error));
    let org = &report.machineid;
    let mut machineid =
        vec![("base URL", or_unknown(org.base_url.as_deref())), ("org key", key(&org.org_key))];
    if let Some(plan) = &org.plan {
        machineid.push(("plan", cell(plan)));
    }
    if let (Some(used), Some(limit)) = (org.devices_used, org.limit) {
        machineid.push(("devices", cell(&format!("{used} of {limit} in use"))));
    }
    machineid.push(("device", device(org)));
    machineid.extend(error(&org.error));
    format!(
        "{}\n{STRONG}machins{STRONG:#}\n{}\n{STRONG}MachineID{STRONG:#}\n{}",
        fields(&[("profile", profile)]),
        fields(&machins),
        fields(&machineid)
    )
}

fn device(org: &MachineId) -> Cell {
    match (&org.device_id, &org.device_state) {
        (None, _) => styled("not set", FAINT),
        (Some(id), None) => cell(id),
        (Some(id), Some(state)) => {
            styled(&format!("{id} ({state})"), if state == "active" { GOOD } else { BAD })
        }
    }
}
