//! Reading the parameters in a request's query, strictly.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::api::Input;
use super::operation::Operation;
use super::received::Received;
use crate::reading::{FieldError, shape};
use crate::text::beginning;

/// The query parameters, or the reason why they cannot be read; the handler decides when to refuse
/// them. Unknown parameters are ignored, unless the server is strict.
pub(crate) struct Query<T>(pub(crate) Result<T, FieldError>);

/// The query parameters of a route that reads two kinds of them.
pub(crate) struct TwoQueries<A, B>(pub(crate) Result<(A, B), FieldError>);

impl<T: DeserializeOwned + JsonSchema + 'static, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let is_strict = Received::get(&parts.extensions)?.is_strict;
        let query = parts.uri.query().unwrap_or_default();
        let known = if is_strict { refuse_unknown(query, &shape::<T>().names()) } else { Ok(()) };
        Ok(Self(known.and_then(|()| read(query))))
    }
}

impl<A, B, S: Sync> FromRequestParts<S> for TwoQueries<A, B>
where
    A: DeserializeOwned + JsonSchema + 'static,
    B: DeserializeOwned + JsonSchema + 'static,
{
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let is_strict = Received::get(&parts.extensions)?.is_strict;
        let query = parts.uri.query().unwrap_or_default();
        let check = || {
            let (first, second) = (shape::<A>(), shape::<B>());
            refuse_unknown(query, &[first.names(), second.names()].concat())
        };
        let known = if is_strict { check() } else { Ok(()) };
        Ok(Self(known.and_then(|()| Ok((read(query)?, read(query)?)))))
    }
}

impl<T: JsonSchema> Input for Query<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.query::<T>();
    }
}

impl<A: JsonSchema, B: JsonSchema> Input for TwoQueries<A, B> {
    fn describe(operation: &mut Operation<'_>) {
        operation.query::<A>();
        operation.query::<B>();
    }
}

/// Refuses a query with a parameter that is none of these.
pub(crate) fn refuse_unknown(query: &str, known: &[&str]) -> Result<(), FieldError> {
    match parameters(query).find(|(name, _)| !known.contains(&&**name)) {
        None => Ok(()),
        Some((name, _)) => {
            let shown = beginning(&name, 100).to_owned();
            Err(FieldError::unknown("parameter", shown, &name, known.iter().copied()))
        }
    }
}

fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(query.as_bytes())
}

fn read<T: DeserializeOwned + JsonSchema + 'static>(query: &str) -> Result<T, FieldError> {
    serde_urlencoded::from_str(query).map_err(|error| {
        // The parser does not say which parameter it could not read.
        let shape = shape::<T>();
        let culprit = parameters(query).find_map(|pair| {
            let (name, text) = &pair;
            let alone = serde_urlencoded::to_string([&pair]).unwrap_or_default();
            let error = serde_urlencoded::from_str::<T>(&alone).err()?;
            let explained = shape.bad_parameter(name, text);
            Some(explained.unwrap_or_else(|| FieldError::new(&**name, error)))
        });
        culprit.unwrap_or_else(|| match error.to_string() {
            text if text.contains("duplicate field") => {
                FieldError::new("", "a parameter is given twice")
            }
            text => FieldError::new("", text),
        })
    })
}
