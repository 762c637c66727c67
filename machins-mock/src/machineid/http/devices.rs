//! One device at a time: register, validate, list, revoke, unrevoke, remove.

use axum::extract::State;

use super::{Call, DeviceBody, OrgKeyHeader};
use crate::http::{App, Either, JsonBody, Reply, StoredBody};
use crate::machineid::decision::DecisionCode;
use crate::machineid::device::{DeviceId, InvalidDeviceId};
use crate::machineid::org::{Registration, Restored, Revoked};
use crate::machineid::reply::{
    Decision, DeviceEntry, DeviceList, ErrorCode, Failure, NoSuchDevice, Registered, Removed,
    Standing, Status,
};

type Refused = Either<Reply<403, Registered>, Failure>;
type NotFound = Either<Reply<404, NoSuchDevice>, Failure>;

pub(super) async fn register(
    State(app): State<App>,
    key: OrgKeyHeader,
    StoredBody(body): StoredBody<DeviceBody>,
) -> Result<Reply<200, Registered>, Refused> {
    let world = &mut *app.world();
    let now = world.clock.now();
    let body = JsonBody(body);
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

pub(super) async fn validate(
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

pub(super) async fn list(
    State(app): State<App>,
    key: OrgKeyHeader,
) -> Result<Reply<200, DeviceList>, Failure> {
    let world = &mut *app.world();
    let (org, meta) = Call::new(world, "devices/list").org(&key)?;
    let devices = org.devices().map(|(id, device)| DeviceEntry::new(id, device)).collect();
    let figures = org.figures().into();
    Ok(Reply(DeviceList { status: Status::Ok, devices, figures, meta }))
}

pub(super) async fn revoke(
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

pub(super) async fn unrevoke(
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

pub(super) async fn remove(
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
