//! Webhooks and verifications that were posted.

use schemars::JsonSchema;
use serde::Serialize;

use super::done::{DONE, Done};
use super::wait::{Timeout, Unmet, WaitBody};
use crate::conditions::{Matcher, Purpose};
use crate::delivery::{WebhookAttempt, WebhooksQuery};
use crate::http::Refusal::Invalid;
use crate::http::{Api, CurrentApp, JsonBody, PathText, Problem, Query, Reply};

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/webhooks", "List the webhook and verification attempts, oldest first", webhooks)
        .refuses([Invalid])
        .get("/_mock/webhooks/{n}", "Get an attempt", webhook)
        .delete("/_mock/webhooks", "Clear the recorded attempts", clear_webhooks)
        .post("/_mock/webhooks/wait", "Wait until webhooks have been posted", wait)
        .post("/_mock/webhooks/{n}/resend", "Post a webhook once more", resend)
}

/// The attempts to post webhooks and verifications, oldest first.
#[derive(Serialize, JsonSchema)]
struct Webhooks {
    webhooks: Vec<WebhookAttempt>,
}

async fn webhooks(
    CurrentApp(app): CurrentApp,
    Query(query): Query<WebhooksQuery>,
) -> Result<Reply<200, Webhooks>, Problem> {
    Ok(Reply(Webhooks { webhooks: app.deliveries.find(&query?) }))
}

async fn webhook(
    CurrentApp(app): CurrentApp,
    PathText(n): PathText,
) -> Result<Reply<200, WebhookAttempt>, Problem> {
    let attempt = n.parse().ok().and_then(|n| app.deliveries.get(n));
    attempt.map(Reply).ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::new(404, "WEBHOOK_NOT_FOUND", "there is no webhook with this number")
}

async fn clear_webhooks(CurrentApp(app): CurrentApp) -> Reply<200, Done> {
    app.deliveries.clear_log();
    DONE
}

async fn wait(
    CurrentApp(app): CurrentApp,
    JsonBody(body): JsonBody<WaitBody>,
) -> Result<Reply<200, Webhooks>, Unmet<WebhookAttempt>> {
    let body = body?;
    let (count, timeout, since) = (body.count()?, body.timeout()?, body.since);
    let matcher = Matcher::new(body.conditions, Purpose::Webhooks)?;
    let enough = app.deliveries.matched(&matcher, since, count);
    if let Ok(webhooks) = tokio::time::timeout(timeout, enough).await {
        return Ok(Reply(Webhooks { webhooks }));
    }
    let (found, others) = app.deliveries.sort(&matcher, since);
    Err(Unmet::Timeout(Timeout::new("webhooks", count, found, others)))
}

async fn resend(
    CurrentApp(app): CurrentApp,
    PathText(n): PathText,
) -> Result<Reply<200, WebhookAttempt>, Problem> {
    let attempt = match n.parse() {
        Ok(n) => app.deliveries.resend(n).await,
        Err(_) => None,
    };
    attempt.map(Reply).ok_or_else(not_found)
}
