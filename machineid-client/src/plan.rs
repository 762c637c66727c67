//! Plans and how much of one is used.

use agent_client_core::{Call, Extra, Transport, open_enum};
use serde::{Deserialize, Serialize};

use crate::auth::ORG_KEY;
use crate::client::Api;

open_enum! {
    /// A plan. It limits how many devices may be active at once.
    pub enum PlanTier {
        /// 3 devices.
        Free = "free",
        /// 25 devices.
        Pro = "pro",
        /// 250 devices.
        Scale = "scale",
        /// 1,000 devices.
        Max = "max",
    }
}

/// An org's plan and how much of it is used. Whatever a reply leaves out is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PlanFigures {
    /// The plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_tier: Option<PlanTier>,
    /// How many devices may be active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How many are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices_used: Option<u64>,
    /// How many more may be; below zero after a change to a smaller plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

/// The reply to [`Api::usage`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// The figures.
    #[serde(flatten)]
    pub figures: PlanFigures,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The org's plan, as in the reference's *API Reference*.
///
/// ```
/// use machineid_client::{Client, PlanTier};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let org = server.create_org(machins_mock::Plan::Free);
/// # let client = Client::builder()
/// #     .org_key(machineid_client::OrgKey::new(org.key())?)
/// #     .base_url(server.machineid_base_url())
/// #     .build()?;
/// let usage = client.usage().await?;
/// assert_eq!(usage.figures.plan_tier, Some(PlanTier::Free));
/// assert_eq!((usage.figures.devices_used, usage.figures.limit), (Some(0), Some(3)));
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// The org's plan and how much of it is used. `GET /api/v1/usage`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn usage(&self) -> T::Reply<Usage> {
        self.send(Call::get("/api/v1/usage").auth(&ORG_KEY).json())
    }
}
