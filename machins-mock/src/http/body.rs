//! Reading JSON request bodies, strictly and within bounds.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::App;
use super::api::Input;
use super::document::Operation;

/// The most that a request body may hold: 1 MiB.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

/// How much of a body beyond its limit is read and thrown away, so that the caller is still
/// listening when the refusal is sent.
const MAX_DISCARDED: usize = 64 * 1024 * 1024;

/// The JSON object that a request carries, or why it carries none: the handler decides when that
/// matters.
pub(crate) struct JsonBody<T, const LIMIT: usize = MAX_BODY>(pub(crate) Result<T, BodyError>);

/// Why a request's body can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body did not arrive whole")]
    Incomplete,
    #[error("the body must be a JSON object")]
    NotAnObject,
    #[error("the mock server is full: it holds {0} bytes; POST /_mock/reset empties it")]
    Full(usize),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl<T: DeserializeOwned, const LIMIT: usize> FromRequest<App> for JsonBody<T, LIMIT> {
    type Rejection = Infallible;

    async fn from_request(request: Request, app: &App) -> Result<Self, Infallible> {
        Ok(Self(in_time(app, request.into_body(), LIMIT).await.and_then(|bytes| parse(&bytes))))
    }
}

impl<T: JsonSchema, const LIMIT: usize> Input for JsonBody<T, LIMIT> {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<T>(true);
    }
}

/// The same for calls that add to the world, which is refused when it is full.
pub(crate) struct StoredBody<T>(pub(crate) Result<T, BodyError>);

impl<T: DeserializeOwned> FromRequest<App> for StoredBody<T> {
    type Rejection = Infallible;

    async fn from_request(request: Request, app: &App) -> Result<Self, Infallible> {
        let JsonBody(body) = JsonBody::<T>::from_request(request, app).await?;
        let full = || BodyError::Full(app.limits.world);
        Ok(Self(body.and_then(|body| if app.is_full() { Err(full()) } else { Ok(body) })))
    }
}

impl<T: JsonSchema> Input for StoredBody<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<T>(true);
    }
}

/// The same for calls that need no body: without one, the default.
pub(crate) struct OptionalBody<T>(pub(crate) Result<T, BodyError>);

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalBody<T> {
    type Rejection = Infallible;

    async fn from_request(request: Request, app: &App) -> Result<Self, Infallible> {
        let body = in_time(app, request.into_body(), MAX_BODY).await;
        let parse =
            |bytes: Vec<u8>| if bytes.is_empty() { Ok(T::default()) } else { parse(&bytes) };
        Ok(Self(body.and_then(parse)))
    }
}

impl<T: JsonSchema> Input for OptionalBody<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<T>(false);
    }
}

/// Reads a body within the server's time limit; of those that may be larger than others, one at a
/// time.
async fn in_time(app: &App, body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
    let bytes = async {
        let large = limit > MAX_BODY;
        let _turn = if large { app.restoring.acquire().await.ok() } else { None };
        read(body, limit).await
    };
    tokio::time::timeout(app.limits.read_time, bytes).await.unwrap_or(Err(BodyError::Incomplete))
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
