//! `/openapi.json`, and Swagger UI at `/docs`.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::header::CONTENT_TYPE;

use super::document::document;
use crate::http::{CurrentApp, Route};
use crate::worlds::path_of_world;

/// The address of the server in the document.
const OWN_SERVERS: &str = r#""servers":[{"url":"/"}]"#;

/// Adds the OpenAPI document of the routes, which is created when it is first requested, and the
/// page that shows it.
pub(super) fn add(router: Router, documented: Arc<[Route]>) -> Router {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let serve = async move |CurrentApp(app): CurrentApp| {
        let document = DOCUMENT.get_or_init(|| document(&documented).to_string());
        let path = path_of_world(&app.name);
        // Only the address differs from world to world.
        let document = if path.is_empty() {
            Bytes::from_static(document.as_bytes())
        } else {
            let servers = format!("\"servers\":[{{\"url\":\"{path}\"}}]");
            document.replacen(OWN_SERVERS, &servers, 1).into()
        };
        ([(CONTENT_TYPE, "application/json")], document)
    };
    ui::add(router.route("/openapi.json", get(serve)))
}

/// Swagger UI, served from assets in the binary.
#[cfg(feature = "swagger-ui")]
mod ui {
    use axum::Router;
    use axum::response::{Html, IntoResponse};
    use axum::routing::get;
    use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

    const PAGE: &str = include_str!("swagger.html");
    const START: &str = include_str!("swagger.js");
    const SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz"));
    const STYLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz"));

    pub(super) fn add(router: Router) -> Router {
        router
            .route("/docs", get(async || Html(PAGE)))
            .route("/docs/", get(async || Html(PAGE)))
            .route("/docs/start.js", get(async || ([(CONTENT_TYPE, "text/javascript")], START)))
            .route("/docs/swagger-ui-bundle.js", get(async || asset("text/javascript", SCRIPT)))
            .route("/docs/swagger-ui.css", get(async || asset("text/css", STYLE)))
    }

    /// Sends an asset compressed, as it is stored: every browser accepts gzip.
    fn asset(content_type: &'static str, gzip: &'static [u8]) -> impl IntoResponse {
        ([(CONTENT_TYPE, content_type), (CONTENT_ENCODING, "gzip")], gzip)
    }
}

#[cfg(not(feature = "swagger-ui"))]
mod ui {
    use axum::Router;
    use axum::routing::get;

    use crate::http::Problem;

    pub(super) fn add(router: Router) -> Router {
        router.route("/docs", get(async || missing())).route("/docs/", get(async || missing()))
    }

    fn missing() -> Problem {
        let detail = "this server was built without Swagger UI: enable the feature `swagger-ui` \
                      of the crate `machins-mock`; GET /openapi.json is the OpenAPI document";
        Problem::new(404, "SWAGGER_UI_NOT_BUILT", detail)
    }
}
