//! What the server has received of a request before a handler runs.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use bytes::Bytes;
use http::StatusCode;
use http::header::HOST;
use http::request::Parts;

use super::api::Input;
use super::operation::Operation;
use crate::state::App;
use crate::worlds::Worlds;

/// What the server has received of a request. It is added to every request, and the extractors
/// read it.
#[derive(Clone)]
pub(crate) struct Received {
    /// The world that the request is for.
    pub(crate) app: App,
    pub(crate) worlds: Arc<Worlds>,
    pub(crate) body: Result<Bytes, ReadError>,
    /// Whether the request is for the mock's own routes.
    pub(crate) is_own: bool,
    /// Whether unknown fields and parameters are refused.
    pub(crate) is_strict: bool,
}

/// Why the body of a request was not received.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body is incomplete")]
    Incomplete,
}

/// The world that a request is for.
pub(crate) struct CurrentApp(pub(crate) App);

/// All worlds of the server.
pub(crate) struct AllWorlds(pub(crate) Arc<Worlds>);

/// The URL under which the caller reaches the server, without a slash at the end.
pub(crate) struct BaseUrl(pub(crate) String);

impl Received {
    /// Returns what was received of a request; the error does not happen.
    pub(crate) fn get(extensions: &http::Extensions) -> Result<&Self, StatusCode> {
        extensions.get().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl<S: Sync> FromRequestParts<S> for CurrentApp {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Received::get(&parts.extensions).map(|received| Self(App::clone(&received.app)))
    }
}

impl<S: Sync> FromRequestParts<S> for AllWorlds {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Received::get(&parts.extensions).map(|received| Self(Arc::clone(&received.worlds)))
    }
}

impl<S: Sync> FromRequestParts<S> for BaseUrl {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.filter(|host| !host.is_empty()).map(|host| format!("http://{host}"));
        let received = Received::get(&parts.extensions)?;
        Ok(Self(host.unwrap_or_else(|| received.app.server.url())))
    }
}

/// The caller's view of the server is not part of the documented request.
impl Input for BaseUrl {
    fn describe(_: &mut Operation<'_>) {}
}

/// The state of the server is not part of the request.
impl Input for CurrentApp {
    fn describe(_: &mut Operation<'_>) {}
}

impl Input for AllWorlds {
    fn describe(_: &mut Operation<'_>) {}
}
