//! The world as a whole: reset, stored, restored, and filled with fixtures.

use super::done::{DONE, Done};
use crate::fixtures::{Fixtures, Loaded, Refused};
use crate::http::Refusal::Conflict;
use crate::http::{Api, CurrentApp, Problem, Reply, StoredBody, WorldBody};
use crate::world::Snapshot;

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/health", "Check that the server is up", health)
        .post("/_mock/reset", "Reset the world, the clock, the faults and the records", reset)
        .post("/_mock/fixtures", "Add orgs, agents, listings and trades", fixtures)
        .refuses([Conflict])
        .get("/_mock/state", "Get the whole world, keys included", state)
        .put("/_mock/state", "Replace the world with a stored one", restore)
}

async fn health() -> Reply<200, Done> {
    DONE
}

async fn reset(CurrentApp(app): CurrentApp) -> Reply<200, Done> {
    app.reset();
    DONE
}

impl From<Refused> for Problem {
    fn from(Refused { error, is_duplicate }: Refused) -> Self {
        let problem = Self::from(error);
        if is_duplicate { problem.with_status(409, "DUPLICATE") } else { problem }
    }
}

async fn fixtures(
    CurrentApp(app): CurrentApp,
    StoredBody { body, bytes }: StoredBody<Fixtures>,
) -> Result<Reply<201, Loaded>, Problem> {
    Ok(Reply(app.load(body?, bytes)?))
}

async fn state(CurrentApp(app): CurrentApp) -> Reply<200, Snapshot> {
    Reply(Snapshot(app.world().clone()))
}

async fn restore(
    CurrentApp(app): CurrentApp,
    WorldBody(body): WorldBody,
) -> Result<Reply<200, Done>, Problem> {
    let Snapshot(world) = body?;
    app.replace(world);
    Ok(DONE)
}
