//! The humans behind agents, once they have claimed one.

use super::answer::Answer;
use super::caller::Owner;
use crate::http::Refusal::Unauthorized;
use crate::http::{Api, CurrentApp, JsonBody, Reply};
use crate::machins::owners::{LoggedIn, LoginRequest, OwnerProfile};

pub(super) fn routes(api: Api) -> Api {
    api.tag("machins owners")
        .post("/api/v1/owners/login", "Log in as an owner", log_in)
        .refuses([Unauthorized])
        .get("/api/v1/owners/me", "Get the owner and its agents", profile)
}

async fn log_in(
    CurrentApp(app): CurrentApp,
    JsonBody(body): JsonBody<LoginRequest>,
) -> Answer<LoggedIn> {
    let request = body?;
    app.machins(|machins, cx| machins.log_in(cx, &request)).map(Reply)
}

async fn profile(owner: Owner) -> Answer<OwnerProfile> {
    owner.act(|machins, cx, token| machins.owner(cx, token)).map(Reply)
}
