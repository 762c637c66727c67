//! Agents, listings, trades and the ledger.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::Refusal::{Conflict, Invalid, InvalidState};
use crate::http::{Api, CurrentApp, JsonBody, PathText, Problem, Query, Reply, StoredBody};
use crate::machins::inspection::agents::{AgentsQuery, InspectedAgents};
use crate::machins::inspection::listings::{InspectedListings, ListingsQuery};
use crate::machins::inspection::trades::{InspectedTrades, TradesQuery};
use crate::machins::trades::TradeReply;
use crate::machins::{Agent, AgentRequest, Ledger, LedgerQuery, MachinsError, Outcome};

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/machins/agents", "List the agents with their keys", agents)
        .refuses([Invalid])
        .post("/_mock/machins/agents", "Create an agent", create_agent)
        .refuses([Conflict])
        .get("/_mock/machins/listings", "List all listings", listings)
        .refuses([Invalid])
        .get("/_mock/machins/trades", "List all trades", trades)
        .refuses([Invalid])
        .post("/_mock/machins/trades/{id}/resolve", "Resolve a dispute", resolve_dispute)
        .refuses([InvalidState])
        .get("/_mock/machins/ledger", "Get all accounts and their balances", ledger)
        .refuses([Invalid])
}

async fn agents(
    CurrentApp(app): CurrentApp,
    Query(query): Query<AgentsQuery>,
) -> Result<Reply<200, InspectedAgents>, Problem> {
    let query = query?;
    Ok(Reply(app.machins(|machins, cx| machins.inspect_agents(&query, cx.now))))
}

async fn listings(
    CurrentApp(app): CurrentApp,
    Query(query): Query<ListingsQuery>,
) -> Result<Reply<200, InspectedListings>, Problem> {
    let query = query?;
    Ok(Reply(app.machins(|machins, _| machins.inspect_listings(&query))))
}

async fn trades(
    CurrentApp(app): CurrentApp,
    Query(query): Query<TradesQuery>,
) -> Result<Reply<200, InspectedTrades>, Problem> {
    let query = query?;
    Ok(Reply(app.machins(|machins, _| machins.inspect_trades(&query))))
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

async fn ledger(
    CurrentApp(app): CurrentApp,
    Query(query): Query<LedgerQuery>,
) -> Result<Reply<200, Ledger>, Problem> {
    let query = query?;
    Ok(Reply(app.machins(|machins, _| machins.ledger_part(&query))))
}
