//! Reading the parameter in a request's path.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::api::Input;
use super::operation::Operation;

/// The parameter in the path; empty, and therefore unknown, if it is not valid UTF-8.
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(path.map(|Path(text)| text).unwrap_or_default()))
    }
}

/// Documented from the path itself.
impl Input for PathText {
    fn describe(_: &mut Operation<'_>) {}
}
