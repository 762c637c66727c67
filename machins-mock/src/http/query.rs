//! Reading the parameters in a request's query, strictly.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::api::Input;
use super::operation::Operation;

/// The query parameters, or the reason why they cannot be read; the handler decides when to refuse
/// them. Unknown parameters are ignored.
pub(crate) struct Query<T>(pub(crate) Result<T, QueryError>);

/// An error: the value of a query parameter is invalid.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the query cannot be read: {0}")]
pub(crate) struct QueryError(#[from] serde_urlencoded::de::Error);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(serde_urlencoded::from_str(query).map_err(QueryError)))
    }
}

impl<T: JsonSchema> Input for Query<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.query::<T>();
    }
}
