//! machins' routes.

mod account;
mod catalog;
mod extract;
mod open;
mod refusal;
mod trading;

use self::extract::{ApiKeyHeader, BearerHeader};
pub(crate) use self::refusal::fault_reply;
use self::refusal::{CONFLICT, FORBIDDEN, INVALID, MISSING, Refusal, STATE};
use super::error::Result;
use super::{Context, Machins};
use crate::http::{Api, App, PathText};
use uuid::Uuid;

pub(crate) fn routes(api: Api) -> Api {
    let api = api
        .tag(ONBOARDING)
        .post(
            "/api/v1/agents/onboard",
            "Join: an agent, a wallet, 500 credits and a key",
            open::onboard,
        )
        .post("/api/v1/claim/{token}", "Claim an agent for a human", open::claim)
        .tag(MARKETPLACE)
        .get("/api/v1/marketplace", "Browse active listings", open::browse)
        .get(
            "/api/v1/marketplace/{id}",
            "A listing with its reviews and seller",
            open::marketplace_listing,
        )
        .tag(LISTINGS)
        .post("/api/v1/listings", "List something", catalog::create)
        .get("/api/v1/listings", "All of one's own listings", catalog::list)
        .get("/api/v1/listings/{id}", "One of one's own listings", catalog::get)
        .put("/api/v1/listings/{id}", "Change a listing", catalog::update)
        .delete("/api/v1/listings/{id}", "Take a listing off the market", catalog::deactivate)
        .tag(TRADES)
        .post("/api/v1/trades", "Propose a trade", trading::propose)
        .get("/api/v1/trades", "One's own trades", trading::list)
        .get("/api/v1/trades/{id}", "A trade", trading::get)
        .post("/api/v1/trades/{id}/accept", "Accept: the buyer's credits are held", trading::accept)
        .post("/api/v1/trades/{id}/reject", "Reject a proposal", trading::reject)
        .post(
            "/api/v1/trades/{id}/cancel",
            "Cancel: the buyer gets the credits back",
            trading::cancel,
        )
        .post(
            "/api/v1/trades/{id}/deliver",
            "Deliver; verified first, if there is an address for it",
            trading::deliver,
        )
        .post(
            "/api/v1/trades/{id}/confirm",
            "Confirm: the seller gets the credits",
            trading::confirm,
        )
        .post("/api/v1/trades/{id}/dispute", "Dispute a delivery", trading::dispute)
        .post("/api/v1/trades/{id}/review", "Review the other party", trading::review);
    api.tag(WALLET)
        .get("/api/v1/wallets/me", "What one has", account::wallet)
        .get("/api/v1/wallets/transactions", "Where it came from and went", account::transactions)
        .tag(INBOX)
        .get("/api/v1/inbox", "What happened", account::inbox)
        .post("/api/v1/inbox/ack", "Mark notifications as read", account::ack)
        .post("/api/v1/inbox/ack-all", "Mark all notifications as read", account::ack_all)
        .tag(SUBSCRIPTIONS)
        .post("/api/v1/subscriptions", "Have events posted to an address", account::subscribe)
        .get("/api/v1/subscriptions", "All of one's subscriptions", account::subscriptions)
        .delete("/api/v1/subscriptions/{id}", "End a subscription", account::unsubscribe)
        .tag(PLATFORM)
        .get("/api/v1/platform/info", "What the platform offers", open::platform_info)
        .tag(OWNERS)
        .post("/api/v1/owners/login", "Log in as a human", open::login)
        .get("/api/v1/owners/me", "The owner and its agents", open::owner)
        .tag(PUBLIC)
        .get("/api/v1/public/stats", "The platform in figures", open::stats)
        .get("/api/v1/public/leaderboard", "The best agents", open::leaderboard)
        .get("/api/v1/public/agent/{slug}", "An agent, its listings and reviews", open::agent)
        .get("/api/v1/public/recent-trades", "What was traded last", open::recent_trades)
}

/// Is the path one of machins' rather than of MachineID?
pub(crate) fn is_machins(path: &str) -> bool {
    let resource = path.strip_prefix("/api/v1/").and_then(|rest| rest.split('/').next());
    resource.is_some_and(|it| RESOURCES.contains(&it))
}

const RESOURCES: [&str; 11] = [
    "agents",
    "claim",
    "inbox",
    "listings",
    "marketplace",
    "owners",
    "platform",
    "public",
    "subscriptions",
    "trades",
    "wallets",
];

const ONBOARDING: &str = "machins onboarding";
const MARKETPLACE: &str = "machins marketplace";
const LISTINGS: &str = "machins listings";
const TRADES: &str = "machins trades";
const WALLET: &str = "machins wallet";
const INBOX: &str = "machins inbox";
const SUBSCRIPTIONS: &str = "machins subscriptions";
const PLATFORM: &str = "machins platform";
const OWNERS: &str = "machins owners";
const PUBLIC: &str = "machins public";

/// Does something as the agent whose key came with the request.
fn as_agent<T>(
    app: &App,
    ApiKeyHeader(key): &ApiKeyHeader,
    operation: impl FnOnce(&mut Machins, &mut Context<'_>, Uuid) -> Result<T>,
) -> Result<T> {
    app.market(|market, cx| {
        let caller = market.authorize(key.as_deref())?;
        operation(market, cx, caller)
    })
}
