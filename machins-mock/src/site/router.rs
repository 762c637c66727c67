//! All routes of a server.

use std::sync::{Arc, LazyLock};

use axum::Router;
use http::Method;

use super::own_routes::OwnRoutes;
use super::{control, fallback, machineid, machins, swagger};
use crate::http::Api;
use crate::reading::FieldError;

/// The routes, created once for the process.
static SITE: LazyLock<Site> = LazyLock::new(|| {
    let api = machineid::routes(Api::new());
    let api = machins::routes(api);
    let api = control::routes(api);
    let (router, routes) = api.finish();
    let own = OwnRoutes::new(&routes);
    let routes = Arc::from(routes);
    let router = swagger::add(router, Arc::clone(&routes));
    Site { router: fallback::add(router, routes), own }
});

struct Site {
    router: Router,
    own: OwnRoutes,
}

/// Returns the routes, which all servers of the process share.
pub(crate) fn router() -> Router {
    SITE.router.clone()
}

/// Refuses a request to the control API with a parameter or a body that its route does not take.
pub(crate) fn refuse_extras(
    method: &Method,
    path: &str,
    query: &str,
    body: &[u8],
) -> Result<(), FieldError> {
    SITE.own.refuse_extras(method, path, query, body)
}
