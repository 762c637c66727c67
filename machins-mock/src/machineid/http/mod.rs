//! MachineID's routes.

mod batches;
mod devices;
mod org;

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;

use super::device::DeviceId;
use super::org::Org;
use super::reply::{ErrorCode, Failure, Meta};
use crate::http::{Api, Either, Input, JsonBody, Operation, Proof, Security};
use crate::state::World;

pub(crate) fn routes(api: Api) -> Api {
    api.tag("MachineID devices")
        .post("/api/v1/devices/register", "Register a device; safe to repeat", devices::register)
        .post("/api/v1/devices/validate", "May the device run?", devices::validate)
        .get("/api/v1/devices/list", "All devices of the organisation", devices::list)
        .post("/api/v1/devices/revoke", "Block a device", devices::revoke)
        .post("/api/v1/devices/unrevoke", "Let a blocked device run again", devices::unrevoke)
        .post("/api/v1/devices/revoke_batch", "Block many devices", batches::revoke_batch)
        .post(
            "/api/v1/devices/unrevoke_batch",
            "Let many devices run again",
            batches::unrevoke_batch,
        )
        .post("/api/v1/devices/remove", "Delete a device for good", devices::remove)
        .tag("MachineID organisation")
        .post("/api/v1/org/create", "Make a free organisation", org::create_org)
        .get("/api/v1/usage", "How full the plan is", org::usage)
        .post("/api/v1/billing/checkout", "Where to pay for a plan", org::checkout)
}

/// The x-org-key header, if there is one that can be read.
struct OrgKeyHeader(Option<String>);

impl<S: Sync> FromRequestParts<S> for OrgKeyHeader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header = parts.headers.get("x-org-key");
        Ok(Self(header.and_then(|key| key.to_str().ok()).map(|key| key.trim().to_owned())))
    }
}

impl Input for OrgKeyHeader {
    fn describe(operation: &mut Operation<'_>) {
        operation.security(&Security {
            name: "machineid",
            proof: Proof::Header("x-org-key"),
            description: "The organisation's key, org_…",
        });
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DeviceBody {
    /// 1 to 128 of letters, digits and `. _ : @ / -`; spaces around it are ignored.
    device_id: String,
}

impl<A> From<Failure> for Either<A, Failure> {
    fn from(failure: Failure) -> Self {
        Self::Right(failure)
    }
}

/// One call: who calls and how its reply is named.
struct Call<'a> {
    world: &'a mut World,
    meta: Meta,
}

impl<'a> Call<'a> {
    fn new(world: &'a mut World, handler: &'static str) -> Self {
        let request_id = world.random.uuid();
        Self { world, meta: Meta { handler, request_id } }
    }

    /// The caller's organisation.
    fn org(self, OrgKeyHeader(key): &OrgKeyHeader) -> Result<(&'a mut Org, Meta), Failure> {
        match self.world.machineid.authorize(key.as_deref()) {
            Ok(org) => Ok((org, self.meta)),
            Err(error) => Err(Failure::key(error, self.meta)),
        }
    }

    /// The caller's organisation and the one device that the call is about.
    fn org_and_device(
        self,
        key: &OrgKeyHeader,
        JsonBody(body): JsonBody<DeviceBody>,
    ) -> Result<(&'a mut Org, DeviceId, Meta), Failure> {
        let (org, meta) = self.org(key)?;
        let body = body.map_err(|error| Failure::body(&error, meta.clone()))?;
        match DeviceId::parse(&body.device_id) {
            Ok(id) => Ok((org, id, meta)),
            Err(error) => Err(Failure::new(ErrorCode::InvalidDeviceId, error.to_string(), meta)),
        }
    }
}
