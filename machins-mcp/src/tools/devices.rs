//! The tools of MachineID. None of them lets a device run that was told not to.

use machineid_client::DeviceId;
use serde_json::{Value, json};

use super::arguments::{DeviceArgument, Nothing};
use super::clients::Clients;
use super::failure::ToolFailure;
use super::table::{Effect, Entry};

type Reply = Result<Value, ToolFailure>;

/// The tools for devices.
pub(super) fn tools() -> Vec<Entry> {
    vec![
        Entry::new(
            "list_devices",
            "List devices",
            "Lists the devices of the org and whether each is active.",
            Effect::Reads,
            list,
        ),
        Entry::new(
            "register_device",
            "Register a device",
            "Registers a device with the org. One that was revoked stays revoked.",
            Effect::Changes,
            register,
        ),
        Entry::new(
            "validate_device",
            "May a device run?",
            "Asks MachineID whether a device may run now.",
            Effect::Reads,
            validate,
        ),
        Entry::new(
            "get_device_usage",
            "Show device usage",
            "Shows the plan of the org and how many devices it has.",
            Effect::Reads,
            usage,
        ),
        Entry::new(
            "revoke_device",
            "Revoke a device",
            "Revokes a device: it may not run any more. Only people can undo this.",
            Effect::Irreversible,
            revoke,
        ),
    ]
}

async fn list(clients: Clients, _: Nothing) -> Reply {
    Ok(shown(&clients.devices()?.list_devices().await?))
}

async fn validate(clients: Clients, given: DeviceArgument) -> Reply {
    let device = DeviceId::new(&given.device_id)?;
    let decision = clients.devices()?.validate(&device).await?;
    Ok(json!({
        "device_id": device.as_str(),
        "allowed": decision.is_allowed(),
        "code": decision.code().as_str(),
    }))
}

async fn usage(clients: Clients, _: Nothing) -> Reply {
    Ok(shown(&clients.devices()?.usage().await?))
}

async fn register(clients: Clients, given: DeviceArgument) -> Reply {
    let device = DeviceId::new(&given.device_id)?;
    let registration = clients.devices()?.register(&device).await?;
    Ok(json!({"device_id": device.as_str(), "registered": registration.is_registered()}))
}

async fn revoke(clients: Clients, given: DeviceArgument) -> Reply {
    let device = DeviceId::new(&given.device_id)?;
    clients.devices()?.revoke(&device).await?;
    Ok(json!({"device_id": device.as_str(), "revoked": true}))
}

fn shown(reply: &impl serde::Serialize) -> Value {
    serde_json::to_value(reply).unwrap_or_default()
}
