//! The devices of all orgs, and their checkouts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::Refusal::{Conflict, Invalid};
use crate::http::{Api, CurrentApp, JsonBody, PathText, Problem, Query, Reply, StoredBody};
use crate::machineid::OrgState;
use crate::machineid::checkouts::{CheckoutError, CheckoutOutcome, CheckoutState};
use crate::machineid::inspection::{
    ChangedDevices, DeviceChanges, DevicesQuery, InspectedDevices, MAX_CHANGED,
};

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/machineid/orgs/{org_key}", "Get an org", org)
        .get("/_mock/machineid/devices", "List the devices of all orgs", devices)
        .refuses([Invalid])
        .post(
            "/_mock/machineid/orgs/{org_key}/devices",
            "Register, revoke, restore or remove devices",
            change,
        )
        .get("/_mock/machineid/checkouts", "List the checkouts, oldest first", checkouts)
        .get("/_mock/machineid/checkouts/{id}", "Get a checkout", checkout)
        .post("/_mock/machineid/checkouts/{id}/finish", "Pay or cancel a checkout", finish)
        .refuses([Conflict])
}

async fn org(
    CurrentApp(app): CurrentApp,
    PathText(key): PathText,
) -> Result<Reply<200, OrgState>, Problem> {
    Ok(Reply(app.world().machineid.org_state(&key)?))
}

async fn devices(
    CurrentApp(app): CurrentApp,
    Query(query): Query<DevicesQuery>,
) -> Result<Reply<200, InspectedDevices>, Problem> {
    let query = query?;
    Ok(Reply(app.world().machineid.inspect_devices(&query)))
}

async fn change(
    CurrentApp(app): CurrentApp,
    PathText(key): PathText,
    StoredBody { body, .. }: StoredBody<DeviceChanges>,
) -> Result<Reply<200, ChangedDevices>, Problem> {
    let changes = body?;
    if changes.devices.as_ref().is_some_and(|devices| devices.len() > MAX_CHANGED) {
        let rule = format!("must have at most {MAX_CHANGED} entries");
        return Err(Problem::field("devices", rule));
    }
    let world = &mut *app.world();
    let now = world.clock.now();
    Ok(Reply(world.machineid.change_devices(&key, changes, now)?))
}

/// The checkouts that were created, oldest first.
#[derive(Serialize, JsonSchema)]
struct CheckoutList {
    checkouts: Vec<CheckoutState>,
}

async fn checkouts(CurrentApp(app): CurrentApp) -> Reply<200, CheckoutList> {
    Reply(CheckoutList { checkouts: app.world().machineid.checkouts() })
}

impl From<CheckoutError> for Problem {
    fn from(error: CheckoutError) -> Self {
        let (status, code) = match error {
            CheckoutError::NotFound => (404, "CHECKOUT_NOT_FOUND"),
            CheckoutError::Finished => (409, "CHECKOUT_FINISHED"),
        };
        Self::new(status, code, error.to_string())
    }
}

async fn checkout(
    CurrentApp(app): CurrentApp,
    PathText(id): PathText,
) -> Result<Reply<200, CheckoutState>, Problem> {
    Ok(Reply(app.world().machineid.checkout(&id)?))
}

/// How a checkout ends.
#[derive(Deserialize, JsonSchema)]
struct Finish {
    outcome: CheckoutOutcome,
}

async fn finish(
    CurrentApp(app): CurrentApp,
    PathText(id): PathText,
    JsonBody(body): JsonBody<Finish>,
) -> Result<Reply<200, CheckoutState>, Problem> {
    let Finish { outcome } = body?;
    Ok(Reply(app.world().machineid.finish_checkout(&id, outcome)?))
}
