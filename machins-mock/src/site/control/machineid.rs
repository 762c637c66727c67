//! Orgs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::Refusal::Conflict;
use crate::http::{Api, CurrentApp, JsonBody, PathText, Problem, Reply, StoredBody};
use crate::machineid::{OrgKeyError, OrgState, OrgUpdate, Plan, UnknownOrg};

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/machineid/orgs", "List the orgs with their keys", orgs)
        .post("/_mock/machineid/orgs", "Create an org", create_org)
        .refuses([Conflict])
        .patch("/_mock/machineid/orgs/{org_key}", "Change an org's settings", update_org)
}

/// An org to create.
#[derive(Deserialize, JsonSchema)]
struct NewOrg {
    /// The plan; `free` by default.
    #[serde(default = "free")]
    plan: Plan,
    /// The key: `org_` and 1 to 128 letters, digits and `. _ -`; random by default.
    org_key: Option<String>,
}

fn free() -> Plan {
    Plan::Free
}

impl From<OrgKeyError> for Problem {
    fn from(error: OrgKeyError) -> Self {
        match error {
            OrgKeyError::Duplicate => Self::new(409, "DUPLICATE", error.to_string()),
            error => Self::bad_request(&error),
        }
    }
}

async fn create_org(
    CurrentApp(app): CurrentApp,
    StoredBody { body, .. }: StoredBody<NewOrg>,
) -> Result<Reply<201, OrgState>, Problem> {
    let NewOrg { plan, org_key } = body?;
    let world = &mut *app.world();
    let key = match org_key {
        None => world.machineid.create_org(plan, &mut world.random),
        Some(key) => world.machineid.create_org_with_key(plan, key)?,
    };
    Ok(Reply(world.machineid.org_state(key.as_str())?))
}

/// The orgs with their keys, in order of creation.
#[derive(Serialize, JsonSchema)]
struct OrgList {
    orgs: Vec<OrgState>,
}

async fn orgs(CurrentApp(app): CurrentApp) -> Reply<200, OrgList> {
    Reply(OrgList { orgs: app.world().machineid.org_states() })
}

async fn update_org(
    CurrentApp(app): CurrentApp,
    PathText(key): PathText,
    JsonBody(body): JsonBody<OrgUpdate>,
) -> Result<Reply<200, OrgState>, Problem> {
    let update = body?;
    Ok(Reply(app.world().machineid.update_org(&key, update)?))
}

impl From<UnknownOrg> for Problem {
    fn from(error: UnknownOrg) -> Self {
        Self::new(404, "ORG_NOT_FOUND", error.to_string())
    }
}
