//! Creating an org, and upgrading its plan.

use agent_client_core::{Call, Error, ErrorKind, Extra, Reply, Transport, operation, with_extra};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::auth::{ORG_KEY, OrgKey};
use crate::client::Api;
use crate::plan::PlanTier;

/// The handlers of this file's endpoints, which cannot be the source of a decision.
pub(crate) const HANDLERS: &[&str] = &["billing/checkout", "org/create"];

/// A new org on the free plan, as [`Api::create_org`] returns it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewOrg {
    /// The org's key. Store it: the service does not show it again.
    pub org_key: OrgKey,
    /// All other fields of the reply.
    pub extra: Extra,
}

/// The reply to [`Api::checkout`]: where to pay for a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Checkout {
    /// The URL of a Stripe Checkout page, to be opened by a person.
    pub url: String,
    /// Fields of the reply that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Checkout);

/// Creating an org, and upgrading its plan: see the service's
/// [API Reference](https://machineid.io/docs).
///
/// ```
/// use machineid_client::PlanTier;
///
/// # fn store(_: &str) {}
/// # test_support::machineid(async |client| {
/// let page = client.checkout(&PlanTier::Pro).await?;
/// println!("open {}", page.url);
///
/// let new = client.create_org().await?;
/// store(new.org_key.expose()); // it is not shown again
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Creates a Stripe Checkout page on which a person can upgrade the org to `plan`:
    /// `POST /api/v1/billing/checkout`.
    ///
    /// # Errors
    /// Returns [`ErrorKind::BadRequest`] with code `invalid_plan` if the plan is not for sale.
    pub fn checkout(&self, plan: &PlanTier) -> T::Reply<Checkout> {
        let call = Call::post("/api/v1/billing/checkout")
            .operation(operation!("machineid.checkout"))
            .auth(&ORG_KEY)
            .body(&json!({"plan": plan}))
            // A page that nobody opens has no effect.
            .idempotent();
        self.send(call.json())
    }

    /// Creates an org on the free plan; no key is needed: `POST /api/v1/org/create`. The vendor's
    /// templates use this endpoint, but its reference does not list it.
    ///
    /// # Errors
    /// Returns [`ErrorKind::OutcomeUnknown`] if there is no readable reply. An org whose key nobody
    /// knows may then exist, which does no harm: create another one.
    pub fn create_org(&self) -> T::Reply<NewOrg> {
        let call = Call::post("/api/v1/org/create")
            .operation(operation!("machineid.create_org"))
            .body(&json!({}))
            .unknown_hint(
                "an org whose key nobody knows may exist; it does no harm, create another one",
            );
        self.send(call.decode(read_new_org))
    }
}

#[cfg(feature = "test-util")]
impl NewOrg {
    /// Reads a reply as [`Api::create_org`] does, for tests (feature `test-util`).
    ///
    /// # Errors
    /// Returns an error in the same cases as [`Api::create_org`].
    pub fn from_reply(reply: &Reply) -> Result<Self, Error> {
        read_new_org(reply)
    }
}

/// Reads the reply. No error repeats any of it, because it contains the key.
fn read_new_org(reply: &Reply) -> Result<NewOrg, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        org_api_key: String,
        #[serde(flatten)]
        extra: Extra,
    }
    if !reply.is_success() {
        return Err(reply.error());
    }
    let unreadable = |_| {
        let message = "the reply to org/create contains no org key";
        Error::new(ErrorKind::UnreadableReply, message)
    };
    let body: Body = reply.json().map_err(unreadable)?;
    let org_key = OrgKey::new(&body.org_api_key).map_err(unreadable)?;
    Ok(NewOrg { org_key, extra: body.extra })
}
