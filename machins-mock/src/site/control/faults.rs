//! Faults.

use schemars::JsonSchema;
use serde::Serialize;

use super::done::{DONE, Done};
use crate::fault::{ActiveFault, Fault};
use crate::http::{Api, CurrentApp, JsonBody, PathText, Problem, Reply};

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/faults", "List the faults", faults)
        .post("/_mock/faults", "Add a fault", add_fault)
        .delete("/_mock/faults", "Remove all faults", clear_faults)
        .delete("/_mock/faults/{id}", "Remove a fault", remove_fault)
}

/// The faults in the order in which they were added, including those that have ended.
#[derive(Serialize, JsonSchema)]
struct FaultList {
    faults: Vec<ActiveFault>,
}

async fn faults(CurrentApp(app): CurrentApp) -> Reply<200, FaultList> {
    Reply(FaultList { faults: app.faults() })
}

async fn add_fault(
    CurrentApp(app): CurrentApp,
    JsonBody(body): JsonBody<Fault>,
) -> Result<Reply<201, ActiveFault>, Problem> {
    let added = app.add_fault(body?).map_err(|error| Problem::bad_request(&error))?;
    Ok(Reply(added))
}

async fn clear_faults(CurrentApp(app): CurrentApp) -> Reply<200, Done> {
    app.clear_faults();
    DONE
}

async fn remove_fault(
    CurrentApp(app): CurrentApp,
    PathText(id): PathText,
) -> Result<Reply<200, Done>, Problem> {
    let id = id.parse().ok();
    if id.is_some_and(|id| app.remove_fault(id)) {
        Ok(DONE)
    } else {
        Err(Problem::new(404, "FAULT_NOT_FOUND", "there is no fault with this id"))
    }
}
