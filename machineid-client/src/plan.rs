//! Plans, and how much of a plan is used.

use agent_client_core::{Call, Error, Extra, Transport, open_enum, operation};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::auth::ORG_KEY;
use crate::client::Api;

/// The handlers of this file's endpoints, which cannot be the source of a decision.
pub(crate) const HANDLERS: &[&str] = &["usage"];

open_enum! {
    /// A plan, which limits how many devices of the org may be active at the same time.
    pub enum PlanTier {
        /// The free plan: up to 3 devices.
        Free = "free",
        /// The Pro plan: up to 25 devices.
        Pro = "pro",
        /// The Scale plan: up to 250 devices.
        Scale = "scale",
        /// The Max plan: up to 1,000 devices.
        Max = "max",
    }
}

/// An org's plan and how much of it is used. Each field is `None` if the reply lacks it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PlanFigures {
    /// The plan that the org is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_tier: Option<PlanTier>,
    /// The maximum number of active devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The number of active devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices_used: Option<u64>,
    /// The number of devices that can still become active; negative after a change to a smaller
    /// plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

/// The reply to [`Api::usage`]: how much of the org's plan is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// The org's plan and how much of it is used.
    #[serde(flatten)]
    pub figures: PlanFigures,
    /// Fields of the reply that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl PlanFigures {
    /// Removes the figures from the fields of a reply.
    pub(crate) fn take(fields: &mut Extra) -> Result<Self, Error> {
        Ok(Self {
            plan_tier: fields.take("planTier")?,
            limit: fields.take("limit")?,
            devices_used: fields.take("devicesUsed")?,
            remaining: fields.take("remaining")?,
        })
    }
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut extra = Extra::deserialize(deserializer)?;
        let figures = PlanFigures::take(&mut extra).map_err(D::Error::custom)?;
        Ok(Self { figures, extra })
    }
}

/// The org's plan: see the service's [API Reference](https://machineid.io/docs).
///
/// ```
/// use machineid_client::PlanTier;
///
/// # test_support::machineid(async |client| {
/// let usage = client.usage().await?;
/// assert_eq!(usage.figures.plan_tier, Some(PlanTier::Free));
/// assert_eq!((usage.figures.devices_used, usage.figures.limit), (Some(0), Some(3)));
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Returns the org's plan and how much of it is used: `GET /api/v1/usage`.
    ///
    /// # Errors
    /// Returns an error if the request is refused or there is no readable reply: see
    /// [`ErrorKind`](crate::ErrorKind).
    pub fn usage(&self) -> T::Reply<Usage> {
        self.send(
            Call::get("/api/v1/usage")
                .operation(operation!("machineid.usage"))
                .auth(&ORG_KEY)
                .json(),
        )
    }
}
