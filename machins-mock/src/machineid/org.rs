//! One org: its settings, its devices, and the operations on them.

use std::cmp::Reverse;

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::decision::DecisionCode;
use super::device::{Device, DeviceId, InvalidDeviceId, Revocation};
use super::plan::Plan;
use crate::clock::Time;

/// The maximum number of distinct valid ids in one batch.
pub(crate) const MAX_BATCH: usize = 500;

/// An org: its settings and its devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "OrgRecord")]
pub(crate) struct Org {
    #[serde(flatten)]
    pub(crate) settings: Settings,
    /// In order of registration.
    devices: IndexMap<DeviceId, Device>,
    /// How many devices are not revoked; counted anew on load.
    #[serde(skip)]
    active: usize,
}

/// The settings that the vendor or its console makes for an org.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent settings, not one state")]
pub(crate) struct Settings {
    pub(crate) plan: Plan,
    pub(crate) execution_enabled: bool,
    pub(crate) frozen: bool,
    pub(crate) entitlement_active: bool,
    pub(crate) available: bool,
}

/// An org as it is stored: without what can be counted.
#[derive(Deserialize)]
struct OrgRecord {
    #[serde(flatten)]
    settings: Settings,
    devices: IndexMap<DeviceId, Device>,
}

impl From<OrgRecord> for Org {
    fn from(OrgRecord { settings, devices }: OrgRecord) -> Self {
        let active = devices.values().filter(|device| device.is_active()).count();
        Self { settings, devices, active }
    }
}

/// The plan of an org and the number of its active devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) plan: Plan,
    pub(crate) used: usize,
}

/// The result of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registration {
    Created,
    Exists,
    PlanFrozen,
    Revoked,
    AtCap,
}

/// The result of revoking one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revoked {
    Now,
    Already,
    NotFound,
}

/// The result of restoring one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restored {
    Now,
    Already,
    AtCap,
    NotFound,
}

/// The result of restoring all revoked devices.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RestoredAll {
    /// The restored devices, in the order in which they were restored.
    Some(Vec<DeviceId>),
    NoneRevoked,
    AtCap,
}

impl Org {
    pub(crate) fn new(plan: Plan) -> Self {
        let settings = Settings {
            plan,
            execution_enabled: true,
            frozen: false,
            entitlement_active: true,
            available: true,
        };
        Self { settings, devices: IndexMap::new(), active: 0 }
    }

    pub(crate) fn figures(&self) -> Figures {
        Figures { plan: self.settings.plan, used: self.active }
    }

    pub(crate) fn devices(&self) -> impl ExactSizeIterator<Item = (&DeviceId, &Device)> {
        self.devices.iter()
    }

    fn is_full(&self) -> bool {
        self.active >= self.settings.plan.limit()
    }

    pub(crate) fn register(&mut self, id: DeviceId, now: Time) -> Registration {
        if self.settings.frozen {
            return Registration::PlanFrozen;
        }
        match self.devices.get(&id) {
            Some(device) if device.is_active() => Registration::Exists,
            Some(_) => Registration::Revoked,
            None if self.is_full() => Registration::AtCap,
            None => {
                self.devices.insert(id, Device::new(now));
                self.active += 1;
                Registration::Created
            }
        }
    }

    /// Decides whether a device of this org, whose service is known to be available, may
    /// run.
    pub(crate) fn decide(
        &mut self,
        id: Result<&DeviceId, InvalidDeviceId>,
        now: Time,
    ) -> DecisionCode {
        if !self.settings.execution_enabled {
            return DecisionCode::OrgDisabled;
        }
        if self.settings.frozen {
            return DecisionCode::PlanFrozen;
        }
        if !self.settings.entitlement_active {
            return DecisionCode::EntitlementExpired;
        }
        let Ok(id) = id else {
            return DecisionCode::InvalidDeviceId;
        };
        match self.devices.get_mut(id) {
            None => DecisionCode::DeviceNotFound,
            Some(device) if !device.is_active() => DecisionCode::DeviceRevoked,
            Some(device) => {
                device.last_validated_at = Some(now);
                DecisionCode::Allow
            }
        }
    }

    pub(crate) fn revoke(&mut self, id: &DeviceId, now: Time) -> Revoked {
        let order = self.next_order();
        match self.devices.get_mut(id) {
            None => Revoked::NotFound,
            Some(device) if !device.is_active() => Revoked::Already,
            Some(device) => {
                device.revoked = Some(Revocation { at: now, order });
                self.active -= 1;
                Revoked::Now
            }
        }
    }

    /// Returns an order after that of every revocation in force.
    fn next_order(&self) -> u64 {
        let orders = self.devices.values().filter_map(|device| device.revoked);
        orders.map(|revocation| revocation.order).max().map_or(0, |last| last.saturating_add(1))
    }

    /// Revokes every active device, and returns how many there were.
    pub(crate) fn revoke_all(&mut self, now: Time) -> usize {
        let before = self.active;
        let mut order = self.next_order();
        for device in self.devices.values_mut().filter(|device| device.is_active()) {
            device.revoked = Some(Revocation { at: now, order });
            order = order.saturating_add(1);
        }
        self.active = 0;
        before
    }

    pub(crate) fn unrevoke(&mut self, id: &DeviceId) -> Restored {
        let full = self.is_full();
        match self.devices.get_mut(id) {
            None => Restored::NotFound,
            Some(device) if device.is_active() => Restored::Already,
            Some(_) if full => Restored::AtCap,
            Some(device) => {
                device.revoked = None;
                self.active += 1;
                Restored::Now
            }
        }
    }

    /// Restores revoked devices, the newest revoked first, until the plan is full.
    pub(crate) fn unrevoke_all(&mut self) -> RestoredAll {
        let mut revoked: Vec<_> = self
            .devices
            .iter_mut()
            .filter_map(|(id, device)| {
                device.revoked.map(|revocation| (revocation.order, id, device))
            })
            .collect();
        if revoked.is_empty() {
            return RestoredAll::NoneRevoked;
        }
        let room = self.settings.plan.limit().saturating_sub(self.active);
        if room == 0 {
            return RestoredAll::AtCap;
        }
        revoked.sort_by_key(|(order, ..)| Reverse(*order));
        let restored: Vec<_> = revoked
            .into_iter()
            .take(room)
            .map(|(_, id, device)| {
                device.revoked = None;
                id.clone()
            })
            .collect();
        self.active += restored.len();
        RestoredAll::Some(restored)
    }

    /// Deletes a device permanently; returns false if there is none.
    pub(crate) fn remove(&mut self, id: &DeviceId) -> bool {
        let Some(device) = self.devices.shift_remove(id) else {
            return false;
        };
        if device.is_active() {
            self.active -= 1;
        }
        true
    }
}

/// An entry of a batch: a device id, or the text that is not one.
pub(crate) type BatchEntry = Result<DeviceId, String>;

/// An error: a batch has too many distinct valid ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyIds;

/// Returns the distinct entries of a batch, in the order given. An entry that is not text is its
/// JSON.
pub(crate) fn batch(ids: &[Box<RawValue>]) -> Result<Vec<BatchEntry>, TooManyIds> {
    let entry = |json: &RawValue| match serde_json::from_str::<String>(json.get()) {
        Ok(id) => DeviceId::parse(&id).map_err(|_| id.trim().to_owned()),
        Err(_) => Err(json.get().to_owned()),
    };
    let distinct: IndexSet<BatchEntry> = ids.iter().map(|json| entry(json)).collect();
    if distinct.iter().filter(|entry| entry.is_ok()).count() > MAX_BATCH {
        return Err(TooManyIds);
    }
    Ok(distinct.into_iter().collect())
}
