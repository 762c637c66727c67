//! Agents, listings, trades and the ledger.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::Refusal::{Conflict, InvalidState};
use crate::http::{Api, CurrentApp, JsonBody, PathText, Problem, Reply, StoredBody};
use crate::machins::listings::ListingReply;
use crate::machins::trades::TradeReply;
use crate::machins::{Agent, AgentRequest, Ledger, MachinsError, Outcome};

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/machins/agents", "List the agents with their keys", agents)
        .post("/_mock/machins/agents", "Create an agent", create_agent)
        .refuses([Conflict])
        .get("/_mock/machins/listings", "List all listings", listings)
        .get("/_mock/machins/trades", "List all trades", trades)
        .post("/_mock/machins/trades/{id}/resolve", "Resolve a dispute", resolve_dispute)
        .refuses([InvalidState])
        .get("/_mock/machins/ledger", "Get all accounts and their balances", ledger)
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
