//! Reading JSON request bodies, strictly and within bounds.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::StatusCode;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::api::Input;
use super::operation::Operation;
use super::received::{ReadError, Received};
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
    #[error("the body must be a JSON object")]
    NotAnObject,
    #[error("the mock server is full: it holds {0} bytes; empty it with POST /_mock/reset")]
    Full(usize),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &S) -> Result<Self, StatusCode> {
        let Received { body, .. } = Received::get(request.extensions())?;
        Ok(Self(read(body).and_then(parse)))
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for StoredBody<T> {
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &S) -> Result<Self, StatusCode> {
        let Received { app, body, .. } = Received::get(request.extensions())?;
        let bytes = body.as_ref().map_or(0, Bytes::len);
        let full = || BodyError::Full(app.server.limits.world);
        let body = read(body)
            .and_then(parse)
            .and_then(|body| if app.is_full() { Err(full()) } else { Ok(body) });
        Ok(Self { body, bytes })
    }
}

impl<T: DeserializeOwned + Default, S: Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &S) -> Result<Self, StatusCode> {
        let Received { body, .. } = Received::get(request.extensions())?;
        let parse = |bytes: &Bytes| if bytes.is_empty() { Ok(T::default()) } else { parse(bytes) };
        Ok(Self(read(body).and_then(parse)))
    }
}

impl<S: Sync> FromRequest<S> for WorldBody {
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &S) -> Result<Self, StatusCode> {
        let Received { body, .. } = Received::get(request.extensions())?;
        Ok(Self(read(body).and_then(|bytes| {
            parse::<Snapshot>(bytes).map(|snapshot| snapshot.count_stored(bytes.len()))
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

fn read(body: &Result<Bytes, ReadError>) -> Result<&Bytes, BodyError> {
    body.as_ref().map_err(|error| BodyError::Read(*error))
}

fn parse<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, BodyError> {
    // serde would take an array for a struct as well.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(BodyError::NotAnObject);
    }
    Ok(serde_json::from_slice(bytes)?)
}
