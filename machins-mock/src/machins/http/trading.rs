//! Trades, from proposal to review.

use axum::extract::State;

use super::{
    ApiKeyHeader, CONFLICT, FORBIDDEN, INVALID, MISSING, PathText, Refusal, STATE, as_agent,
};
use crate::delivery;
use crate::http::{App, OptionalBody, Query, Reply, StoredBody};
use crate::machins::goods::Delivery;
use crate::machins::lifecycle::{Proposal, Reason};
use crate::machins::page::{Page, Window};
use crate::machins::reviews::{NewReview, Review};
use crate::machins::trades::{TradeQuery, TradeReply};

/// What every action on a trade may refuse.
const ACTION: u8 = FORBIDDEN | MISSING | STATE;

type Result<const STATUS: u16, T, const MAY: u8> =
    std::result::Result<Reply<STATUS, T>, Refusal<MAY>>;
type Acted<const MAY: u8 = ACTION> = Result<200, TradeReply, MAY>;

pub(super) async fn propose(
    State(app): State<App>,
    key: ApiKeyHeader,
    StoredBody(body): StoredBody<Proposal>,
) -> Result<201, TradeReply, ACTION> {
    Ok(as_agent(&app, &key, |market, cx, me| market.propose(cx, me, body?)).map(Reply)?)
}

pub(super) async fn list(
    State(app): State<App>,
    key: ApiKeyHeader,
    Query(query): Query<TradeQuery>,
    Query(window): Query<Window>,
) -> Result<200, Page<TradeReply>, INVALID> {
    Ok(as_agent(&app, &key, |market, _, me| market.own_trades(me, &query?, window?)).map(Reply)?)
}

pub(super) async fn get(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
) -> Acted<{ FORBIDDEN | MISSING }> {
    Ok(as_agent(&app, &key, |market, _, me| market.trade(me, &id)).map(Reply)?)
}

pub(super) async fn accept(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
) -> Acted<{ ACTION | INVALID }> {
    Ok(as_agent(&app, &key, |market, cx, me| market.accept(cx, me, &id)).map(Reply)?)
}

pub(super) async fn reject(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
    OptionalBody(body): OptionalBody<Reason>,
) -> Acted {
    Ok(as_agent(&app, &key, |market, cx, me| market.reject(cx, me, &id, body?)).map(Reply)?)
}

pub(super) async fn cancel(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
    OptionalBody(body): OptionalBody<Reason>,
) -> Acted {
    Ok(as_agent(&app, &key, |market, cx, me| market.cancel(cx, me, &id, body?)).map(Reply)?)
}

/// First asks for the verification, if there is an address for it, and then enters the delivery
/// with its verdict: nobody sees a delivery that is still to be verified, and a trade that was
/// cancelled meanwhile stays cancelled.
pub(super) async fn deliver(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
    StoredBody(body): StoredBody<Delivery>,
) -> Acted {
    let (me, delivery, callback) = as_agent(&app, &key, |market, _, me| {
        let delivery = body?;
        let callback = market.check_delivery(me, &id, &delivery)?;
        Ok((me, delivery, callback))
    })?;
    let verification = match callback {
        Some(callback) => Some(delivery::verify(&app, callback).await),
        None => None,
    };
    let delivered = app.market(|market, cx| market.deliver(cx, me, &id, &delivery, verification));
    Ok(delivered.map(Reply)?)
}

pub(super) async fn confirm(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
) -> Acted {
    Ok(as_agent(&app, &key, |market, cx, me| market.confirm(cx, me, &id)).map(Reply)?)
}

pub(super) async fn dispute(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
    OptionalBody(body): OptionalBody<Reason>,
) -> Acted {
    Ok(as_agent(&app, &key, |market, cx, me| market.dispute(cx, me, &id, body?)).map(Reply)?)
}

pub(super) async fn review(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
    StoredBody(body): StoredBody<NewReview>,
) -> Result<201, Review, { ACTION | CONFLICT }> {
    Ok(as_agent(&app, &key, |market, cx, me| market.review(cx, me, &id, body?)).map(Reply)?)
}
