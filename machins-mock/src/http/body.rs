//! Reading JSON request bodies, strictly and within bounds.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::api::Input;
use super::operation::Operation;
use super::received::{ReadError, Received};
use crate::reading::{JsonError, read_kept, read_object};
use crate::world::Snapshot;

/// The JSON object in the body of a request, or the reason why it cannot be read; the handler
/// decides when to refuse it.
pub(crate) struct JsonBody<T>(pub(crate) Result<T, BodyError>);

/// The JSON object of a request that adds to the world; refused if the world is full.
pub(crate) struct StoredBody<T> {
    pub(crate) body: Result<T, BodyError>,
    /// The length of the body, which counts towards the size of the world once it is stored.
    pub(crate) bytes: usize,
}

/// The JSON object of a request that needs none: without a body, the default.
pub(crate) struct OptionalBody<T>(pub(crate) Result<T, BodyError>);

/// A whole stored world.
pub(crate) struct WorldBody(pub(crate) Result<Snapshot, BodyError>);

/// Why the body of a request cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the mock server is full: it holds {0} bytes; empty it with POST /_mock/reset")]
    Full(usize),
    #[error("the body must be JSON, with the header `content-type: application/json`")]
    ContentType,
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl<T: DeserializeOwned + JsonSchema + 'static, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &S) -> Result<Self, StatusCode> {
        let received = Received::get(request.extensions())?;
        Ok(Self(read(received, request.headers()).and_then(|bytes| parse(received, bytes))))
    }
}

impl<T: DeserializeOwned + JsonSchema + 'static, S: Sync> FromRequest<S> for StoredBody<T> {
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &S) -> Result<Self, StatusCode> {
        let received = Received::get(request.extensions())?;
        let app = &received.app;
        let bytes = received.body.as_ref().map_or(0, Bytes::len);
        let full = || BodyError::Full(app.server.limits.world);
        let body = read(received, request.headers())
            .and_then(|bytes| parse(received, bytes))
            .and_then(|body| if app.is_full() { Err(full()) } else { Ok(body) });
        Ok(Self { body, bytes })
    }
}

impl<T: DeserializeOwned + JsonSchema + Default + 'static, S: Sync> FromRequest<S>
    for OptionalBody<T>
{
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &S) -> Result<Self, StatusCode> {
        let received = Received::get(request.extensions())?;
        let body = read(received, request.headers());
        Ok(Self(body.and_then(|bytes| {
            if bytes.is_empty() { Ok(T::default()) } else { parse(received, bytes) }
        })))
    }
}

impl<S: Sync> FromRequest<S> for WorldBody {
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &S) -> Result<Self, StatusCode> {
        let received = Received::get(request.extensions())?;
        Ok(Self(read(received, request.headers()).and_then(|bytes| {
            let snapshot: Snapshot = read_kept(bytes)?;
            Ok(snapshot.count_stored(bytes.len()))
        })))
    }
}

impl<T: JsonSchema> Input for JsonBody<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<T>(true);
    }
}

impl<T: JsonSchema> Input for StoredBody<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<T>(true);
    }
}

impl<T: JsonSchema> Input for OptionalBody<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<T>(false);
    }
}

impl Input for WorldBody {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<Snapshot>(true);
    }
}

/// Returns the body that was received, if its content type is one that the server takes.
fn read<'a>(received: &'a Received, headers: &HeaderMap) -> Result<&'a Bytes, BodyError> {
    let bytes = received.body.as_ref().map_err(|error| BodyError::Read(*error))?;
    if received.is_strict && !received.is_own && !bytes.is_empty() && !is_json(headers) {
        return Err(BodyError::ContentType);
    }
    Ok(bytes)
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T>(received: &Received, bytes: &Bytes) -> Result<T, BodyError>
where
    T: DeserializeOwned + JsonSchema + 'static,
{
    Ok(read_object(bytes, received.is_strict)?)
}
