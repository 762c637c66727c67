//! The organisation itself: its creation, its plan, its payment.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, OrgKeyHeader};
use crate::http::{App, JsonBody, Reply, StoredBody};
use crate::machineid::plan::Plan;
use crate::machineid::reply::{Checkout, ErrorCode, Failure, OrgCreated, Status, Usage};

#[derive(Deserialize, JsonSchema)]
pub(super) struct CheckoutBody {
    /// `pro`, `scale` or `max`.
    plan: String,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct EmptyBody {}

pub(super) async fn create_org(
    State(app): State<App>,
    StoredBody(body): StoredBody<EmptyBody>,
) -> Result<Reply<200, OrgCreated>, Failure> {
    let world = &mut *app.world();
    let Call { world, meta } = Call::new(world, "org_create");
    body.map_err(|error| Failure::body(&error, meta.clone()))?;
    let key = world.machineid.create_org(Plan::Free, &mut world.random);
    Ok(Reply(OrgCreated { status: Status::Ok, org_api_key: key.into(), meta }))
}

pub(super) async fn usage(
    State(app): State<App>,
    key: OrgKeyHeader,
) -> Result<Reply<200, Usage>, Failure> {
    let world = &mut *app.world();
    let (org, meta) = Call::new(world, "usage").org(&key)?;
    Ok(Reply(Usage { status: Status::Ok, figures: org.figures().into(), meta }))
}

pub(super) async fn checkout(
    State(app): State<App>,
    key: OrgKeyHeader,
    JsonBody(body): JsonBody<CheckoutBody>,
) -> Result<Reply<200, Checkout>, Failure> {
    let world = &mut *app.world();
    let session = world.random.token("cs_test_");
    let (_, meta) = Call::new(world, "billing/checkout").org(&key)?;
    let body = body.map_err(|error| Failure::body(&error, meta.clone()))?;
    if !["pro", "scale", "max"].contains(&body.plan.as_str()) {
        let message = "the plan is one of pro, scale and max";
        return Err(Failure::new(ErrorCode::InvalidPlan, message, meta));
    }
    let url = format!("https://checkout.stripe.com/c/pay/{session}");
    Ok(Reply(Checkout { status: Status::Ok, url, meta }))
}
