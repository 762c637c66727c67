//! What every route is made of, and the document that follows from it.
//!
//! A route is registered with [`Api`], which takes only handlers whose arguments are [`Input`]s
//! and whose result is an [`Output`]: the OpenAPI document is read off those types, so that a
//! route can't be served undocumented and a document can't promise another shape.

mod api;
mod body;
mod document;
mod fallback;
mod output;
mod path;
mod query;
mod swagger;

pub(crate) use self::api::{Api, Input};
pub(crate) use self::body::{BodyError, JsonBody, OptionalBody, StoredBody};
pub(crate) use self::document::{Operation, Proof, Security};
pub(crate) use self::fallback::{Problem, is_cross_origin, is_infrastructure};
pub(crate) use self::output::{Either, Output, Reply, Responses, json};
pub(crate) use self::path::PathText;
pub(crate) use self::query::{Query, QueryError};

use std::sync::{Arc, LazyLock};

use axum::Router;
use bytes::Bytes;
use http::Method;

use self::api::Route;
use crate::state::Shared;

/// What handlers share: one server's world.
pub(crate) type App = Arc<Shared>;

/// The routes, made once for the process.
struct Site {
    router: Router<App>,
    routes: Vec<Route>,
}

static SITE: LazyLock<Site> = LazyLock::new(|| {
    let api = Api::new();
    let api = crate::machineid::http::routes(api);
    let api = crate::machins::http::routes(api);
    let api = crate::control::routes(api);
    let (router, routes) = api.finish();
    let router = fallback::bind(swagger::bind(router));
    Site { router, routes }
});

/// The OpenAPI document of the routes, made when it is first asked for.
static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| document::document(&SITE.routes).to_string().into());

/// The method, path and summary of every route filed under such headings.
pub(crate) fn api_routes(
    tag: &str,
) -> impl Iterator<Item = (&'static Method, &'static str, &'static str)> {
    let routes = SITE.routes.iter().filter(move |route| route.tag.starts_with(tag));
    routes.map(|route| (&route.method, route.path, route.summary))
}

/// The routes of one server.
pub(crate) fn router(app: App) -> Router {
    SITE.router.clone().with_state(app)
}
