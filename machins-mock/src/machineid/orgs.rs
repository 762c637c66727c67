//! All orgs, and the check of their keys.

use indexmap::IndexMap;
use indexmap::map::Entry;
use serde::{Deserialize, Serialize};

use super::checkout::Checkout;
use super::decision::DecisionCode;
use super::device::{DeviceId, InvalidDeviceId};
use super::org::Org;
use super::org_key::{OrgKey, is_org_key};
use super::plan::Plan;
use crate::clock::Time;
use crate::limits::RECORD_SIZE;
use crate::mask::is_chosen_key;
use crate::random::Random;

/// Every org of one world.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MachineId {
    pub(super) orgs: IndexMap<OrgKey, Org>,
    /// The checkouts by their ids, oldest first.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(super) checkouts: IndexMap<String, Checkout>,
}

/// The reason why an org was not created with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrgKeyError {
    /// The key is not `org_` and 1 to 128 letters, digits and `. _ -`.
    #[error("`org_key`: must be org_ and 1 to 128 letters, digits and . _ -")]
    Invalid,
    /// Another org has the key.
    #[error("`org_key`: another org has this key")]
    Duplicate,
}

/// The reason why a key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyError {
    /// The key is missing, or not `org_…`.
    Malformed,
    /// No org has the key.
    Unknown,
    /// MachineID is not available to the org.
    Unavailable,
}

impl MachineId {
    /// Creates an org that is enabled, paid for, available and not frozen, and returns its
    /// key.
    pub(crate) fn create_org(&mut self, plan: Plan, random: &mut Random) -> OrgKey {
        let key = OrgKey(random.token("org_"));
        self.orgs.insert(key.clone(), Org::new(plan));
        key
    }

    /// Creates such an org with a key of the caller's choice.
    pub(crate) fn create_org_with_key(
        &mut self,
        plan: Plan,
        key: String,
    ) -> Result<OrgKey, OrgKeyError> {
        if !is_chosen_key(&key, "org_") {
            return Err(OrgKeyError::Invalid);
        }
        match self.orgs.entry(OrgKey(key)) {
            Entry::Occupied(_) => Err(OrgKeyError::Duplicate),
            Entry::Vacant(entry) => {
                let key = entry.key().clone();
                entry.insert(Org::new(plan));
                Ok(key)
            }
        }
    }

    /// Returns the keys of all orgs, in order of creation.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &OrgKey> {
        self.orgs.keys()
    }

    /// Returns the approximate size of all orgs in bytes.
    pub(crate) fn size(&self) -> usize {
        let records = self.orgs.values().map(|org| 1 + org.devices().len());
        (records.sum::<usize>() + self.checkouts.len()) * RECORD_SIZE
    }

    /// Returns the org with this key, whether it is available or not.
    pub(crate) fn org(&self, key: &str) -> Option<&Org> {
        self.orgs.get(key)
    }

    pub(crate) fn org_mut(&mut self, key: &str) -> Option<&mut Org> {
        self.orgs.get_mut(key)
    }

    /// Returns the org with this key, if it is available.
    pub(crate) fn authorize(&mut self, key: Option<&str>) -> Result<&mut Org, KeyError> {
        let key = key.filter(|key| is_org_key(key)).ok_or(KeyError::Malformed)?;
        let org = self.orgs.get_mut(key).ok_or(KeyError::Unknown)?;
        if org.settings.available { Ok(org) } else { Err(KeyError::Unavailable) }
    }

    /// Decides whether a device may run.
    pub(crate) fn validate(
        &mut self,
        key: Option<&str>,
        id: Result<&DeviceId, InvalidDeviceId>,
        now: Time,
    ) -> DecisionCode {
        match self.authorize(key) {
            Err(KeyError::Malformed) => DecisionCode::InvalidOrgKey,
            Err(KeyError::Unavailable) => DecisionCode::SystemUnavailable,
            Err(KeyError::Unknown) => DecisionCode::OrgNotFound,
            Ok(org) => org.decide(id, now),
        }
    }
}
