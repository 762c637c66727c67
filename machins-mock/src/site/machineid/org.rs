//! The org itself: creating it, its usage, and paying for a plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::reply::{ErrorCode, Failure, Figures, Meta, Status};
use crate::http::{Api, BaseUrl, CurrentApp, JsonBody, Reply, StoredBody};
use crate::machineid::Plan;
use crate::world::World;
use crate::worlds::path_of_world;

pub(super) fn routes(api: Api) -> Api {
    api.tag("MachineID org")
        .post("/api/v1/org/create", "Create an org on the free plan", create)
        .get("/api/v1/usage", "Get the plan and how much of it is used", usage)
        .post("/api/v1/billing/checkout", "Create a checkout page for a plan", checkout)
}

/// The plan to pay for.
#[derive(Deserialize, JsonSchema)]
struct CheckoutBody {
    /// `pro`, `scale` or `max`.
    plan: String,
}

/// An object without fields.
#[derive(Deserialize, JsonSchema)]
// Without `properties`, it would be an object of any fields.
#[schemars(extend("properties" = {}))]
struct EmptyBody {}

/// A new org.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OrgCreated {
    status: Status,
    /// The org's key, for the x-org-key header.
    org_api_key: String,
    #[serde(flatten)]
    meta: Meta,
}

/// The plan and how much of it is used.
#[derive(Debug, Serialize, JsonSchema)]
struct Usage {
    status: Status,
    #[serde(flatten)]
    figures: Figures,
    #[serde(flatten)]
    meta: Meta,
}

/// The URL at which a plan is paid for.
#[derive(Debug, Serialize, JsonSchema)]
struct Checkout {
    status: Status,
    url: String,
    #[serde(flatten)]
    meta: Meta,
}

async fn create(
    CurrentApp(app): CurrentApp,
    StoredBody { body, .. }: StoredBody<EmptyBody>,
) -> Result<Reply<200, OrgCreated>, Failure> {
    let meta = Meta { handler: "org_create", request_id: app.new_request_id(true) };
    body.map_err(|error| Failure::body(&error, meta))?;
    let world = &mut *app.world();
    let key = world.machineid.create_org(Plan::Free, &mut world.random);
    Ok(Reply(OrgCreated { status: Status::Ok, org_api_key: key.into(), meta }))
}

async fn usage(caller: Caller) -> Result<Reply<200, Usage>, Failure> {
    let mut call = caller.call("usage");
    let meta = call.meta;
    let figures = call.org()?.figures().into();
    Ok(Reply(Usage { status: Status::Ok, figures, meta }))
}

async fn checkout(
    CurrentApp(app): CurrentApp,
    BaseUrl(base): BaseUrl,
    caller: Caller,
    JsonBody(body): JsonBody<CheckoutBody>,
) -> Result<Reply<200, Checkout>, Failure> {
    let mut call = caller.call("billing/checkout");
    let meta = call.meta;
    call.org()?;
    let body = body.map_err(|error| Failure::body(&error, meta))?;
    let plan = match body.plan.as_str() {
        "pro" => Plan::Pro,
        "scale" => Plan::Scale,
        "max" => Plan::Max,
        _ => {
            let message = "the plan must be pro, scale or max";
            return Err(Failure::new(ErrorCode::InvalidPlan, message, meta));
        }
    };
    let now = call.now();
    let World { machineid, random, .. } = &mut *call.world;
    let id = machineid.create_checkout(call.key.unwrap_or_default(), plan, now, random);
    // The key was found above.
    let id = id.unwrap_or_default();
    let url = format!("{base}{}/checkout/{id}", path_of_world(&app.name));
    Ok(Reply(Checkout { status: Status::Ok, url, meta }))
}
