//! What a page is given: the request, its world and the control API.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use super::api::Api;
use super::query::Params;
use crate::http::Received;
use crate::worlds::path_of_world;

/// A request for a page.
pub(super) struct Console {
    pub(super) api: Api,
    /// The path of the world, without a slash at the end; empty for the server's own.
    pub(super) base: String,
    /// The path and the query of the page, without the world's.
    pub(super) path: String,
    pub(super) params: Params,
    /// The body of a form.
    pub(super) form: Params,
    pub(super) headers: HeaderMap,
}

impl FromRequestParts<Router> for Console {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, api: &Router) -> Result<Self, StatusCode> {
        let received = Received::get(&parts.extensions)?;
        let app = Arc::clone(&received.app);
        let form = received.body.as_deref().map(Params::parse).unwrap_or_default();
        Ok(Self {
            base: path_of_world(&app.name),
            path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            params: Params::parse(parts.uri.query().unwrap_or_default().as_bytes()),
            form,
            headers: parts.headers.clone(),
            api: Api {
                router: api.clone(),
                worlds: Arc::clone(&received.worlds),
                host: parts.headers.get(HOST).cloned(),
                app,
            },
        })
    }
}

impl Console {
    /// Returns the address of a page or call in this world.
    pub(super) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Returns the URL of the world, as the browser knows the server.
    pub(super) fn url(&self) -> String {
        let host = self.api.host.as_ref().and_then(|host| host.to_str().ok());
        let server = host.map(|host| format!("http://{host}"));
        format!("{}{}", server.unwrap_or_else(|| self.api.app.server.url()), self.base)
    }
}

/// The text in a path; empty, and therefore unknown, if it is not valid UTF-8.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let path = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(path.map(|axum::extract::Path(text)| text).unwrap_or_default()))
    }
}
