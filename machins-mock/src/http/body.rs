//! Reading JSON request bodies, strictly and within bounds.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::api::Input;
use super::operation::Operation;
use crate::state::App;
use crate::world::Snapshot;

/// The largest request body: 1 MiB.
const MAX_BODY: usize = 1024 * 1024;

/// The largest stored world: 64 MiB.
const MAX_WORLD_BODY: usize = 64 * 1024 * 1024;

/// How much of a body beyond its limit is read and thrown away, so that the caller is still
/// listening when the refusal is sent.
const MAX_DISCARDED: usize = 64 * 1024 * 1024;

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
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body is incomplete")]
    Incomplete,
    #[error("the body must be a JSON object")]
    NotAnObject,
    #[error("the mock server is full: it holds {0} bytes; empty it with POST /_mock/reset")]
    Full(usize),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = Infallible;

    async fn from_request(request: Request, app: &App) -> Result<Self, Infallible> {
        let body = read_in_time(app, request, MAX_BODY).await;
        Ok(Self(body.and_then(|bytes| parse(&bytes))))
    }
}

impl<T: DeserializeOwned> FromRequest<App> for StoredBody<T> {
    type Rejection = Infallible;

    async fn from_request(request: Request, app: &App) -> Result<Self, Infallible> {
        let body = read_in_time(app, request, MAX_BODY).await;
        let bytes = body.as_ref().map_or(0, Vec::len);
        let full = || BodyError::Full(app.limits.world);
        let body = body
            .and_then(|bytes| parse(&bytes))
            .and_then(|body| if app.is_full() { Err(full()) } else { Ok(body) });
        Ok(Self { body, bytes })
    }
}

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalBody<T> {
    type Rejection = Infallible;

    async fn from_request(request: Request, app: &App) -> Result<Self, Infallible> {
        let body = read_in_time(app, request, MAX_BODY).await;
        let parse =
            |bytes: Vec<u8>| if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) };
        Ok(Self(body.and_then(parse)))
    }
}

impl FromRequest<App> for WorldBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, app: &App) -> Result<Self, Infallible> {
        // One at a time, because they are large; waiting counts towards the time limit.
        let read = async {
            let _permit = app.restoring.acquire().await.ok();
            read(request.into_body(), MAX_WORLD_BODY).await
        };
        let body = within(app, read).await;
        Ok(Self(body.and_then(|bytes| {
            parse::<Snapshot>(&bytes).map(|snapshot| snapshot.count_stored(bytes.len()))
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

async fn read_in_time(app: &App, request: Request, limit: usize) -> Result<Vec<u8>, BodyError> {
    within(app, read(request.into_body(), limit)).await
}

/// Waits for a body at most as long as the server's limits allow.
async fn within(
    app: &App,
    body: impl Future<Output = Result<Vec<u8>, BodyError>>,
) -> Result<Vec<u8>, BodyError> {
    tokio::time::timeout(app.limits.read_time, body).await.unwrap_or(Err(BodyError::Incomplete))
}

async fn read(mut body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    let mut discarded = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Incomplete)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if discarded == 0 && bytes.len() + data.len() <= limit {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
            discarded += data.len();
            if discarded > MAX_DISCARDED {
                break;
            }
        }
    }
    if discarded == 0 { Ok(bytes) } else { Err(BodyError::TooLarge(limit)) }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BodyError> {
    // serde would take an array for a struct as well.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(BodyError::NotAnObject);
    }
    Ok(serde_json::from_slice(bytes)?)
}
