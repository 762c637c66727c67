//! `machins remove`.

use clap::Args;
use machineid_client::{DeviceId, Error};
use serde::Serialize;

use crate::context::Context;
use crate::error::Failure;
use crate::format::counted;
use crate::input;
use crate::style::{BAD, GOOD};
use crate::text::clean;

/// Delete devices permanently
///
/// Each device is deleted by a call of its own, and one that fails does not keep the others from being
/// tried: the result says for each what happened, and the command exits with 1. After a failure that
/// the others would meet as well, such as an invalid key or no connection, no more are tried.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  machins remove agent-01 --yes\n  \
                  machins devices --status revoked -o id | xargs -r machins remove --yes")]
pub(crate) struct Remove {
    /// Ids of the devices
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
}

/// What became of a device, in the form of the service's replies for several devices.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Removal {
    device_id: DeviceId,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Removed,
    NotFound,
    Failed,
    NotTried,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Removals {
    removed_count: usize,
    results: Vec<Removal>,
}

impl Remove {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let parse = |id: &String| DeviceId::new(id).map_err(Failure::from);
        let ids: Vec<DeviceId> = self.ids.iter().map(parse).collect::<Result<_, _>>()?;
        let client = context.machineid()?;
        let named: Vec<&str> = ids.iter().map(DeviceId::as_str).collect();
        input::confirm(&format!("Delete {} permanently", named.join(", ")), self.yes)?;
        if let [device] = ids.as_slice() {
            let reply = client.remove(device).map_err(|error| naming(error, device))?;
            return context.out.outcome(&reply, || format!("{GOOD}removed{GOOD:#}  {device}"));
        }
        let mut stopped: Option<Failure> = None;
        let mut results = Vec::new();
        for device_id in ids {
            let (status, error) = match stopped {
                Some(_) => (Status::NotTried, None),
                None => match client.remove(&device_id) {
                    Ok(_) => (Status::Removed, None),
                    Err(error) if is_unknown_device(&error) => {
                        let code = error.code().unwrap_or("device_not_found").to_owned();
                        (Status::NotFound, Some(code))
                    }
                    Err(error) => {
                        let text = format!("{error:#}");
                        // Only what the service says about a device is about this one alone.
                        if !matches!(error.status(), Some(400 | 403 | 409 | 422)) {
                            stopped = Some(error.into());
                        }
                        (Status::Failed, Some(text))
                    }
                },
            };
            results.push(Removal { device_id, status, error });
        }
        report(context, results, stopped)
    }
}

/// Prints the result for each device. Fails if some could not be removed.
fn report(
    context: &Context,
    results: Vec<Removal>,
    stopped: Option<Failure>,
) -> Result<(), Failure> {
    let count = results.len();
    let removed_count = results.iter().filter(|item| item.status == Status::Removed).count();
    let removals = Removals { removed_count, results };
    let describe = || removals.results.iter().map(line).collect::<String>();
    if removed_count == count {
        return context.out.outcome(&removals, describe);
    }
    context.out.result(&removals, describe)?;
    let what =
        format!("{} of {} not removed", count - removed_count, counted(count as u64, "device"));
    Err(match stopped {
        Some(failure) => failure.about(&what),
        None => Failure::partial(what).hint("to see the devices that there are: `machins devices`"),
    })
}

fn line(removal: &Removal) -> String {
    let device = &removal.device_id;
    match (removal.status, &removal.error) {
        (Status::Removed, _) => format!("{GOOD}removed{GOOD:#}  {device}\n"),
        (Status::NotFound, _) => format!("{BAD}not found{BAD:#}  {device}\n"),
        (Status::Failed, error) => {
            let why = clean(error.as_deref().unwrap_or_default()).into_owned();
            format!("{BAD}failed{BAD:#}  {device}  {why}\n")
        }
        (Status::NotTried, _) => format!("{BAD}not tried{BAD:#}  {device}\n"),
    }
}

/// Whether a call for one device failed because the org has no such device.
fn is_unknown_device(error: &Error) -> bool {
    let is_org = error.code().is_some_and(|code| code.eq_ignore_ascii_case("ORG_NOT_FOUND"));
    error.status() == Some(404) && !is_org
}

/// Converts an error of a call for one device, and names the device if there is none of that id.
pub(super) fn naming(error: Error, device: &DeviceId) -> Failure {
    if !is_unknown_device(&error) {
        return error.into();
    }
    let failure = Failure::not_found(format!("the org has no device {device}"))
        .status(404)
        .hint("to see its devices: `machins devices`")
        .request_id(error.request_id());
    match error.code() {
        Some(code) => failure.code(code),
        None => failure,
    }
}
