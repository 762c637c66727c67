//! The journal of requests.

use schemars::JsonSchema;
use serde::Serialize;

use super::done::{DONE, Done};
use super::wait::{Timeout, Unmet, WaitBody};
use crate::conditions::ConditionsError;
use crate::http::Refusal::Invalid;
use crate::http::{Api, CurrentApp, JsonBody, PathText, Problem, Query, Reply};
use crate::journal::{RequestRecord, Requests, RequestsQuery, Search};

pub(super) fn routes(api: Api) -> Api {
    api.get("/_mock/requests", "List the requests received, oldest first", requests)
        .refuses([Invalid])
        .get("/_mock/requests/{seq}", "Get a request", request)
        .delete("/_mock/requests", "Clear the recorded requests", clear_requests)
        .post("/_mock/requests/wait", "Wait until requests have been answered", wait)
}

/// The requests that matched, oldest first.
#[derive(Serialize, JsonSchema)]
struct MatchedRequests {
    requests: Vec<RequestRecord>,
}

impl From<ConditionsError> for Problem {
    fn from(error: ConditionsError) -> Self {
        Self::bad_request(&error)
    }
}

async fn requests(
    CurrentApp(app): CurrentApp,
    Query(query): Query<RequestsQuery>,
) -> Result<Reply<200, Requests>, Problem> {
    let requests = app.controls().journal.find(query?);
    let in_query = |error: ConditionsError| {
        // In a query, the conditions stand by themselves.
        Problem::bad_request(&error.to_string().replace("`match.", "`"))
    };
    Ok(Reply(requests.map_err(in_query)?))
}

async fn request(
    CurrentApp(app): CurrentApp,
    PathText(seq): PathText,
) -> Result<Reply<200, RequestRecord>, Problem> {
    let request = seq.parse().ok().and_then(|seq| app.controls().journal.with_seq(seq));
    request.map(Reply).ok_or_else(|| {
        Problem::new(404, "REQUEST_NOT_FOUND", "no request with this number is remembered")
    })
}

async fn clear_requests(CurrentApp(app): CurrentApp) -> Reply<200, Done> {
    app.controls().journal.clear();
    DONE
}

async fn wait(
    CurrentApp(app): CurrentApp,
    JsonBody(body): JsonBody<WaitBody>,
) -> Result<Reply<200, MatchedRequests>, Unmet<RequestRecord>> {
    let body = body?;
    let (count, timeout) = (body.count()?, body.timeout()?);
    let mut search = Search::new(body.conditions, body.since)?;
    let found = app.answered.until(|| search.go_on(&app.controls().journal, count));
    if let Ok(requests) = tokio::time::timeout(timeout, found).await {
        return Ok(Reply(MatchedRequests { requests }));
    }
    let (matched, others) = search.sort(&app.controls().journal);
    Err(Unmet::Timeout(Timeout::new("requests", count, matched, others)))
}
