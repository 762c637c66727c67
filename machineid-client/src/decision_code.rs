//! Why a device may or may not run.

use agent_client_core::open_enum;

open_enum! {
    /// Why a device may or may not run: the service's [Decision Codes](https://machineid.io/docs).
    pub enum DecisionCode {
        /// Execution is allowed: the device may run.
        Allow = "ALLOW",
        /// Execution is disabled for the whole org, which overrides all device and plan checks.
        OrgDisabled = "ORG_DISABLED",
        /// MachineID could not make an authoritative decision. This is also the code of a denial
        /// without a decision: the service did not answer, or the answer was unreadable.
        SystemUnavailable = "SYSTEM_UNAVAILABLE",
        /// The org's plan is frozen.
        PlanFrozen = "PLAN_FROZEN",
        /// The entitlement of the org's plan is not active.
        EntitlementExpired = "ENTITLEMENT_EXPIRED",
        /// The device is revoked and may not run until it is restored.
        DeviceRevoked = "DEVICE_REVOKED",
        /// The device is not registered.
        DeviceNotFound = "DEVICE_NOT_FOUND",
        /// No org has this org key.
        OrgNotFound = "ORG_NOT_FOUND",
        /// The org key is malformed or missing.
        InvalidOrgKey = "INVALID_ORG_KEY",
        /// The device id is invalid.
        InvalidDeviceId = "INVALID_DEVICE_ID",
    }
}
