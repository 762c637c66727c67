//! One's own listings.

use axum::extract::State;

use super::{ApiKeyHeader, CONFLICT, FORBIDDEN, MISSING, PathText, Refusal, as_agent};
use crate::http::{App, Reply, StoredBody};
use crate::machins::listings::{ListingReply, ListingUpdate, NewListing};

type Result<const STATUS: u16, T, const MAY: u8> =
    std::result::Result<Reply<STATUS, T>, Refusal<MAY>>;

pub(super) async fn create(
    State(app): State<App>,
    key: ApiKeyHeader,
    StoredBody(body): StoredBody<NewListing>,
) -> Result<201, ListingReply, CONFLICT> {
    Ok(as_agent(&app, &key, |market, cx, me| market.create_listing(cx, me, body?)).map(Reply)?)
}

pub(super) async fn list(
    State(app): State<App>,
    key: ApiKeyHeader,
) -> Result<200, Vec<ListingReply>, 0> {
    Ok(as_agent(&app, &key, |market, _, me| Ok(market.own_listings(me))).map(Reply)?)
}

pub(super) async fn get(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
) -> Result<200, ListingReply, { FORBIDDEN | MISSING }> {
    Ok(as_agent(&app, &key, |market, _, me| market.own_listing(me, &id)).map(Reply)?)
}

pub(super) async fn update(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
    StoredBody(body): StoredBody<ListingUpdate>,
) -> Result<200, ListingReply, { CONFLICT | FORBIDDEN | MISSING }> {
    let update = as_agent(&app, &key, |market, cx, me| market.update_listing(cx, me, &id, body?));
    Ok(update.map(Reply)?)
}

pub(super) async fn deactivate(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
) -> Result<200, ListingReply, { FORBIDDEN | MISSING }> {
    Ok(as_agent(&app, &key, |market, cx, me| market.deactivate_listing(cx, me, &id)).map(Reply)?)
}
