//! The control API under `/_mock`: what the typed controls do, for tests in any language.

mod faults;
mod requests;
mod wait;
mod webhooks;
mod worlds;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::{MAX_ADVANCE, Time};
use crate::http::Refusal::{Conflict, InvalidState};
use crate::http::{Api, CurrentApp, JsonBody, PathText, Problem, Reply, StoredBody, WorldBody};
use crate::machineid::{OrgState, OrgUpdate, Plan, UnknownOrg};
use crate::machins::trades::TradeReply;
use crate::machins::{Agent, AgentRequest, Ledger, MachinsError, Outcome};
use crate::state::App;
use crate::world::Snapshot;

pub(super) fn routes(api: Api) -> Api {
    let api = api
        .tag("Mock control")
        .get("/_mock/health", "Check that the server is up", health)
        .post("/_mock/reset", "Reset the world, the clock, the faults and the records", reset)
        .get("/_mock/clock", "Get the virtual time", clock)
        .post("/_mock/clock/advance", "Move the virtual time forward", advance)
        .post("/_mock/machineid/orgs", "Create an organisation", create_org)
        .patch("/_mock/machineid/orgs/{org_key}", "Change an organisation's settings", update_org)
        .post("/_mock/machins/agents", "Create an agent", create_agent)
        .refuses([Conflict])
        .post("/_mock/machins/trades/{id}/resolve", "Resolve a dispute", resolve_dispute)
        .refuses([InvalidState])
        .get("/_mock/machins/ledger", "Get all accounts and their balances", ledger)
        .get("/_mock/state", "Get the whole world, keys included", state)
        .put("/_mock/state", "Replace the world with a stored one", restore);
    let api = requests::routes(api);
    let api = webhooks::routes(api);
    let api = faults::routes(api);
    worlds::routes(api)
}

/// The reply to a call that returns nothing else.
#[derive(Serialize, JsonSchema)]
struct Done {
    status: &'static str,
}

const DONE: Reply<200, Done> = Reply(Done { status: "ok" });

async fn health() -> Reply<200, Done> {
    DONE
}

async fn reset(CurrentApp(app): CurrentApp) -> Reply<200, Done> {
    app.reset();
    DONE
}

/// The virtual time.
#[derive(Serialize, JsonSchema)]
struct ClockState {
    now: Time,
    /// How far the virtual time is ahead of the real time, in seconds.
    offset_seconds: f64,
}

impl ClockState {
    fn new(app: &App) -> Self {
        let clock = &app.world().clock;
        Self { now: clock.now(), offset_seconds: clock.offset().as_secs_f64() }
    }
}

async fn clock(CurrentApp(app): CurrentApp) -> Reply<200, ClockState> {
    Reply(ClockState::new(&app))
}

/// How far to move the virtual time forward.
#[derive(Deserialize, JsonSchema)]
struct Advance {
    /// The number of seconds, at least 0, with a precision of milliseconds.
    seconds: f64,
}

async fn advance(
    CurrentApp(app): CurrentApp,
    JsonBody(body): JsonBody<Advance>,
) -> Result<Reply<200, ClockState>, Problem> {
    let by = Duration::try_from_secs_f64(body?.seconds).map_err(|_| {
        let most = MAX_ADVANCE.as_secs();
        Problem::bad_request(&format!("`seconds` must be a number from 0 to {most}"))
    })?;
    app.advance(by).map_err(|error| Problem::bad_request(&error))?;
    Ok(Reply(ClockState::new(&app)))
}

/// An organisation to create.
#[derive(Deserialize, JsonSchema)]
struct NewOrg {
    /// The plan; `free` by default.
    #[serde(default = "free")]
    plan: Plan,
}

fn free() -> Plan {
    Plan::Free
}

async fn create_org(
    CurrentApp(app): CurrentApp,
    StoredBody { body, .. }: StoredBody<NewOrg>,
) -> Result<Reply<201, OrgState>, Problem> {
    let NewOrg { plan } = body?;
    let world = &mut *app.world();
    let key = world.machineid.create_org(plan, &mut world.random);
    Ok(Reply(world.machineid.org_state(key.as_str())?))
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

impl From<MachinsError> for Problem {
    fn from(error: MachinsError) -> Self {
        let (status, code) = match error {
            MachinsError::Invalid(_) => (400, "BAD_REQUEST"),
            MachinsError::NotFound(_) => (404, "TRADE_NOT_FOUND"),
            MachinsError::Duplicate(_) => (409, "DUPLICATE"),
            MachinsError::InvalidTransition(_) => (422, "INVALID_TRANSITION"),
        };
        Self::new(status, code, error.to_string())
    }
}

async fn create_agent(
    CurrentApp(app): CurrentApp,
    StoredBody { body, .. }: StoredBody<AgentRequest>,
) -> Result<Reply<201, Agent>, Problem> {
    let body = body?;
    let agent = app.machins(|machins, cx| machins.create_agent(cx, body));
    Ok(Reply(agent.map_err(MachinsError::from)?))
}

/// How to resolve a dispute.
#[derive(Deserialize, JsonSchema)]
struct Resolution {
    outcome: Outcome,
}

async fn resolve_dispute(
    CurrentApp(app): CurrentApp,
    PathText(id): PathText,
    JsonBody(body): JsonBody<Resolution>,
) -> Result<Reply<200, TradeReply>, Problem> {
    let Resolution { outcome } = body?;
    let trade = app.machins(|machins, cx| machins.resolve(cx, &id, outcome));
    Ok(Reply(trade.map_err(MachinsError::from)?))
}

async fn ledger(CurrentApp(app): CurrentApp) -> Reply<200, Ledger> {
    Reply(app.machins(|machins, _| machins.ledger()))
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
