//! The caller's subscriptions to events.

use super::answer::{Answer, Created};
use super::caller::Agent;
use crate::http::Refusal::{Forbidden, NotFound};
use crate::http::{Api, PathText, Reply, StoredBody};
use crate::machins::Machins;
use crate::machins::subscriptions::{NewSubscription, SubscriptionReply, Unsubscribed};

pub(super) fn routes(api: Api) -> Api {
    api.tag("machins subscriptions")
        .post("/api/v1/subscriptions", "Subscribe to events of one type", subscribe)
        .get("/api/v1/subscriptions", "List the agent's subscriptions", list)
        .delete("/api/v1/subscriptions/{id}", "Delete a subscription", unsubscribe)
        .refuses([Forbidden, NotFound])
}

async fn subscribe(agent: Agent, body: StoredBody<NewSubscription>) -> Created<SubscriptionReply> {
    agent.store(body, Machins::subscribe).map(Reply)
}

async fn list(agent: Agent) -> Answer<Vec<SubscriptionReply>> {
    agent.act(|machins, _, me| Ok(machins.own_subscriptions(me))).map(Reply)
}

async fn unsubscribe(agent: Agent, PathText(id): PathText) -> Answer<Unsubscribed> {
    agent.act(|machins, _, me| machins.unsubscribe(me, &id)).map(Reply)
}
