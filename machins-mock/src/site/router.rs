//! All routes of a server.

use std::sync::{Arc, LazyLock};

use axum::Router;
use http::Method;
use serde_json::Value;

use super::document::document;
use super::route_inputs::RouteInputs;
use super::{control, fallback, machineid, machins, swagger};
use crate::http::{Api, Route};
use crate::reading::FieldError;

/// The routes, created once for the process.
static SITE: LazyLock<Site> = LazyLock::new(|| {
    let api = machineid::routes(Api::new());
    let api = machins::routes(api);
    let api = control::routes(api);
    let (router, routes) = api.finish();
    let routes = Arc::from(routes);
    let router = control::events::add(router);
    #[cfg(feature = "console")]
    let router = crate::console::add(router);
    let router = swagger::add(router, Arc::clone(&routes));
    Site { router: fallback::add(router, Arc::clone(&routes)), routes }
});

/// What the routes take, read from their documentation when it is first needed.
static INPUTS: LazyLock<RouteInputs> = LazyLock::new(|| RouteInputs::new(&SITE.routes));

struct Site {
    router: Router,
    routes: Arc<[Route]>,
}

/// Returns the routes, which all servers of the process share.
pub(crate) fn router() -> Router {
    SITE.router.clone()
}

/// Returns the path of the route that answers a request, such as `/api/v1/trades/{id}`; `None` if no
/// route does.
pub(crate) fn path_template(method: &Method, path: &str) -> Option<&'static str> {
    let routes = SITE.routes.iter().filter(|route| route.method == method);
    let fitting = routes.filter(|route| fallback::matches(route.path, path));
    // A path without parameters comes before one that would take anything there.
    fitting.map(|route| route.path).min_by_key(|path| path.matches('{').count())
}

/// Returns the OpenAPI document of all routes.
pub(crate) fn reply_document() -> Value {
    document(&SITE.routes)
}

/// Refuses a request with a parameter or a body that its route does not take.
pub(crate) fn refuse_extras(
    method: &Method,
    path: &str,
    query: &str,
    body: &[u8],
) -> Result<(), FieldError> {
    if query.is_empty() && body.is_empty() {
        return Ok(());
    }
    INPUTS.refuse_extras(method, path, query, body)
}
