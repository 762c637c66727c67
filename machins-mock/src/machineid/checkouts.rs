//! Checkouts: the pages at which a plan is paid for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checkout::{Checkout, CheckoutStatus};
use super::orgs::MachineId;
use super::plan::Plan;
use crate::clock::Time;
use crate::random::Random;

/// What a person does at a checkout page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckoutOutcome {
    /// Pays: the org has the plan from now on.
    Pay,
    /// Cancels: nothing changes.
    Cancel,
}

/// A checkout as it is shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MockCheckout")]
pub(crate) struct CheckoutState {
    id: String,
    org_key: String,
    /// The plan to pay for.
    plan: Plan,
    /// The plan that the org has now; null if there is no such org any more.
    current_plan: Option<Plan>,
    /// What the mock charges a month, in US dollars: an invented price.
    price_usd: u32,
    /// The number of devices that may be active at once on the plan.
    limit: usize,
    status: CheckoutStatus,
    created_at: Time,
}

/// Why a checkout was not paid or cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CheckoutError {
    #[error("there is no such checkout")]
    NotFound,
    #[error("the checkout has been paid or cancelled already")]
    Finished,
}

impl MachineId {
    /// Creates a checkout and returns its id.
    pub(crate) fn create_checkout(
        &mut self,
        key: &str,
        plan: Plan,
        now: Time,
        random: &mut Random,
    ) -> Option<String> {
        let (key, _) = self.orgs.get_key_value(key)?;
        let org_key = key.clone();
        let id = random.token("cs_test_");
        let status = CheckoutStatus::Open;
        self.checkouts.insert(id.clone(), Checkout { org_key, plan, status, created_at: now });
        Some(id)
    }

    /// Returns all checkouts, oldest first.
    pub(crate) fn checkouts(&self) -> Vec<CheckoutState> {
        self.checkouts.iter().map(|(id, checkout)| self.shown(id, checkout)).collect()
    }

    pub(crate) fn checkout(&self, id: &str) -> Result<CheckoutState, CheckoutError> {
        let checkout = self.checkouts.get(id).ok_or(CheckoutError::NotFound)?;
        Ok(self.shown(id, checkout))
    }

    fn shown(&self, id: &str, checkout: &Checkout) -> CheckoutState {
        CheckoutState {
            id: id.to_owned(),
            org_key: checkout.org_key.as_str().to_owned(),
            plan: checkout.plan,
            current_plan: self.orgs.get(&checkout.org_key).map(|org| org.settings.plan),
            price_usd: checkout.plan.mock_price_usd(),
            limit: checkout.plan.limit(),
            status: checkout.status,
            created_at: checkout.created_at,
        }
    }

    /// Pays or cancels a checkout. What is paid for holds at once.
    pub(crate) fn finish_checkout(
        &mut self,
        id: &str,
        outcome: CheckoutOutcome,
    ) -> Result<CheckoutState, CheckoutError> {
        let checkout = self.checkouts.get_mut(id).ok_or(CheckoutError::NotFound)?;
        if checkout.status != CheckoutStatus::Open {
            return Err(CheckoutError::Finished);
        }
        match outcome {
            CheckoutOutcome::Cancel => checkout.status = CheckoutStatus::Cancelled,
            CheckoutOutcome::Pay => {
                let org = self.orgs.get_mut(&checkout.org_key).ok_or(CheckoutError::NotFound)?;
                org.settings.plan = checkout.plan;
                org.settings.entitlement_active = true;
                checkout.status = CheckoutStatus::Paid;
            }
        }
        self.checkout(id)
    }
}
