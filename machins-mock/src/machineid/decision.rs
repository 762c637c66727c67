//! The answers to "may this device run?".

use schemars::JsonSchema;
use serde::Serialize;

/// The ten documented decision codes, in the order in which their conditions are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DecisionCode {
    InvalidOrgKey,
    SystemUnavailable,
    OrgNotFound,
    OrgDisabled,
    PlanFrozen,
    EntitlementExpired,
    InvalidDeviceId,
    DeviceNotFound,
    DeviceRevoked,
    Allow,
}

impl DecisionCode {
    pub(crate) const ALL: [Self; 10] = [
        Self::InvalidOrgKey,
        Self::SystemUnavailable,
        Self::OrgNotFound,
        Self::OrgDisabled,
        Self::PlanFrozen,
        Self::EntitlementExpired,
        Self::InvalidDeviceId,
        Self::DeviceNotFound,
        Self::DeviceRevoked,
        Self::Allow,
    ];

    pub(crate) const fn allowed(self) -> bool {
        matches!(self, Self::Allow)
    }
}
