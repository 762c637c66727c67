//! The org: its key, its plan's checkout, its creation.

use agent_client_core::{Call, Error, ErrorKind, Extra, Transport};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::auth::{ORG_KEY, OrgKey};
use crate::client::Api;
use crate::plan::PlanTier;

/// A new org, on the free plan. Its key is shown this once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewOrg {
    /// The key. Store it: it can't be had again.
    pub org_key: OrgKey,
    /// Everything else in the reply.
    pub extra: Extra,
}

/// Where to pay for a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkout {
    /// A Stripe Checkout page, for a person to open.
    pub url: String,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// An org's upgrade, as in the reference's *API Reference*, and its making.
///
/// ```
/// use machineid_client::{Client, PlanTier};
///
/// # fn store(_: &str) {}
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let org = server.create_org(machins_mock::Plan::Free);
/// # let client = Client::builder()
/// #     .org_key(machineid_client::OrgKey::new(org.key())?)
/// #     .base_url(server.machineid_base_url())
/// #     .build()?;
/// let page = client.checkout(&PlanTier::Pro).await?;
/// println!("open {}", page.url);
///
/// let new = client.create_org().await?;
/// store(new.org_key.expose()); // it is shown this once
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// Makes a Stripe Checkout page on which the org can be upgraded to `plan`.
    /// `POST /api/v1/billing/checkout`
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] with code `invalid_plan` for a plan that can't be bought.
    pub fn checkout(&self, plan: &PlanTier) -> T::Reply<Checkout> {
        let call = Call::post("/api/v1/billing/checkout")
            .auth(&ORG_KEY)
            .body(&json!({"plan": plan}))
            // A page that nobody opens costs nothing.
            .idempotent();
        self.send(call.json())
    }

    /// Makes a new org on the free plan; needs no key. `POST /api/v1/org/create` (used by the
    /// vendor's templates, not in its reference)
    ///
    /// # Errors
    /// [`ErrorKind::OutcomeUnknown`] when no readable reply came: an org may then exist whose key
    /// nobody has. It does no harm; make another.
    pub fn create_org(&self) -> T::Reply<NewOrg> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            org_api_key: String,
            #[serde(flatten)]
            extra: Extra,
        }
        let call = Call::post("/api/v1/org/create")
            .body(&json!({}))
            .unknown_hint("an org may exist whose key nobody has; it does no harm, make another");
        self.send(call.decode(|reply| {
            if !reply.is_success() {
                return Err(reply.error());
            }
            // Nothing of this reply goes into an error: it holds the key.
            let unreadable = |_| {
                Error::new(ErrorKind::UnreadableReply, "the reply to org/create holds no org key")
            };
            let body: Body = reply.json().map_err(unreadable)?;
            let org_key = OrgKey::new(&body.org_api_key).map_err(unreadable)?;
            Ok(NewOrg { org_key, extra: body.extra })
        }))
    }
}
