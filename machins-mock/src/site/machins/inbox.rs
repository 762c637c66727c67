//! The caller's inbox.

use super::answer::Answer;
use super::caller::Agent;
use crate::http::Refusal::Invalid;
use crate::http::{Api, JsonBody, Reply, TwoQueries};
use crate::machins::inboxes::{Acknowledged, Acknowledgement, InboxPage, InboxQuery};
use crate::machins::page::Window;

pub(super) fn routes(api: Api) -> Api {
    api.tag("machins inbox")
        .get("/api/v1/inbox", "List the agent's notifications", inbox)
        .refuses([Invalid])
        .post("/api/v1/inbox/ack", "Mark notifications as read", ack)
        .post("/api/v1/inbox/ack-all", "Mark all notifications as read", ack_all)
}

async fn inbox(
    agent: Agent,
    TwoQueries(query): TwoQueries<InboxQuery, Window>,
) -> Answer<InboxPage> {
    agent
        .act(|machins, _, me| {
            let (query, window) = query?;
            machins.inbox(me, &query, window)
        })
        .map(Reply)
}

async fn ack(agent: Agent, JsonBody(body): JsonBody<Acknowledgement>) -> Answer<Acknowledged> {
    agent.act(|machins, cx, me| machins.ack(cx, me, &body?)).map(Reply)
}

async fn ack_all(agent: Agent) -> Answer<Acknowledged> {
    agent.act(|machins, cx, me| Ok(machins.ack_all(cx, me))).map(Reply)
}
