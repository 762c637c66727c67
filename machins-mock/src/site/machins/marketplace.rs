//! The marketplace: everybody's active listings.

use axum::extract::State;

use super::answer::Answer;
use crate::http::Refusal::{Invalid, NotFound};
use crate::http::{Api, PathText, Query, Reply};
use crate::machins::marketplace::MarketplaceQuery;
use crate::machins::page::{Page, Window};
use crate::machins::views::{MarketplaceDetail, MarketplaceListing};
use crate::state::App;

pub(super) fn routes(api: Api) -> Api {
    api.tag("machins marketplace")
        .get("/api/v1/marketplace", "Browse active listings", browse)
        .refuses([Invalid])
        .get(
            "/api/v1/marketplace/{id}",
            "Get an active listing with its reviews and seller",
            detail,
        )
        .refuses([NotFound])
}

async fn browse(
    State(app): State<App>,
    Query(query): Query<MarketplaceQuery>,
    Query(window): Query<Window>,
) -> Answer<Page<MarketplaceListing>> {
    app.machins(|machins, _| machins.browse(&query?, window?)).map(Reply)
}

async fn detail(State(app): State<App>, PathText(id): PathText) -> Answer<MarketplaceDetail> {
    app.machins(|machins, _| machins.marketplace_listing(&id)).map(Reply)
}
