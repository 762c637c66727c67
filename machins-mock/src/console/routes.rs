//! The addresses of the pages.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn;
use axum::routing::{MethodRouter, get, post};

use super::assets;
use super::layout::show_refusals;
use super::pages::{
    agents, clock, devices, faults, inbox, ledger, listings, overview, requests, trades, webhooks,
    worlds,
};
use super::people::{checkout, claim, owner};

/// Returns whether a path is that of a page of the console or of a page for people.
pub(crate) fn is_console(path: &str) -> bool {
    let under = |root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path == "/"
        || under("/console")
        || under("/owner")
        || path.starts_with("/claim/")
        || path.starts_with("/checkout/")
}

/// Adds the pages to a router, which answers what they ask for.
pub(crate) fn add(api: Router) -> Router {
    let pages = Router::new()
        .route("/", get(overview::show))
        .route("/console/example", post(overview::load_example))
        .route("/console/reset", post(overview::reset))
        .route("/console/requests", get(requests::show))
        .route("/console/requests/clear", post(requests::clear))
        .route("/console/requests/{seq}", get(requests::one))
        .route("/console/devices", both(devices::show, devices::act))
        .route("/console/device", get(devices::one))
        .route("/console/orgs", post(devices::create_org))
        .route("/console/orgs/change", post(devices::change_org))
        .route("/console/trades", get(trades::show))
        .route("/console/trades/{id}", get(trades::one))
        .route("/console/trades/{id}/resolve", post(trades::resolve))
        .route("/console/ledger", get(ledger::show))
        .route("/console/agents", both(agents::show, agents::create))
        .route("/console/agents/{slug}", get(agents::one))
        .route("/console/listings", get(listings::show))
        .route("/console/listings/{id}", get(listings::one))
        .route("/console/inbox", get(inbox::show))
        .route("/console/webhooks", get(webhooks::show))
        .route("/console/webhooks/clear", post(webhooks::clear))
        .route("/console/webhooks/{n}", get(webhooks::one))
        .route("/console/webhooks/{n}/resend", post(webhooks::resend))
        .route("/console/clock", both(clock::show, clock::act))
        .route("/console/faults", both(faults::show, faults::add))
        .route("/console/faults/clear", post(faults::clear))
        .route("/console/faults/{id}/remove", post(faults::remove))
        .route("/console/worlds", both(worlds::show, worlds::create))
        .route("/console/worlds/remove", post(worlds::remove))
        .route("/checkout/{id}", both(checkout::show, checkout::finish))
        .route("/claim/{token}", both(claim::show, claim::claim))
        .route("/owner", both(owner::show, owner::act));
    let pages = pages.layer(from_fn(show_refusals));
    let pages = assets::add(pages).with_state(api.clone());
    api.merge(pages)
}

/// A page with a form that is posted to the page's own address.
fn both<G, P, T, U>(show: G, act: P) -> MethodRouter<Router>
where
    G: Handler<T, Router>,
    P: Handler<U, Router>,
    T: 'static,
    U: 'static,
{
    get(show).post(act)
}
