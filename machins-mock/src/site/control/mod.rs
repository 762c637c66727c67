//! The control API under `/_mock`: what the typed controls do, for tests in any language.

mod clock;
mod faults;
mod requests;
mod wait;
mod webhooks;
mod worlds;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fixtures::{Fixtures, Loaded, Refused};
use crate::http::Refusal::{Conflict, InvalidState};
use crate::http::{Api, CurrentApp, JsonBody, PathText, Problem, Reply, StoredBody, WorldBody};
use crate::machineid::{OrgKeyError, OrgState, OrgUpdate, Plan, UnknownOrg};
use crate::machins::listings::ListingReply;
use crate::machins::trades::TradeReply;
use crate::machins::{Agent, AgentRequest, Ledger, MachinsError, Outcome};
use crate::world::Snapshot;

pub(super) fn routes(api: Api) -> Api {
    let api = api
        .tag("Mock control")
        .get("/_mock/health", "Check that the server is up", health)
        .post("/_mock/reset", "Reset the world, the clock, the faults and the records", reset)
        .get("/_mock/machineid/orgs", "List the organisations with their keys", orgs)
        .post("/_mock/machineid/orgs", "Create an organisation", create_org)
        .refuses([Conflict])
        .patch("/_mock/machineid/orgs/{org_key}", "Change an organisation's settings", update_org)
        .get("/_mock/machins/agents", "List the agents with their keys", agents)
        .get("/_mock/machins/listings", "List all listings", listings)
        .get("/_mock/machins/trades", "List all trades", trades)
        .post("/_mock/machins/agents", "Create an agent", create_agent)
        .refuses([Conflict])
        .post("/_mock/machins/trades/{id}/resolve", "Resolve a dispute", resolve_dispute)
        .refuses([InvalidState])
        .get("/_mock/machins/ledger", "Get all accounts and their balances", ledger)
        .post("/_mock/fixtures", "Add organisations, agents, listings and trades", fixtures)
        .refuses([Conflict])
        .get("/_mock/state", "Get the whole world, keys included", state)
        .put("/_mock/state", "Replace the world with a stored one", restore);
    let api = clock::routes(api);
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

/// An organisation to create.
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

/// The organisations with their keys, in order of creation.
#[derive(Serialize, JsonSchema)]
struct OrgList {
    orgs: Vec<OrgState>,
}

async fn orgs(CurrentApp(app): CurrentApp) -> Reply<200, OrgList> {
    Reply(OrgList { orgs: app.world().machineid.org_states() })
}

/// The agents with their keys, in order of creation.
#[derive(Serialize, JsonSchema)]
struct AgentList {
    agents: Vec<Agent>,
}

async fn agents(CurrentApp(app): CurrentApp) -> Reply<200, AgentList> {
    Reply(AgentList { agents: app.machins(|machins, cx| machins.all_agents(cx.now)) })
}

/// All listings, in order of creation.
#[derive(Serialize, JsonSchema)]
struct AllListings {
    listings: Vec<ListingReply>,
}

async fn listings(CurrentApp(app): CurrentApp) -> Reply<200, AllListings> {
    Reply(AllListings { listings: app.machins(|machins, _| machins.all_listings()) })
}

/// All trades, in order of creation.
#[derive(Serialize, JsonSchema)]
struct AllTrades {
    trades: Vec<TradeReply>,
}

async fn trades(CurrentApp(app): CurrentApp) -> Reply<200, AllTrades> {
    Reply(AllTrades { trades: app.machins(|machins, _| machins.all_trades()) })
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
