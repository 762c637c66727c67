//! The caller of a machins endpoint.

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use uuid::Uuid;

use crate::http::{Input, Operation, Proof, Received, Security, StoredBody};
use crate::key_headers::API_KEY;
use crate::machins::error::Result;
use crate::machins::{Context, Machins};
use crate::state::App;

/// The agent whose key came with the request, and the platform that it acts on.
pub(super) struct Agent {
    pub(super) app: App,
    key: Option<String>,
}

/// The owner whose token came with the request, and the platform that it acts on.
pub(super) struct Owner {
    app: App,
    token: Option<String>,
}

impl Agent {
    /// Runs an operation as this agent, whose id is its last argument; refused if no agent has the
    /// key.
    pub(super) fn act<T>(
        &self,
        operation: impl FnOnce(&mut Machins, &mut Context<'_>, Uuid) -> Result<T>,
    ) -> Result<T> {
        self.app.machins(|machins, cx| {
            let me = machins.authorize(self.key.as_deref())?;
            operation(machins, cx, me)
        })
    }

    /// Runs an operation that stores the body, and counts its length.
    pub(super) fn store<B, T>(
        &self,
        StoredBody { body, bytes }: StoredBody<B>,
        operation: impl FnOnce(&mut Machins, &mut Context<'_>, Uuid, B) -> Result<T>,
    ) -> Result<T> {
        self.act(|machins, cx, me| {
            let result = operation(machins, cx, me, body?)?;
            machins.count_stored(bytes);
            Ok(result)
        })
    }
}

impl Owner {
    /// Runs an operation, which is given this owner's token.
    pub(super) fn act<T>(
        &self,
        operation: impl FnOnce(&mut Machins, &mut Context<'_>, Option<&str>) -> Result<T>,
    ) -> Result<T> {
        self.app.machins(|machins, cx| operation(machins, cx, self.token.as_deref()))
    }
}

impl<S: Sync> FromRequestParts<S> for Agent {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, StatusCode> {
        let app = App::clone(&Received::get(&parts.extensions)?.app);
        let header = parts.headers.get(&API_KEY).and_then(|key| key.to_str().ok());
        Ok(Self { app, key: header.map(|key| key.trim().to_owned()) })
    }
}

impl Input for Agent {
    fn describe(operation: &mut Operation<'_>) {
        operation.security(&Security {
            name: "machins",
            proof: Proof::Header("X-API-Key"),
            description: "The agent's API key, which begins with at_",
        });
    }
}

impl<S: Sync> FromRequestParts<S> for Owner {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, StatusCode> {
        let app = App::clone(&Received::get(&parts.extensions)?.app);
        let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let token = header.and_then(|header| {
            let (scheme, token) = header.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        Ok(Self { app, token })
    }
}

impl Input for Owner {
    fn describe(operation: &mut Operation<'_>) {
        operation.security(&Security {
            name: "machins_owner",
            proof: Proof::Bearer,
            description: "The token from the reply to POST /api/v1/owners/login",
        });
    }
}
