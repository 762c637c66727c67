//! One device at a time: register, validate, list, revoke, unrevoke, remove.

use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::caller::Caller;
use super::decision::Decision;
use super::reply::{ErrorCode, Failure, Figures, Meta, Status};
use crate::clock::Time;
use crate::http::Refusal::{Forbidden, NotFound};
use crate::http::{
    Api, BodyError, JsonBody, Output, Reply, Responses, StoredBody, json as json_reply,
};
use crate::machineid::org::{Registration, Restored, Revoked};
use crate::machineid::{DecisionCode, Device, DeviceId, InvalidDeviceId};

pub(super) fn routes(api: Api) -> Api {
    api.tag("MachineID devices")
        .post("/api/v1/devices/register", "Register a device; safe to repeat", register)
        .refuses([Forbidden])
        .post("/api/v1/devices/validate", "Decide whether a device may run", validate)
        .get("/api/v1/devices/list", "List the devices of the org", list)
        .post("/api/v1/devices/revoke", "Revoke a device", revoke)
        .refuses([NotFound])
        .post("/api/v1/devices/unrevoke", "Restore a revoked device", unrevoke)
        .refuses([Forbidden, NotFound])
        .post("/api/v1/devices/remove", "Delete a device permanently", remove)
        .refuses([NotFound])
}

/// A device.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DeviceBody {
    /// 1 to 128 letters, digits and `. _ : @ / -`; whitespace around the id is ignored.
    device_id: String,
}

/// The result of a registration; `error` is set if it was refused.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Registered {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorCode>,
    device_id: DeviceId,
    #[serde(flatten)]
    figures: Figures,
    #[serde(flatten)]
    meta: Meta,
}

/// All devices of an org, in order of registration.
#[derive(Debug, Serialize, JsonSchema)]
struct DeviceList {
    status: Status,
    devices: Vec<DeviceEntry>,
    #[serde(flatten)]
    figures: Figures,
    #[serde(flatten)]
    meta: Meta,
}

/// A device.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DeviceEntry {
    device_id: DeviceId,
    status: DeviceStatus,
    created_at: Time,
    revoked_at: Option<Time>,
    /// The time at which a validation last allowed the device to run.
    last_validated_at: Option<Time>,
}

/// The status of a device.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DeviceStatus {
    Active,
    Revoked,
}

impl DeviceEntry {
    fn new(id: &DeviceId, device: &Device) -> Self {
        Self {
            device_id: id.clone(),
            status: if device.is_active() { DeviceStatus::Active } else { DeviceStatus::Revoked },
            created_at: device.created_at,
            revoked_at: device.revoked.map(|revocation| revocation.at),
            last_validated_at: device.last_validated_at,
        }
    }
}

/// The status of a device after it was revoked or restored.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DeviceChange {
    status: Status,
    device_id: DeviceId,
    revoked: bool,
    #[serde(flatten)]
    meta: Meta,
}

/// A device that was removed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Removed {
    status: Status,
    device_id: DeviceId,
    #[serde(flatten)]
    meta: Meta,
}

/// The refusal of a call because its device is not registered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NoSuchDevice {
    status: Status,
    error: ErrorCode,
    device_id: DeviceId,
    #[serde(flatten)]
    meta: Meta,
}

impl NoSuchDevice {
    fn new(device_id: DeviceId, meta: Meta) -> Self {
        Self { status: Status::NotFound, error: ErrorCode::DeviceNotFound, device_id, meta }
    }
}

/// The refusal of a call about one device.
enum Refused {
    /// The plan does not allow it, or the device is revoked.
    Blocked(Registered),
    NoSuchDevice(NoSuchDevice),
    Failure(Failure),
}

impl IntoResponse for Registered {
    fn into_response(self) -> Response {
        json_reply(if self.error.is_none() { 200 } else { 403 }, &self)
    }
}

impl Output for Registered {
    fn describe(responses: &mut Responses<'_>) {
        let case = json!({"properties": {"status": {"enum": [Status::Ok, Status::Exists]}}});
        responses.add_cases::<Self>(200, vec![case]);
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Blocked(reply) => reply.into_response(),
            Self::NoSuchDevice(reply) => json_reply(404, &reply),
            Self::Failure(failure) => failure.into_response(),
        }
    }
}

impl Output for Refused {
    fn describe(responses: &mut Responses<'_>) {
        if responses.refuses(Forbidden) {
            let case = |(status, errors): (Status, &[ErrorCode])| {
                json!({
                    "properties": {"status": {"const": status}, "error": {"enum": errors}},
                    "required": ["error"],
                })
            };
            let blocked = [ErrorCode::DeviceLimitReached, ErrorCode::PlanFrozen];
            let cases: [(_, &[_]); 2] =
                [(Status::Blocked, &blocked), (Status::Revoked, &[ErrorCode::DeviceRevoked])];
            responses.add_cases::<Registered>(403, cases.map(case).into());
        }
        if responses.refuses(NotFound) {
            let (status, error) = (Status::NotFound, ErrorCode::DeviceNotFound);
            let case =
                json!({"properties": {"status": {"const": status}, "error": {"const": error}}});
            responses.add_cases::<NoSuchDevice>(404, vec![case]);
        }
        Failure::describe(responses);
    }
}

/// Returns the device that a body names.
fn device(body: Result<DeviceBody, BodyError>, meta: Meta) -> Result<DeviceId, Failure> {
    let body = body.map_err(|error| Failure::body(&error, meta))?;
    DeviceId::parse(&body.device_id)
        .map_err(|error| Failure::new(ErrorCode::InvalidDeviceId, error.to_string(), meta))
}

async fn register(
    caller: Caller,
    StoredBody { body, .. }: StoredBody<DeviceBody>,
) -> Result<Registered, Refused> {
    let mut call = caller.call("devices/register");
    let (now, meta) = (call.now(), call.meta);
    let org = call.org()?;
    let id = device(body, meta)?;
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
        None => Ok(registered),
        Some(_) => Err(Refused::Blocked(registered)),
    }
}

async fn validate(caller: Caller, JsonBody(body): JsonBody<DeviceBody>) -> Decision {
    let text = body.as_ref().map(|body| body.device_id.trim());
    let id = text.map_err(|_| InvalidDeviceId).and_then(DeviceId::parse);
    let id = id.as_ref().map_err(|error| *error);
    let mut call = caller.call("devices/validate");
    let (now, key) = (call.now(), call.key);
    let code = call.world.machineid.validate(key, id, now);
    let mut decision = Decision::new(code, text.ok().map(ToOwned::to_owned), call.meta);
    if let (DecisionCode::InvalidDeviceId, Err(error)) = (code, text) {
        decision.error = Some(error.into());
    }
    decision
}

async fn list(caller: Caller) -> Result<Reply<200, DeviceList>, Failure> {
    let mut call = caller.call("devices/list");
    let meta = call.meta;
    let org = call.org()?;
    let devices = org.devices().map(|(id, device)| DeviceEntry::new(id, device)).collect();
    let figures = org.figures().into();
    Ok(Reply(DeviceList { status: Status::Ok, devices, figures, meta }))
}

async fn revoke(
    caller: Caller,
    JsonBody(body): JsonBody<DeviceBody>,
) -> Result<Reply<200, DeviceChange>, Refused> {
    let mut call = caller.call("devices/revoke");
    let (now, meta) = (call.now(), call.meta);
    let org = call.org()?;
    let id = device(body, meta)?;
    match org.revoke(&id, now) {
        Revoked::Now | Revoked::Already => {
            Ok(Reply(DeviceChange { status: Status::Ok, device_id: id, revoked: true, meta }))
        }
        Revoked::NotFound => Err(Refused::NoSuchDevice(NoSuchDevice::new(id, meta))),
    }
}

async fn unrevoke(
    caller: Caller,
    JsonBody(body): JsonBody<DeviceBody>,
) -> Result<Reply<200, DeviceChange>, Refused> {
    let mut call = caller.call("devices/unrevoke");
    let meta = call.meta;
    let org = call.org()?;
    let id = device(body, meta)?;
    match org.unrevoke(&id) {
        Restored::Now | Restored::Already => {
            Ok(Reply(DeviceChange { status: Status::Ok, device_id: id, revoked: false, meta }))
        }
        Restored::AtCap => Err(Refused::Blocked(Registered {
            status: Status::Blocked,
            error: Some(ErrorCode::DeviceLimitReached),
            device_id: id,
            figures: org.figures().into(),
            meta,
        })),
        Restored::NotFound => Err(Refused::NoSuchDevice(NoSuchDevice::new(id, meta))),
    }
}

async fn remove(
    caller: Caller,
    JsonBody(body): JsonBody<DeviceBody>,
) -> Result<Reply<200, Removed>, Refused> {
    let mut call = caller.call("devices/remove");
    let meta = call.meta;
    let org = call.org()?;
    let id = device(body, meta)?;
    if org.remove(&id) {
        Ok(Reply(Removed { status: Status::Ok, device_id: id, meta }))
    } else {
        Err(Refused::NoSuchDevice(NoSuchDevice::new(id, meta)))
    }
}
