//! Trades, from proposal to review.

use super::answer::{Answer, Created};
use super::caller::Agent;
use crate::http::Refusal::{Conflict, Forbidden, Invalid, InvalidState, NotFound};
use crate::http::{Api, OptionalBody, PathText, Reply, StoredBody, TwoQueries};
use crate::machins::Machins;
use crate::machins::lifecycle::{Proposal, Reason};
use crate::machins::page::{Page, Window};
use crate::machins::payload::Delivery;
use crate::machins::records::Review;
use crate::machins::reviews::NewReview;
use crate::machins::trades::{TradeQuery, TradeReply};

pub(super) fn routes(api: Api) -> Api {
    api.tag("machins trades")
        .post("/api/v1/trades", "Propose a trade", propose)
        .refuses([Forbidden, NotFound, InvalidState])
        .get("/api/v1/trades", "List the agent's trades", list)
        .refuses([Invalid])
        .get("/api/v1/trades/{id}", "Get a trade", get)
        .refuses([Forbidden, NotFound])
        .post(
            "/api/v1/trades/{id}/accept",
            "Accept a proposal; the buyer's credits are held",
            accept,
        )
        .refuses([Invalid, Forbidden, NotFound, InvalidState])
        .post("/api/v1/trades/{id}/reject", "Reject a proposal", reject)
        .refuses([Forbidden, NotFound, InvalidState])
        .post(
            "/api/v1/trades/{id}/cancel",
            "Cancel a trade; the buyer gets the credits back",
            cancel,
        )
        .refuses([Forbidden, NotFound, InvalidState])
        .post(
            "/api/v1/trades/{id}/deliver",
            "Deliver; verified first if the trade has a verification URL",
            deliver,
        )
        .refuses([Forbidden, NotFound, InvalidState])
        .post(
            "/api/v1/trades/{id}/confirm",
            "Confirm a delivery; the seller gets the credits, less the fee",
            confirm,
        )
        .refuses([Forbidden, NotFound, InvalidState])
        .post("/api/v1/trades/{id}/dispute", "Dispute a delivery", dispute)
        .refuses([Forbidden, NotFound, InvalidState])
        .post("/api/v1/trades/{id}/review", "Review the other party", review)
        .refuses([Forbidden, NotFound, Conflict, InvalidState])
}

async fn propose(agent: Agent, body: StoredBody<Proposal>) -> Created<TradeReply> {
    agent.store(body, Machins::propose).map(Reply)
}

async fn list(
    agent: Agent,
    TwoQueries(query): TwoQueries<TradeQuery, Window>,
) -> Answer<Page<TradeReply>> {
    agent
        .act(|machins, _, me| {
            let (query, window) = query?;
            machins.own_trades(me, &query, window)
        })
        .map(Reply)
}

async fn get(agent: Agent, PathText(id): PathText) -> Answer<TradeReply> {
    agent.act(|machins, _, me| machins.trade(me, &id)).map(Reply)
}

async fn accept(agent: Agent, PathText(id): PathText) -> Answer<TradeReply> {
    agent.act(|machins, cx, me| machins.accept(cx, me, &id)).map(Reply)
}

async fn reject(
    agent: Agent,
    PathText(id): PathText,
    OptionalBody(body): OptionalBody<Reason>,
) -> Answer<TradeReply> {
    agent.act(|machins, cx, me| machins.reject(cx, me, &id, body?)).map(Reply)
}

async fn cancel(
    agent: Agent,
    PathText(id): PathText,
    OptionalBody(body): OptionalBody<Reason>,
) -> Answer<TradeReply> {
    agent.act(|machins, cx, me| machins.cancel(cx, me, &id, body?)).map(Reply)
}

/// Asks for the verification first, if there is an address for it, and then enters the delivery
/// with its result: nobody sees a delivery that is still to be verified, and a trade that was
/// cancelled in the meantime stays cancelled.
async fn deliver(
    agent: Agent,
    PathText(id): PathText,
    StoredBody { body, bytes }: StoredBody<Delivery>,
) -> Answer<TradeReply> {
    let (me, delivery, callback) = agent.act(|machins, _, me| {
        let delivery = body?;
        let callback = machins.check_delivery(me, &id, &delivery)?;
        Ok((me, delivery, callback))
    })?;
    let verification = match callback {
        Some(callback) => Some(agent.app.deliveries.verify(callback).await),
        None => None,
    };
    agent.app.machins(|machins, cx| {
        let verified_bytes = verification.as_ref().map_or(0, |verification| verification.bytes);
        let delivered = machins.deliver(cx, me, &id, &delivery, verification)?;
        machins.count_stored(bytes + verified_bytes);
        Ok(Reply(delivered))
    })
}

async fn confirm(agent: Agent, PathText(id): PathText) -> Answer<TradeReply> {
    agent.act(|machins, cx, me| machins.confirm(cx, me, &id)).map(Reply)
}

async fn dispute(
    agent: Agent,
    PathText(id): PathText,
    OptionalBody(body): OptionalBody<Reason>,
) -> Answer<TradeReply> {
    agent.act(|machins, cx, me| machins.dispute(cx, me, &id, body?)).map(Reply)
}

async fn review(
    agent: Agent,
    PathText(id): PathText,
    body: StoredBody<NewReview>,
) -> Created<Review> {
    agent.store(body, |machins, cx, me, new| machins.review(cx, me, &id, new)).map(Reply)
}
