//! A checkout, as it is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::org_key::OrgKey;
use super::plan::Plan;
use crate::clock::Time;

/// A checkout, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkout {
    pub(super) org_key: OrgKey,
    pub(super) plan: Plan,
    pub(super) status: CheckoutStatus,
    pub(super) created_at: Time,
}

/// The status of a checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckoutStatus {
    /// Neither paid nor cancelled yet.
    Open,
    /// Paid; the org has the plan.
    Paid,
    /// Cancelled; the org kept its plan.
    Cancelled,
}
