//! What a test may do to organisations.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::org::Switches;
use super::orgs::MachineId;
use super::plan::Plan;

/// There is no such organisation, or no longer: the server was reset or its world replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mock server has no such organisation")]
pub struct UnknownOrg;

/// An organisation's switches and how full its plan is.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, not one state")]
pub struct OrgState {
    /// The organisation's secret, `org_…`.
    pub org_key: String,
    /// Its plan.
    pub plan: Plan,
    /// Whether its devices may run at all; else `ORG_DISABLED`.
    pub execution_enabled: bool,
    /// Whether the plan is frozen: `PLAN_FROZEN`.
    pub frozen: bool,
    /// Whether the plan is paid for; else `ENTITLEMENT_EXPIRED`.
    pub entitlement_active: bool,
    /// Whether MachineID can answer for it; else every call fails with `SYSTEM_UNAVAILABLE`.
    pub available: bool,
    /// How many devices may be active at once.
    pub limit: usize,
    /// How many devices are active.
    pub devices_used: usize,
}

/// Changes to an organisation's switches; what is not given stays.
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
    pub(crate) fn org_state(&self, key: &str) -> Result<OrgState, UnknownOrg> {
        let org = self.org(key).ok_or(UnknownOrg)?;
        let Switches { plan, execution_enabled, frozen, entitlement_active, available } =
            org.switches;
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
        let switches = &mut self.org_mut(key).ok_or(UnknownOrg)?.switches;
        let before = *switches;
        *switches = Switches {
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
    /// No change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes the plan; devices beyond a lower limit stay active.
    #[must_use]
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Lets the organisation's devices run, or none of them.
    #[must_use]
    pub fn execution_enabled(mut self, enabled: bool) -> Self {
        self.execution_enabled = Some(enabled);
        self
    }

    /// Freezes the plan, or thaws it.
    #[must_use]
    pub fn frozen(mut self, frozen: bool) -> Self {
        self.frozen = Some(frozen);
        self
    }

    /// Has the plan paid for, or not.
    #[must_use]
    pub fn entitlement_active(mut self, active: bool) -> Self {
        self.entitlement_active = Some(active);
        self
    }

    /// Makes MachineID answer for the organisation, or fail.
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
