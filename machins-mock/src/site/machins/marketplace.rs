//! The marketplace: everybody's active listings.

use super::answer::Answer;
use crate::http::Refusal::{Invalid, NotFound};
use crate::http::{Api, CurrentApp, PathText, Reply, TwoQueries};
use crate::machins::marketplace::MarketplaceQuery;
use crate::machins::page::{Page, Window};
use crate::machins::views::{MarketplaceDetail, MarketplaceListing};

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
    CurrentApp(app): CurrentApp,
    TwoQueries(query): TwoQueries<MarketplaceQuery, Window>,
) -> Answer<Page<MarketplaceListing>> {
    app.machins(|machins, _| {
        let (query, window) = query?;
        machins.browse(&query, window)
    })
    .map(Reply)
}

async fn detail(CurrentApp(app): CurrentApp, PathText(id): PathText) -> Answer<MarketplaceDetail> {
    app.machins(|machins, _| machins.marketplace_listing(&id)).map(Reply)
}
