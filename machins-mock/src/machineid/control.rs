//! Test controls of orgs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::org::Settings;
use super::orgs::MachineId;
use super::plan::Plan;

/// An error: the org does not exist, or no longer exists because the server was reset or
/// its world replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mock server has no such org")]
pub struct UnknownOrg;

/// An org's settings and its number of active devices.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "independent settings, not one state")]
pub struct OrgState {
    /// The org's key, `org_…`.
    pub org_key: String,
    /// The plan, which limits the number of active devices.
    pub plan: Plan,
    /// Whether the org's devices may run; if not, validations answer `ORG_DISABLED`.
    pub execution_enabled: bool,
    /// Whether the plan is frozen; if so, validations answer `PLAN_FROZEN`.
    pub frozen: bool,
    /// Whether the plan is paid for; if not, validations answer `ENTITLEMENT_EXPIRED`.
    pub entitlement_active: bool,
    /// Whether MachineID is available to the org; if not, every call fails with
    /// `SYSTEM_UNAVAILABLE`.
    pub available: bool,
    /// The number of devices that may be active at once.
    pub limit: usize,
    /// The number of devices that are active.
    pub devices_used: usize,
}

/// Changes to an org's settings; those that are not set stay as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OrgUpdate {
    plan: Option<Plan>,
    execution_enabled: Option<bool>,
    frozen: Option<bool>,
    entitlement_active: Option<bool>,
    available: Option<bool>,
}

impl MachineId {
    /// Returns the state of every org, in order of creation.
    pub(crate) fn org_states(&self) -> Vec<OrgState> {
        self.keys().filter_map(|key| self.org_state(key.as_str()).ok()).collect()
    }

    pub(crate) fn org_state(&self, key: &str) -> Result<OrgState, UnknownOrg> {
        let org = self.org(key).ok_or(UnknownOrg)?;
        let Settings { plan, execution_enabled, frozen, entitlement_active, available } =
            org.settings;
        Ok(OrgState {
            org_key: key.to_owned(),
            plan,
            execution_enabled,
            frozen,
            entitlement_active,
            available,
            limit: plan.limit(),
            devices_used: org.figures().used,
        })
    }

    pub(crate) fn update_org(
        &mut self,
        key: &str,
        update: OrgUpdate,
    ) -> Result<OrgState, UnknownOrg> {
        let settings = &mut self.org_mut(key).ok_or(UnknownOrg)?.settings;
        let before = *settings;
        *settings = Settings {
            plan: update.plan.unwrap_or(before.plan),
            execution_enabled: update.execution_enabled.unwrap_or(before.execution_enabled),
            frozen: update.frozen.unwrap_or(before.frozen),
            entitlement_active: update.entitlement_active.unwrap_or(before.entitlement_active),
            available: update.available.unwrap_or(before.available),
        };
        self.org_state(key)
    }
}

impl OrgUpdate {
    pub(crate) fn from_settings(
        execution_enabled: Option<bool>,
        frozen: Option<bool>,
        entitlement_active: Option<bool>,
        available: Option<bool>,
    ) -> Self {
        Self { plan: None, execution_enabled, frozen, entitlement_active, available }
    }

    /// Creates an update that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes the plan. Devices beyond a lower limit stay active.
    #[must_use]
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Sets whether the org's devices may run. If not, validations answer `ORG_DISABLED`.
    #[must_use]
    pub fn execution_enabled(mut self, enabled: bool) -> Self {
        self.execution_enabled = Some(enabled);
        self
    }

    /// Sets whether the plan is frozen. If so, validations answer `PLAN_FROZEN`.
    #[must_use]
    pub fn frozen(mut self, frozen: bool) -> Self {
        self.frozen = Some(frozen);
        self
    }

    /// Sets whether the plan is paid for. If not, validations answer `ENTITLEMENT_EXPIRED`.
    #[must_use]
    pub fn entitlement_active(mut self, active: bool) -> Self {
        self.entitlement_active = Some(active);
        self
    }

    /// Sets whether MachineID is available to the org. If not, every call fails with
    /// `SYSTEM_UNAVAILABLE`.
    #[must_use]
    pub fn available(mut self, available: bool) -> Self {
        self.available = Some(available);
        self
    }
}

impl fmt::Debug for OrgState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrgState")
            .field("plan", &self.plan)
            .field("execution_enabled", &self.execution_enabled)
            .field("frozen", &self.frozen)
            .field("entitlement_active", &self.entitlement_active)
            .field("available", &self.available)
            .field("limit", &self.limit)
            .field("devices_used", &self.devices_used)
            .finish_non_exhaustive()
    }
}
