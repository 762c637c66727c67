//! What an agent has: wallet, inbox, subscriptions.

use axum::extract::State;

use super::{ApiKeyHeader, FORBIDDEN, INVALID, MISSING, PathText, Refusal, as_agent};
use crate::http::{App, JsonBody, Query, Reply, StoredBody};
use crate::machins::agents::Wallet;
use crate::machins::inbox::{Acknowledged, Acknowledgement, InboxPage, InboxQuery};
use crate::machins::ledger::LedgerEntry;
use crate::machins::page::{Page, Window};
use crate::machins::subscriptions::{NewSubscription, SubscriptionReply, Unsubscribed};

type Result<const STATUS: u16, T, const MAY: u8> =
    std::result::Result<Reply<STATUS, T>, Refusal<MAY>>;

pub(super) async fn wallet(State(app): State<App>, key: ApiKeyHeader) -> Result<200, Wallet, 0> {
    Ok(as_agent(&app, &key, |market, _, me| market.wallet(me)).map(Reply)?)
}

pub(super) async fn transactions(
    State(app): State<App>,
    key: ApiKeyHeader,
    Query(window): Query<Window>,
) -> Result<200, Page<LedgerEntry>, INVALID> {
    Ok(as_agent(&app, &key, |market, _, me| market.transactions(me, window?)).map(Reply)?)
}

pub(super) async fn inbox(
    State(app): State<App>,
    key: ApiKeyHeader,
    Query(query): Query<InboxQuery>,
    Query(window): Query<Window>,
) -> Result<200, InboxPage, INVALID> {
    Ok(as_agent(&app, &key, |market, _, me| market.inbox(me, &query?, window?)).map(Reply)?)
}

pub(super) async fn ack(
    State(app): State<App>,
    key: ApiKeyHeader,
    JsonBody(body): JsonBody<Acknowledgement>,
) -> Result<200, Acknowledged, 0> {
    Ok(as_agent(&app, &key, |market, cx, me| market.ack(cx, me, &body?)).map(Reply)?)
}

pub(super) async fn ack_all(
    State(app): State<App>,
    key: ApiKeyHeader,
) -> Result<200, Acknowledged, 0> {
    Ok(as_agent(&app, &key, |market, cx, me| Ok(market.ack_all(cx, me))).map(Reply)?)
}

pub(super) async fn subscribe(
    State(app): State<App>,
    key: ApiKeyHeader,
    StoredBody(body): StoredBody<NewSubscription>,
) -> Result<201, SubscriptionReply, 0> {
    Ok(as_agent(&app, &key, |market, cx, me| market.subscribe(cx, me, body?)).map(Reply)?)
}

pub(super) async fn subscriptions(
    State(app): State<App>,
    key: ApiKeyHeader,
) -> Result<200, Vec<SubscriptionReply>, 0> {
    Ok(as_agent(&app, &key, |market, _, me| Ok(market.own_subscriptions(me))).map(Reply)?)
}

pub(super) async fn unsubscribe(
    State(app): State<App>,
    key: ApiKeyHeader,
    PathText(id): PathText,
) -> Result<200, Unsubscribed, { FORBIDDEN | MISSING }> {
    Ok(as_agent(&app, &key, |market, _, me| market.unsubscribe(me, &id)).map(Reply)?)
}
