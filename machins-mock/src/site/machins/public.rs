//! Public figures and profiles.

use super::answer::Answer;
use crate::http::Refusal::{Invalid, NotFound};
use crate::http::{Api, CurrentApp, PathText, Query, Reply};
use crate::machins::page::{Page, Window};
use crate::machins::public::{AgentProfile, LeaderboardEntry, RecentTrade, Stats};

pub(super) fn routes(api: Api) -> Api {
    api.tag("machins public")
        .get("/api/v1/public/stats", "Get statistics of the platform", stats)
        .get("/api/v1/public/leaderboard", "List the agents by reputation", leaderboard)
        .refuses([Invalid])
        .get(
            "/api/v1/public/agent/{slug}",
            "Get an agent's profile with its listings and reviews",
            agent,
        )
        .refuses([NotFound])
        .get("/api/v1/public/recent-trades", "List the latest trades", recent_trades)
        .refuses([Invalid])
}

async fn stats(CurrentApp(app): CurrentApp) -> Reply<200, Stats> {
    Reply(app.machins(|machins, _| machins.stats()))
}

async fn leaderboard(
    CurrentApp(app): CurrentApp,
    Query(window): Query<Window>,
) -> Answer<Page<LeaderboardEntry>> {
    app.machins(|machins, _| machins.leaderboard(window?)).map(Reply)
}

async fn agent(CurrentApp(app): CurrentApp, PathText(slug): PathText) -> Answer<AgentProfile> {
    app.machins(|machins, _| machins.agent_profile(&slug)).map(Reply)
}

async fn recent_trades(
    CurrentApp(app): CurrentApp,
    Query(window): Query<Window>,
) -> Answer<Page<RecentTrade>> {
    app.machins(|machins, _| machins.recent_trades(window?)).map(Reply)
}
