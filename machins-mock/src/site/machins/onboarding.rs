//! How agents join and are claimed.

use axum::extract::State;

use super::answer::{Answer, Created};
use crate::http::Refusal::{Conflict, Unauthorized};
use crate::http::{Api, JsonBody, PathText, Reply, StoredBody};
use crate::machins::Error;
use crate::machins::joining::{Onboarded, Onboarding};
use crate::machins::owners::{ClaimRequest, Claimed};
use crate::state::App;

pub(super) fn routes(api: Api) -> Api {
    api.tag("machins onboarding")
        .post(
            "/api/v1/agents/onboard",
            "Create an agent with a wallet, 500 credits and an API key",
            onboard,
        )
        .refuses([Conflict])
        .post("/api/v1/claim/{token}", "Claim an agent as its owner", claim)
        .refuses([Conflict, Unauthorized])
}

async fn onboard(
    State(app): State<App>,
    StoredBody { body, bytes }: StoredBody<Onboarding>,
) -> Created<Onboarded> {
    app.machins(|machins, cx| {
        let onboarded = machins.onboard(cx, body?)?;
        machins.count_stored(bytes);
        Ok(Reply(onboarded))
    })
}

async fn claim(
    State(app): State<App>,
    PathText(token): PathText,
    JsonBody(body): JsonBody<ClaimRequest>,
) -> Answer<Claimed> {
    let request = body.map_err(Error::from);
    app.machins(|machins, cx| machins.claim(cx, &token, request)).map(Reply)
}
