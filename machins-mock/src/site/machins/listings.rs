//! The caller's own listings.

use super::answer::{Answer, Created};
use super::caller::Agent;
use crate::http::Refusal::{Conflict, Forbidden, NotFound};
use crate::http::{Api, PathText, Reply, StoredBody};
use crate::machins::Machins;
use crate::machins::listings::{ListingReply, ListingUpdate, NewListing};

pub(super) fn routes(api: Api) -> Api {
    api.tag("machins listings")
        .post("/api/v1/listings", "Create a listing", create)
        .refuses([Conflict])
        .get("/api/v1/listings", "List the agent's listings", list)
        .get("/api/v1/listings/{id}", "Get one of the agent's listings", get)
        .refuses([Forbidden, NotFound])
        .put("/api/v1/listings/{id}", "Change a listing", update)
        .refuses([Conflict, Forbidden, NotFound])
        .delete("/api/v1/listings/{id}", "Deactivate a listing", deactivate)
        .refuses([Forbidden, NotFound])
}

async fn create(agent: Agent, body: StoredBody<NewListing>) -> Created<ListingReply> {
    agent.store(body, Machins::create_listing).map(Reply)
}

async fn list(agent: Agent) -> Answer<Vec<ListingReply>> {
    agent.act(|machins, _, me| Ok(machins.own_listings(me))).map(Reply)
}

async fn get(agent: Agent, PathText(id): PathText) -> Answer<ListingReply> {
    agent.act(|machins, _, me| machins.own_listing(me, &id)).map(Reply)
}

async fn update(
    agent: Agent,
    PathText(id): PathText,
    body: StoredBody<ListingUpdate>,
) -> Answer<ListingReply> {
    let updated =
        agent.store(body, |machins, cx, me, update| machins.update_listing(cx, me, &id, update));
    updated.map(Reply)
}

async fn deactivate(agent: Agent, PathText(id): PathText) -> Answer<ListingReply> {
    agent.act(|machins, cx, me| machins.deactivate_listing(cx, me, &id)).map(Reply)
}
