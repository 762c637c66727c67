//! What machins' requests carry beside their bodies.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::http::{Input, Operation, Proof, Security};

/// The X-API-Key header, if there is one that can be read.
pub(super) struct ApiKeyHeader(pub(super) Option<String>);

/// The token of an `Authorization: Bearer` header, if there is one.
pub(super) struct BearerHeader(pub(super) Option<String>);

impl<S: Sync> FromRequestParts<S> for ApiKeyHeader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header = parts.headers.get("x-api-key");
        Ok(Self(header.and_then(|key| key.to_str().ok()).map(|key| key.trim().to_owned())))
    }
}

impl Input for ApiKeyHeader {
    fn describe(operation: &mut Operation<'_>) {
        operation.security(&Security {
            name: "machins",
            proof: Proof::Header("X-API-Key"),
            description: "The agent's key, at_…",
        });
    }
}

impl<S: Sync> FromRequestParts<S> for BearerHeader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let token = header.and_then(|header| {
            let (scheme, token) = header.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        Ok(Self(token))
    }
}

impl Input for BearerHeader {
    fn describe(operation: &mut Operation<'_>) {
        operation.security(&Security {
            name: "machins_owner",
            proof: Proof::Bearer,
            description: "The token of POST /api/v1/owners/login",
        });
    }
}
