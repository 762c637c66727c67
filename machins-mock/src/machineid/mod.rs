//! MachineID: orgs and their devices.
//!
//! The model is plain functions on plain data: it knows no HTTP, and is given the time and
//! randomness.

mod checkout;
pub(crate) mod checkouts;
mod control;
mod decision;
mod device;
pub(crate) mod inspection;
pub(crate) mod org;
mod org_key;
mod orgs;
mod plan;
#[cfg(test)]
mod properties;

pub use self::control::{OrgState, OrgUpdate, UnknownOrg};
pub(crate) use self::decision::DecisionCode;
pub(crate) use self::device::{Device, DeviceId, InvalidDeviceId};
pub(crate) use self::org_key::OrgKey;
pub use self::orgs::OrgKeyError;
pub(crate) use self::orgs::{KeyError, MachineId};
pub use self::plan::Plan;
