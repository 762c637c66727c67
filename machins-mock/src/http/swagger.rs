//! `/openapi.json`, and Swagger UI at `/docs` from assets inside the binary.

use axum::Router;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::{App, DOCUMENT};

const PAGE: &str = include_str!("swagger.html");
const SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz"));
const STYLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz"));

pub(super) fn bind(router: Router<App>) -> Router<App> {
    let document = || async { ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()) };
    router
        .route("/openapi.json", get(document))
        .route("/docs", get(|| async { Html(PAGE) }))
        .route("/docs/", get(|| async { Html(PAGE) }))
        .route("/docs/swagger-ui-bundle.js", get(async || asset("text/javascript", SCRIPT)))
        .route("/docs/swagger-ui.css", get(async || asset("text/css", STYLE)))
}

/// Sent as it is stored: every browser unpacks gzip.
fn asset(content_type: &'static str, gzip: &'static [u8]) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type), (CONTENT_ENCODING, "gzip")], gzip)
}
