//! All routes of a server.

use std::sync::{Arc, LazyLock};

use axum::Router;

use super::{control, fallback, machineid, machins, swagger};
use crate::http::Api;

/// The routes, created once for the process.
static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    let api = machineid::routes(Api::new());
    let api = machins::routes(api);
    let api = control::routes(api);
    let (router, routes) = api.finish();
    let routes = Arc::from(routes);
    let router = swagger::add(router, Arc::clone(&routes));
    fallback::add(router, routes)
});

/// Returns the routes, which all servers of the process share.
pub(crate) fn router() -> Router {
    ROUTER.clone()
}
