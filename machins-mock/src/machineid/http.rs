//! MachineID's routes.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;

use super::decision::DecisionCode;
use super::device::{DeviceId, InvalidDeviceId};
use super::org::{self, BatchEntry, Org, Registration, Restored, RestoredAll, Revoked};
use super::plan::Plan;
use super::reply::{
    BatchItem, BatchRevoked, BatchStatus, BatchUnrevoked, Checkout, Decision, DeviceEntry,
    DeviceList, ErrorCode, Failure, Meta, NoSuchDevice, NothingRestored, OrgCreated, Registered,
    Removed, Standing, Status, Usage,
};
use crate::http::{Api, App, Either, Input, JsonBody, Operation, Reply, Security};
use crate::state::World;

pub(crate) fn routes(api: Api) -> Api {
    api.tag("MachineID devices")
        .post("/api/v1/devices/register", "Register a device; safe to repeat", register)
        .post("/api/v1/devices/validate", "May the device run?", validate)
        .get("/api/v1/devices/list", "All devices of the organisation", list)
        .post("/api/v1/devices/revoke", "Block a device", revoke)
        .post("/api/v1/devices/unrevoke", "Let a blocked device run again", unrevoke)
        .post("/api/v1/devices/revoke_batch", "Block many devices", revoke_batch)
        .post("/api/v1/devices/unrevoke_batch", "Let many devices run again", unrevoke_batch)
        .post("/api/v1/devices/remove", "Delete a device for good", remove)
        .tag("MachineID organisation")
        .post("/api/v1/org/create", "Make a free organisation", create_org)
        .get("/api/v1/usage", "How full the plan is", usage)
        .post("/api/v1/billing/checkout", "Where to pay for a plan", checkout)
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
            header: "x-org-key",
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

/// Many devices: either `deviceIds` or `scope`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "BatchBody_{Scope}")]
struct BatchBody<Scope> {
    /// At least one id, at most 500 distinct valid ones.
    device_ids: Option<Vec<String>>,
    scope: Option<Scope>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RevokeScope {
    AllActive,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum UnrevokeScope {
    AllRevoked,
}

#[derive(Deserialize, JsonSchema)]
struct CheckoutBody {
    /// `pro`, `scale` or `max`.
    plan: String,
}

#[derive(Deserialize, JsonSchema)]
struct EmptyBody {}

type Refused = Either<Reply<403, Registered>, Failure>;
type NotFound = Either<Reply<404, NoSuchDevice>, Failure>;

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

async fn create_org(
    State(app): State<App>,
    JsonBody(body): JsonBody<EmptyBody>,
) -> Result<Reply<200, OrgCreated>, Failure> {
    let world = &mut *app.world();
    let Call { world, meta } = Call::new(world, "org_create");
    body.map_err(|error| Failure::body(&error, meta.clone()))?;
    let key = world.machineid.create_org(Plan::Free, &mut world.random);
    Ok(Reply(OrgCreated { status: Status::Ok, org_api_key: key.into(), meta }))
}

async fn register(
    State(app): State<App>,
    key: OrgKeyHeader,
    body: JsonBody<DeviceBody>,
) -> Result<Reply<200, Registered>, Refused> {
    let world = &mut *app.world();
    let now = world.clock.now();
    let (org, id, meta) = Call::new(world, "devices/register").org_and_device(&key, body)?;
    let (status, error) = match org.register(id.clone(), now) {
        Registration::Created => (Status::Ok, None),
        Registration::Exists => (Status::Exists, None),
        Registration::PlanFrozen => (Status::Blocked, Some(ErrorCode::PlanFrozen)),
        Registration::Revoked => (Status::Revoked, Some(ErrorCode::DeviceRevoked)),
        Registration::AtCap => (Status::Blocked, Some(ErrorCode::DeviceLimitReached)),
    };
    let figures = org.figures().into();
    let registered = Registered { status, error, device_id: id, figures, meta };
    match error {
        None => Ok(Reply(registered)),
        Some(_) => Err(Either::Left(Reply(registered))),
    }
}

async fn validate(
    State(app): State<App>,
    OrgKeyHeader(key): OrgKeyHeader,
    JsonBody(body): JsonBody<DeviceBody>,
) -> Decision {
    let world = &mut *app.world();
    let now = world.clock.now();
    let Call { world, meta } = Call::new(world, "devices/validate");
    let asked = body.as_ref().map(|body| body.device_id.trim());
    let id = asked.map_err(|_| InvalidDeviceId).and_then(DeviceId::parse);
    let id = id.as_ref().map_err(|error| *error);
    let code = world.machineid.validate(key.as_deref(), id, now);
    let mut decision = Decision::new(code, asked.ok().map(ToOwned::to_owned), meta);
    if let (DecisionCode::InvalidDeviceId, Err(error)) = (code, asked) {
        decision.error = Some(error.into());
    }
    decision
}

async fn list(
    State(app): State<App>,
    key: OrgKeyHeader,
) -> Result<Reply<200, DeviceList>, Failure> {
    let world = &mut *app.world();
    let (org, meta) = Call::new(world, "devices/list").org(&key)?;
    let devices = org.devices().map(|(id, device)| DeviceEntry::new(id, device)).collect();
    let figures = org.figures().into();
    Ok(Reply(DeviceList { status: Status::Ok, devices, figures, meta }))
}

async fn revoke(
    State(app): State<App>,
    key: OrgKeyHeader,
    body: JsonBody<DeviceBody>,
) -> Result<Reply<200, Standing>, NotFound> {
    let world = &mut *app.world();
    let now = world.clock.now();
    let (org, id, meta) = Call::new(world, "devices/revoke").org_and_device(&key, body)?;
    match org.revoke(&id, now) {
        Revoked::Now | Revoked::Already => {
            Ok(Reply(Standing { status: Status::Ok, device_id: id, revoked: true, meta }))
        }
        Revoked::NotFound => Err(Either::Left(Reply(NoSuchDevice::new(id, meta)))),
    }
}

async fn unrevoke(
    State(app): State<App>,
    key: OrgKeyHeader,
    body: JsonBody<DeviceBody>,
) -> Result<Reply<200, Standing>, Either<Reply<403, Registered>, NotFound>> {
    let world = &mut *app.world();
    let call = Call::new(world, "devices/unrevoke");
    let (org, id, meta) = call.org_and_device(&key, body).map_err(|it| Either::Right(it.into()))?;
    match org.unrevoke(&id) {
        Restored::Now | Restored::Already => {
            Ok(Reply(Standing { status: Status::Ok, device_id: id, revoked: false, meta }))
        }
        Restored::AtCap => Err(Either::Left(Reply(Registered {
            status: Status::Blocked,
            error: Some(ErrorCode::DeviceLimitReached),
            device_id: id,
            figures: org.figures().into(),
            meta,
        }))),
        Restored::NotFound => Err(Either::Right(Either::Left(Reply(NoSuchDevice::new(id, meta))))),
    }
}

/// What a batch is about.
enum Selection<Scope> {
    Entries(Vec<BatchEntry>),
    Scope(Scope),
}

fn selection<Scope>(
    JsonBody(body): JsonBody<BatchBody<Scope>>,
    meta: &Meta,
) -> Result<Selection<Scope>, Failure> {
    let body = body.map_err(|error| Failure::body(&error, meta.clone()))?;
    match (body.device_ids, body.scope) {
        (Some(ids), None) if !ids.is_empty() => match org::batch(&ids) {
            Ok(entries) => Ok(Selection::Entries(entries)),
            Err(org::TooManyIds) => Err(Failure::too_many_ids(meta.clone())),
        },
        (None, Some(scope)) => Ok(Selection::Scope(scope)),
        _ => {
            let message = "exactly one of deviceIds (not empty) and scope is needed";
            Err(Failure::new(ErrorCode::MissingParams, message, meta.clone()))
        }
    }
}

/// The results of a batch: what `act` makes of each valid id.
fn batch_items(
    entries: Vec<BatchEntry>,
    mut act: impl FnMut(&DeviceId) -> BatchStatus,
) -> Vec<BatchItem> {
    let item = |entry: BatchEntry| match entry {
        Ok(id) => {
            let status = act(&id);
            let at_cap = status == BatchStatus::Blocked;
            let error = at_cap.then_some(ErrorCode::DeviceLimitReached);
            BatchItem { device_id: id.to_string(), status, error }
        }
        Err(device_id) => BatchItem {
            device_id,
            status: BatchStatus::Invalid,
            error: Some(ErrorCode::InvalidDeviceId),
        },
    };
    entries.into_iter().map(item).collect()
}

fn count(items: &[BatchItem], status: BatchStatus) -> usize {
    items.iter().filter(|item| item.status == status).count()
}

async fn revoke_batch(
    State(app): State<App>,
    key: OrgKeyHeader,
    body: JsonBody<BatchBody<RevokeScope>>,
) -> Result<Reply<200, BatchRevoked>, Failure> {
    let world = &mut *app.world();
    let now = world.clock.now();
    let (org, meta) = Call::new(world, "devices/revoke_batch").org(&key)?;
    let (results, revoked_count) = match selection(body, &meta)? {
        Selection::Scope(RevokeScope::AllActive) => (None, org.revoke_all(now)),
        Selection::Entries(entries) => {
            let items = batch_items(entries, |id| match org.revoke(id, now) {
                Revoked::Now => BatchStatus::Revoked,
                Revoked::Already => BatchStatus::AlreadyRevoked,
                Revoked::NotFound => BatchStatus::NotFound,
            });
            let revoked = count(&items, BatchStatus::Revoked);
            (Some(items), revoked)
        }
    };
    Ok(Reply(BatchRevoked { status: Status::Ok, results, revoked_count, meta }))
}

async fn unrevoke_batch(
    State(app): State<App>,
    key: OrgKeyHeader,
    body: JsonBody<BatchBody<UnrevokeScope>>,
) -> Result<Reply<200, BatchUnrevoked>, Failure> {
    /// The most ids in a sample.
    const SAMPLE: usize = 25;
    let world = &mut *app.world();
    let (org, meta) = Call::new(world, "devices/unrevoke_batch").org(&key)?;
    let mut reply = BatchUnrevoked {
        status: Status::Ok,
        results: None,
        unrevoked_count: 0,
        unrevoked_sample: None,
        reason: None,
        meta,
    };
    match selection(body, &reply.meta)? {
        Selection::Scope(UnrevokeScope::AllRevoked) => {
            let (mut restored, reason) = match org.unrevoke_all() {
                RestoredAll::Some(ids) => (ids, None),
                RestoredAll::NoneRevoked => (Vec::new(), Some(NothingRestored::NoneRevoked)),
                RestoredAll::AtCap => (Vec::new(), Some(NothingRestored::AtCap)),
            };
            reply.unrevoked_count = restored.len();
            restored.truncate(SAMPLE);
            reply.unrevoked_sample = Some(restored);
            reply.reason = reason;
        }
        Selection::Entries(entries) => {
            let items = batch_items(entries, |id| match org.unrevoke(id) {
                Restored::Now => BatchStatus::Unrevoked,
                Restored::Already => BatchStatus::AlreadyActive,
                Restored::AtCap => BatchStatus::Blocked,
                Restored::NotFound => BatchStatus::NotFound,
            });
            reply.unrevoked_count = count(&items, BatchStatus::Unrevoked);
            reply.results = Some(items);
        }
    }
    Ok(Reply(reply))
}

async fn remove(
    State(app): State<App>,
    key: OrgKeyHeader,
    body: JsonBody<DeviceBody>,
) -> Result<Reply<200, Removed>, NotFound> {
    let world = &mut *app.world();
    let (org, id, meta) = Call::new(world, "devices/remove").org_and_device(&key, body)?;
    if org.remove(&id) {
        Ok(Reply(Removed { status: Status::Ok, device_id: id, meta }))
    } else {
        Err(Either::Left(Reply(NoSuchDevice::new(id, meta))))
    }
}

async fn usage(State(app): State<App>, key: OrgKeyHeader) -> Result<Reply<200, Usage>, Failure> {
    let world = &mut *app.world();
    let (org, meta) = Call::new(world, "usage").org(&key)?;
    Ok(Reply(Usage { status: Status::Ok, figures: org.figures().into(), meta }))
}

async fn checkout(
    State(app): State<App>,
    key: OrgKeyHeader,
    JsonBody(body): JsonBody<CheckoutBody>,
) -> Result<Reply<200, Checkout>, Failure> {
    let world = &mut *app.world();
    let session = world.random.token("cs_test_");
    let (_, meta) = Call::new(world, "billing/checkout").org(&key)?;
    let body = body.map_err(|error| Failure::body(&error, meta.clone()))?;
    if !["pro", "scale", "max"].contains(&body.plan.as_str()) {
        let message = "the plan is one of pro, scale and max";
        return Err(Failure::new(ErrorCode::InvalidPlan, message, meta));
    }
    let url = format!("https://checkout.stripe.com/c/pay/{session}");
    Ok(Reply(Checkout { status: Status::Ok, url, meta }))
}
