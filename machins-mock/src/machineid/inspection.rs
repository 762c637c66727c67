//! Reading and changing the devices of all orgs, for the control API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::control::UnknownOrg;
use super::device::{Device, DeviceId};
use super::org::{Org, Registration, Restored, RestoredAll, Revoked};
use super::orgs::MachineId;
use crate::clock::Time;

/// The maximum number of devices that one call changes.
pub(crate) const MAX_CHANGED: usize = 1_000;

/// Which devices are returned; all of them by default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct DevicesQuery {
    /// Returns only devices of the org with this key.
    org_key: Option<String>,
    /// Returns only devices with this status.
    status: Option<DeviceStatus>,
    /// Returns only devices with this text in their id.
    search: Option<String>,
    /// The number of devices to skip; 0 by default.
    offset: Option<usize>,
    /// The maximum number of devices; all by default.
    limit: Option<usize>,
}

/// Whether a device is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "InspectedDeviceStatus")]
pub(crate) enum DeviceStatus {
    Active,
    Revoked,
}

/// A device, and whose it is.
#[derive(Serialize, JsonSchema)]
pub(crate) struct InspectedDevice {
    org_key: String,
    device_id: DeviceId,
    status: DeviceStatus,
    created_at: Time,
    revoked_at: Option<Time>,
    /// The time at which a validation last allowed the device to run.
    last_validated_at: Option<Time>,
}

/// Devices of all orgs, in order of registration.
#[derive(Serialize, JsonSchema)]
pub(crate) struct InspectedDevices {
    devices: Vec<InspectedDevice>,
    /// The number of devices that match, whatever the limit.
    total: usize,
}

/// What to do with devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeviceAction {
    /// Registers new devices.
    Register,
    Revoke,
    /// Restores revoked devices, up to the limit of the plan.
    Restore,
    /// Deletes devices permanently.
    Remove,
}

/// A change of devices.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeviceChanges {
    pub(crate) action: DeviceAction,
    /// The ids of at most 1000 devices. Without it, all devices are revoked, or restored, the
    /// newest revoked first.
    #[serde(default)]
    pub(crate) devices: Option<Vec<DeviceId>>,
}

/// What came of a change of devices.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct ChangedDevices {
    changed: Vec<DeviceId>,
    unchanged: Vec<UnchangedDevice>,
}

/// A device that was not changed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UnchangedDevice {
    device_id: DeviceId,
    reason: UnchangedReason,
}

/// The reason why a device was not changed.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnchangedReason {
    /// The device is in this state already.
    Already,
    NotFound,
    /// The plan allows no further active device.
    AtCap,
    /// The device is revoked; `restore` restores it.
    Revoked,
    PlanFrozen,
}

/// MachineID at a glance.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "MachineIdFigures")]
pub(crate) struct Figures {
    orgs: usize,
    devices: usize,
    /// The number of devices that a validation would allow to run now.
    allowed: usize,
    /// The number of devices that a validation would deny now.
    denied: usize,
    /// The number of devices that are revoked.
    revoked: usize,
}

impl InspectedDevice {
    fn new(org_key: &str, id: &DeviceId, device: &Device) -> Self {
        let is_active = device.is_active();
        Self {
            org_key: org_key.to_owned(),
            device_id: id.clone(),
            status: if is_active { DeviceStatus::Active } else { DeviceStatus::Revoked },
            created_at: device.created_at,
            revoked_at: device.revoked.map(|revocation| revocation.at),
            last_validated_at: device.last_validated_at,
        }
    }
}

impl MachineId {
    pub(crate) fn inspect_devices(&self, query: &DevicesQuery) -> InspectedDevices {
        let text = query.search.as_deref().unwrap_or_default().to_ascii_lowercase();
        let orgs = self.orgs.iter().filter(|(key, _)| {
            query.org_key.as_deref().is_none_or(|wanted| wanted == key.as_str())
        });
        let devices = orgs.flat_map(|(key, org)| {
            org.devices().map(move |(id, device)| (key.as_str(), id, device))
        });
        let found: Vec<_> = devices
            .filter(|(_, id, device)| {
                let is_active = device.is_active();
                query.status.is_none_or(|status| (status == DeviceStatus::Active) == is_active)
                    && (text.is_empty() || id.to_string().to_ascii_lowercase().contains(&text))
            })
            .collect();
        let total = found.len();
        let part = found
            .into_iter()
            .skip(query.offset.unwrap_or(0))
            .take(query.limit.unwrap_or(usize::MAX));
        let devices = part.map(|(key, id, device)| InspectedDevice::new(key, id, device));
        InspectedDevices { devices: devices.collect(), total }
    }

    /// Changes devices of an org, whether it is available or not.
    pub(crate) fn change_devices(
        &mut self,
        key: &str,
        changes: DeviceChanges,
        now: Time,
    ) -> Result<ChangedDevices, UnknownOrg> {
        let org = self.org_mut(key).ok_or(UnknownOrg)?;
        let DeviceChanges { action, devices } = changes;
        let mut result = ChangedDevices::default();
        let Some(devices) = devices else {
            result.changed = change_all(org, action, now);
            return Ok(result);
        };
        for id in devices {
            match change(org, action, &id, now) {
                Ok(()) => result.changed.push(id),
                Err(reason) => result.unchanged.push(UnchangedDevice { device_id: id, reason }),
            }
        }
        Ok(result)
    }

    pub(crate) fn figures(&self) -> Figures {
        let mut figures = Figures { orgs: self.orgs.len(), ..Figures::default() };
        for org in self.orgs.values() {
            let (all, active) = (org.devices().len(), org.figures().used);
            let settings = org.settings;
            let may_run = settings.available
                && settings.execution_enabled
                && !settings.frozen
                && settings.entitlement_active;
            let allowed = if may_run { active } else { 0 };
            figures.devices += all;
            figures.revoked += all - active;
            figures.allowed += allowed;
            figures.denied += all - allowed;
        }
        figures
    }
}

fn change(
    org: &mut Org,
    action: DeviceAction,
    id: &DeviceId,
    now: Time,
) -> Result<(), UnchangedReason> {
    match action {
        DeviceAction::Register => match org.register(id.clone(), now) {
            Registration::Created => Ok(()),
            Registration::Exists => Err(UnchangedReason::Already),
            Registration::PlanFrozen => Err(UnchangedReason::PlanFrozen),
            Registration::Revoked => Err(UnchangedReason::Revoked),
            Registration::AtCap => Err(UnchangedReason::AtCap),
        },
        DeviceAction::Revoke => match org.revoke(id, now) {
            Revoked::Now => Ok(()),
            Revoked::Already => Err(UnchangedReason::Already),
            Revoked::NotFound => Err(UnchangedReason::NotFound),
        },
        DeviceAction::Restore => match org.unrevoke(id) {
            Restored::Now => Ok(()),
            Restored::Already => Err(UnchangedReason::Already),
            Restored::AtCap => Err(UnchangedReason::AtCap),
            Restored::NotFound => Err(UnchangedReason::NotFound),
        },
        DeviceAction::Remove if org.remove(id) => Ok(()),
        DeviceAction::Remove => Err(UnchangedReason::NotFound),
    }
}

/// Revokes or restores all devices of an org, and returns those that were changed.
fn change_all(org: &mut Org, action: DeviceAction, now: Time) -> Vec<DeviceId> {
    match action {
        DeviceAction::Revoke => {
            let active = org.devices().filter(|(_, device)| device.is_active());
            let ids = active.map(|(id, _)| id.clone()).collect();
            org.revoke_all(now);
            ids
        }
        DeviceAction::Restore => match org.unrevoke_all() {
            RestoredAll::Some(ids) => ids,
            RestoredAll::NoneRevoked | RestoredAll::AtCap => Vec::new(),
        },
        DeviceAction::Register | DeviceAction::Remove => Vec::new(),
    }
}
