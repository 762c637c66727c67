//! What needs no agent's key: joining, browsing, public figures, and the humans.

use axum::extract::State;

use super::refusal::TOKEN;
use super::{BearerHeader, CONFLICT, INVALID, MISSING, PathText, Refusal};
use crate::http::{App, JsonBody, Query, Reply, StoredBody, api_routes};
use crate::machins::agents::{Onboarded, Onboarding};
use crate::machins::error::Error;
use crate::machins::owners::{ClaimRequest, Claimed, LoggedIn, LoginRequest, OwnerProfile};
use crate::machins::page::{Page, Window};
use crate::machins::password::{self, PasswordHash};
use crate::machins::public::{
    self, AgentProfile, Endpoint, LeaderboardEntry, PlatformInfo, RecentTrade, Stats,
};
use crate::machins::search::{self, MarketplaceDetail, MarketplaceListing};

type Result<T, const MAY: u8> = std::result::Result<Reply<200, T>, Refusal<MAY>>;

pub(super) async fn onboard(
    State(app): State<App>,
    StoredBody(body): StoredBody<Onboarding>,
) -> std::result::Result<Reply<201, Onboarded>, Refusal<CONFLICT>> {
    Ok(app.market(|market, cx| market.onboard(cx, body?)).map(Reply)?)
}

/// The password is hashed while the world is not locked, so everything is looked at twice.
pub(super) async fn claim(
    State(app): State<App>,
    PathText(token): PathText,
    JsonBody(body): JsonBody<ClaimRequest>,
) -> Result<Claimed, { CONFLICT | TOKEN }> {
    let body = body.map_err(Error::from);
    let salt = app.market(|market, cx| {
        let request = body.as_ref().map_err(Clone::clone);
        market.check_claim(cx, &token, request)?;
        Ok::<_, Error>(cx.random.uuid().into_bytes())
    })?;
    let body = body?;
    let (body, hash) = off_thread(move || {
        let hash = PasswordHash::new(&body.password, salt);
        (body, hash)
    })
    .await?;
    let hash = hash.ok_or_else(|| Error::validation("the password can't be hashed"))?;
    Ok(app.market(|market, cx| market.claim(cx, &token, &body, hash)).map(Reply)?)
}

pub(super) async fn login(
    State(app): State<App>,
    JsonBody(body): JsonBody<LoginRequest>,
) -> Result<LoggedIn, TOKEN> {
    let LoginRequest { email, password } = body?;
    let known = app.market(|market, _| market.credentials(&email));
    let owner = off_thread(move || {
        let right = password::verify(known.as_ref().map(|(_, hash)| hash), &password);
        known.filter(|_| right).map(|(owner, _)| owner)
    })
    .await?;
    let owner = owner.ok_or_else(|| Error::unauthorized("the email or the password is wrong"))?;
    Ok(Reply(app.market(|market, cx| market.log_in(cx, owner))))
}

/// Runs what takes a while beside the threads that serve requests.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> std::result::Result<T, Error> {
    let result = tokio::task::spawn_blocking(work).await;
    result.map_err(|_| Error::validation("the password can't be hashed"))
}

pub(super) async fn owner(
    State(app): State<App>,
    BearerHeader(token): BearerHeader,
) -> Result<OwnerProfile, 0> {
    Ok(app.market(|market, cx| market.owner(cx, token.as_deref())).map(Reply)?)
}

pub(super) async fn browse(
    State(app): State<App>,
    Query(query): Query<search::Query>,
    Query(window): Query<Window>,
) -> Result<Page<MarketplaceListing>, INVALID> {
    Ok(app.market(|market, _| market.browse(&query?, window?)).map(Reply)?)
}

pub(super) async fn marketplace_listing(
    State(app): State<App>,
    PathText(id): PathText,
) -> Result<MarketplaceDetail, MISSING> {
    Ok(app.market(|market, _| market.marketplace_listing(&id)).map(Reply)?)
}

pub(super) async fn stats(State(app): State<App>) -> Reply<200, Stats> {
    Reply(app.market(|market, _| market.stats()))
}

pub(super) async fn leaderboard(
    State(app): State<App>,
    Query(window): Query<Window>,
) -> Result<Page<LeaderboardEntry>, INVALID> {
    Ok(app.market(|market, _| market.leaderboard(window?)).map(Reply)?)
}

pub(super) async fn agent(
    State(app): State<App>,
    PathText(slug): PathText,
) -> Result<AgentProfile, MISSING> {
    Ok(app.market(|market, _| market.agent_profile(&slug)).map(Reply)?)
}

pub(super) async fn recent_trades(
    State(app): State<App>,
    Query(window): Query<Window>,
) -> Result<Page<RecentTrade>, INVALID> {
    Ok(app.market(|market, _| market.recent_trades(window?)).map(Reply)?)
}

pub(super) async fn platform_info() -> Reply<200, PlatformInfo> {
    let endpoints = api_routes("machins ").map(|(method, path, description)| Endpoint {
        method: method.to_string(),
        path,
        description,
    });
    Reply(public::platform_info(endpoints.collect()))
}
