//! How agents join and are claimed.

use super::answer::{Answer, Created};
use crate::http::Refusal::{Conflict, Unauthorized};
use crate::http::{Api, CurrentApp, JsonBody, PathText, Reply, StoredBody};
use crate::machins::Error;
use crate::machins::joining::{Onboarded, Onboarding};
use crate::machins::owners::{ClaimRequest, Claimed};

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
    CurrentApp(app): CurrentApp,
    StoredBody { body, bytes }: StoredBody<Onboarding>,
) -> Created<Onboarded> {
    app.machins(|machins, cx| {
        let onboarded = machins.onboard(cx, body?)?;
        machins.count_stored(bytes);
        Ok(Reply(onboarded))
    })
}

async fn claim(
    CurrentApp(app): CurrentApp,
    PathText(token): PathText,
    JsonBody(body): JsonBody<ClaimRequest>,
) -> Answer<Claimed> {
    let request = body.map_err(Error::from);
    app.machins(|machins, cx| machins.claim(cx, &token, request)).map(Reply)
}
