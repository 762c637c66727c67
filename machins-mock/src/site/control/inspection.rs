//! Reading one thing at a time, and what belongs to nobody in particular.

use crate::http::Refusal::Invalid;
use crate::http::{Api, CurrentApp, PathText, Problem, Query, Reply};
use crate::machins::Error;
use crate::machins::inspection::agents::{Claimable, InspectedAgent};
use crate::machins::inspection::inboxes::{InspectedNotifications, NotificationsQuery};
use crate::machins::inspection::ledger::{InspectedTransactions, TransactionsQuery};
use crate::machins::inspection::listings::InspectedListing;
use crate::machins::inspection::subscriptions::{InspectedSubscriptions, SubscriptionsQuery};
use crate::machins::inspection::timers::{InspectedTimers, TimersQuery};
use crate::machins::inspection::trades::InspectedTrade;

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/machins/agents/{slug}", "Get an agent with its key", agent)
        .get("/_mock/machins/listings/{id}", "Get a listing", listing)
        .get("/_mock/machins/trades/{id}", "Get a trade", trade)
        .get("/_mock/machins/inbox", "List the notifications of all agents, newest first", inbox)
        .refuses([Invalid])
        .get("/_mock/machins/subscriptions", "List the subscriptions of all agents", subscriptions)
        .refuses([Invalid])
        .get("/_mock/machins/ledger/transactions", "List the ledger's transactions", transactions)
        .refuses([Invalid])
        .get("/_mock/machins/claims/{token}", "Get the agent that a claim token is for", claim)
        .get("/_mock/clock/timers", "List what happens by itself, and when", timers)
        .refuses([Invalid])
}

/// Returns the refusal of something that does not exist.
fn not_found(error: &Error) -> Problem {
    Problem::new(404, "NOT_FOUND", error.to_string())
}

async fn agent(
    CurrentApp(app): CurrentApp,
    PathText(slug): PathText,
) -> Result<Reply<200, InspectedAgent>, Problem> {
    let agent = app.machins(|machins, cx| machins.inspect_agent(&slug, cx.now));
    Ok(Reply(agent.map_err(|error| not_found(&error))?))
}

async fn listing(
    CurrentApp(app): CurrentApp,
    PathText(id): PathText,
) -> Result<Reply<200, InspectedListing>, Problem> {
    let listing = app.machins(|machins, _| machins.inspect_listing(&id));
    Ok(Reply(listing.map_err(|error| not_found(&error))?))
}

async fn trade(
    CurrentApp(app): CurrentApp,
    PathText(id): PathText,
) -> Result<Reply<200, InspectedTrade>, Problem> {
    let trade = app.machins(|machins, _| machins.inspect_trade(&id));
    Ok(Reply(trade.map_err(|error| not_found(&error))?))
}

async fn inbox(
    CurrentApp(app): CurrentApp,
    Query(query): Query<NotificationsQuery>,
) -> Result<Reply<200, InspectedNotifications>, Problem> {
    let query = query?;
    Ok(Reply(app.machins(|machins, _| machins.inspect_inboxes(&query))))
}

async fn subscriptions(
    CurrentApp(app): CurrentApp,
    Query(query): Query<SubscriptionsQuery>,
) -> Result<Reply<200, InspectedSubscriptions>, Problem> {
    let query = query?;
    Ok(Reply(app.machins(|machins, _| machins.inspect_subscriptions(&query))))
}

async fn transactions(
    CurrentApp(app): CurrentApp,
    Query(query): Query<TransactionsQuery>,
) -> Result<Reply<200, InspectedTransactions>, Problem> {
    let query = query?;
    Ok(Reply(app.machins(|machins, _| machins.inspect_transactions(&query))))
}

async fn claim(
    CurrentApp(app): CurrentApp,
    PathText(token): PathText,
) -> Result<Reply<200, Claimable>, Problem> {
    let agent = app.machins(|machins, cx| machins.claimable(&token, cx.now));
    Ok(Reply(agent.map_err(|error| not_found(&error))?))
}

async fn timers(
    CurrentApp(app): CurrentApp,
    Query(query): Query<TimersQuery>,
) -> Result<Reply<200, InspectedTimers>, Problem> {
    let query = query?;
    Ok(Reply(app.machins(|machins, _| machins.inspect_timers(&query))))
}
