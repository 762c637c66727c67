//! The caller of a MachineID endpoint.

use std::sync::MutexGuard;

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;

use super::reply::{Failure, Meta};
use crate::clock::Time;
use crate::http::{Input, Operation, Proof, Received, Security};
use crate::key_headers::ORG_KEY;
use crate::machineid::org::Org;
use crate::state::App;
use crate::world::World;

/// The org whose key came with the request, and the world that it is in.
pub(super) struct Caller {
    app: App,
    key: Option<String>,
}

/// One call. The world is locked as long as it lasts.
pub(super) struct Call<'a> {
    pub(super) world: MutexGuard<'a, World>,
    /// The key that came with the request, if any.
    pub(super) key: Option<&'a str>,
    pub(super) meta: Meta,
}

impl Caller {
    /// Starts a call of this name.
    pub(super) fn call(&self, handler: &'static str) -> Call<'_> {
        let (world, key) = (self.app.world(), self.key.as_deref());
        let known = key.is_some_and(|key| world.machineid.org(key).is_some());
        let meta = Meta { handler, request_id: self.app.new_request_id(known) };
        Call { world, key, meta }
    }
}

impl Call<'_> {
    pub(super) fn now(&self) -> Time {
        self.world.clock.now()
    }

    /// Returns the caller's org; refused if the key names none that is available.
    pub(super) fn org(&mut self) -> Result<&mut Org, Failure> {
        let meta = self.meta;
        self.world.machineid.authorize(self.key).map_err(|error| Failure::key(error, meta))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let app = App::clone(&Received::get(&parts.extensions)?.app);
        let header = parts.headers.get(&ORG_KEY).and_then(|key| key.to_str().ok());
        Ok(Self { app, key: header.map(|key| key.trim().to_owned()) })
    }
}

impl Input for Caller {
    fn describe(operation: &mut Operation<'_>) {
        operation.security(&Security {
            name: "machineid",
            proof: Proof::Header(ORG_KEY.as_str()),
            description: "The org's key, which begins with org_",
        });
    }
}
