//! The shapes of MachineID's replies.

use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::clock::Time;
use crate::http::Refusal::{Forbidden, NotFound};
use crate::http::{BodyError, Output, Responses, json};
use crate::machineid::{
    DecisionCode, Device, DeviceId, Figures as OrgFigures, KeyError, MAX_BATCH, Plan,
};

/// The HTTP status for a body over the limit.
const PAYLOAD_TOO_LARGE: u16 = 413;

/// What every reply carries.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(super) struct Meta {
    /// The name of the endpoint that answered.
    pub(super) handler: &'static str,
    /// An id of this request.
    pub(super) request_id: Uuid,
}

/// The plan and how much of it is used.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    plan_tier: Plan,
    /// The number of devices that may be active at once.
    limit: usize,
    /// The number of devices that are active.
    devices_used: usize,
    /// The number of further devices that may be active.
    remaining: usize,
}

impl From<OrgFigures> for Figures {
    fn from(OrgFigures { plan, used }: OrgFigures) -> Self {
        Self {
            plan_tier: plan,
            limit: plan.limit(),
            devices_used: used,
            remaining: plan.limit().saturating_sub(used),
        }
    }
}

/// The result of a call in one word.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Ok,
    Exists,
    Blocked,
    Revoked,
    NotFound,
    Error,
}

/// The reason for a refusal, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ErrorCode {
    InvalidOrgKey,
    OrgNotFound,
    SystemUnavailable,
    MissingParams,
    InvalidDeviceId,
    TooManyIds,
    InvalidPlan,
    PayloadTooLarge,
    OrgDisabled,
    PlanFrozen,
    EntitlementExpired,
    DeviceNotFound,
    DeviceRevoked,
    DeviceLimitReached,
}

impl From<&BodyError> for ErrorCode {
    fn from(error: &BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) | BodyError::Full(_) => Self::PayloadTooLarge,
            _ => Self::MissingParams,
        }
    }
}

/// A new organisation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrgCreated {
    pub(super) status: Status,
    /// The organisation's key, for the x-org-key header.
    pub(super) org_api_key: String,
    #[serde(flatten)]
    pub(super) meta: Meta,
}

/// The result of a registration; `error` is set if it was refused.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Registered {
    pub(super) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorCode>,
    pub(super) device_id: DeviceId,
    #[serde(flatten)]
    pub(super) figures: Figures,
    #[serde(flatten)]
    pub(super) meta: Meta,
}

/// A decision whether a device may run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Decision {
    /// Whether the device may run: true only with the code `ALLOW`.
    pub(super) allowed: bool,
    pub(super) code: DecisionCode,
    pub(super) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorCode>,
    /// The device id in the request; null if it could not be read.
    pub(super) device_id: Option<String>,
    #[serde(flatten)]
    pub(super) meta: Meta,
}

impl Decision {
    pub(super) fn new(code: DecisionCode, device_id: Option<String>, meta: Meta) -> Self {
        let (status, error) = match code {
            DecisionCode::Allow => (Status::Ok, None),
            DecisionCode::InvalidOrgKey => (Status::Error, Some(ErrorCode::InvalidOrgKey)),
            DecisionCode::SystemUnavailable => (Status::Error, Some(ErrorCode::SystemUnavailable)),
            DecisionCode::OrgNotFound => (Status::Error, Some(ErrorCode::OrgNotFound)),
            DecisionCode::OrgDisabled => (Status::Blocked, Some(ErrorCode::OrgDisabled)),
            DecisionCode::PlanFrozen => (Status::Blocked, Some(ErrorCode::PlanFrozen)),
            DecisionCode::EntitlementExpired => {
                (Status::Blocked, Some(ErrorCode::EntitlementExpired))
            }
            DecisionCode::InvalidDeviceId => (Status::Error, Some(ErrorCode::InvalidDeviceId)),
            DecisionCode::DeviceNotFound => (Status::NotFound, Some(ErrorCode::DeviceNotFound)),
            DecisionCode::DeviceRevoked => (Status::Revoked, Some(ErrorCode::DeviceRevoked)),
        };
        Self { allowed: code.allowed(), code, status, error, device_id, meta }
    }
}

impl IntoResponse for Decision {
    fn into_response(self) -> Response {
        let status = match self.error {
            Some(ErrorCode::PayloadTooLarge) => PAYLOAD_TOO_LARGE,
            _ => http_status(self.code),
        };
        json(status, &self)
    }
}

impl Output for Decision {
    fn describe(responses: &mut Responses<'_>) {
        for code in DecisionCode::ALL {
            responses.add::<Self>(http_status(code));
        }
        responses.add::<Self>(PAYLOAD_TOO_LARGE);
    }
}

/// Returns the HTTP status of a decision. A denial because of the organisation's settings or the
/// device's state has status 200.
const fn http_status(code: DecisionCode) -> u16 {
    match code {
        DecisionCode::InvalidOrgKey => 401,
        DecisionCode::SystemUnavailable => 503,
        DecisionCode::OrgNotFound => 404,
        DecisionCode::InvalidDeviceId => 400,
        DecisionCode::OrgDisabled
        | DecisionCode::PlanFrozen
        | DecisionCode::EntitlementExpired
        | DecisionCode::DeviceNotFound
        | DecisionCode::DeviceRevoked
        | DecisionCode::Allow => 200,
    }
}

/// All devices of an organisation, in order of registration.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeviceList {
    pub(super) status: Status,
    pub(super) devices: Vec<DeviceEntry>,
    #[serde(flatten)]
    pub(super) figures: Figures,
    #[serde(flatten)]
    pub(super) meta: Meta,
}

/// A device.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceEntry {
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
    pub(super) fn new(id: &DeviceId, device: &Device) -> Self {
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
pub(super) struct DeviceChange {
    pub(super) status: Status,
    pub(super) device_id: DeviceId,
    pub(super) revoked: bool,
    #[serde(flatten)]
    pub(super) meta: Meta,
}

/// A device that was removed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Removed {
    pub(super) status: Status,
    pub(super) device_id: DeviceId,
    #[serde(flatten)]
    pub(super) meta: Meta,
}

/// The refusal of a call because its device is not registered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NoSuchDevice {
    pub(super) status: Status,
    pub(super) error: ErrorCode,
    pub(super) device_id: DeviceId,
    #[serde(flatten)]
    pub(super) meta: Meta,
}

impl NoSuchDevice {
    pub(super) fn new(device_id: DeviceId, meta: Meta) -> Self {
        Self { status: Status::NotFound, error: ErrorCode::DeviceNotFound, device_id, meta }
    }
}

/// The result of one entry of a batch.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchItem {
    pub(super) device_id: String,
    pub(super) status: BatchStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorCode>,
}

/// The result of an entry in one word.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum BatchStatus {
    Revoked,
    AlreadyRevoked,
    Unrevoked,
    AlreadyActive,
    Blocked,
    NotFound,
    Invalid,
}

/// The result of revoking many devices.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchRevoked {
    pub(super) status: Status,
    /// One entry for each distinct id, in the order given; missing with a scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) results: Option<Vec<BatchItem>>,
    /// The number of devices that were active before and are revoked now.
    pub(super) revoked_count: usize,
    #[serde(flatten)]
    pub(super) meta: Meta,
}

/// The result of restoring many devices.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchUnrevoked {
    pub(super) status: Status,
    /// One entry for each distinct id, in the order given; missing with a scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) results: Option<Vec<BatchItem>>,
    /// The number of devices that were revoked before and are active now.
    pub(super) unrevoked_count: usize,
    /// The first 25 of the restored devices; only with a scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unrevoked_sample: Option<Vec<DeviceId>>,
    /// The reason why no device was restored; only with a scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<NothingRestored>,
    #[serde(flatten)]
    pub(super) meta: Meta,
}

/// The reason why no device was restored.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum NothingRestored {
    AtCap,
    NoneRevoked,
}

/// The plan and how much of it is used.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Usage {
    pub(super) status: Status,
    #[serde(flatten)]
    pub(super) figures: Figures,
    #[serde(flatten)]
    pub(super) meta: Meta,
}

/// The URL at which a plan is paid for.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Checkout {
    pub(super) status: Status,
    pub(super) url: String,
    #[serde(flatten)]
    pub(super) meta: Meta,
}

/// A call that was refused.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Failure {
    status: Status,
    error: ErrorCode,
    /// The matching decision code, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<DecisionCode>,
    /// A message, for people.
    message: String,
    #[serde(flatten)]
    meta: Meta,
}

impl Failure {
    pub(super) fn new(error: ErrorCode, message: impl Into<String>, meta: Meta) -> Self {
        let code = match error {
            ErrorCode::InvalidOrgKey => Some(DecisionCode::InvalidOrgKey),
            ErrorCode::OrgNotFound => Some(DecisionCode::OrgNotFound),
            ErrorCode::SystemUnavailable => Some(DecisionCode::SystemUnavailable),
            ErrorCode::InvalidDeviceId => Some(DecisionCode::InvalidDeviceId),
            _ => None,
        };
        Self { status: Status::Error, error, code, message: message.into(), meta }
    }

    pub(super) fn key(error: KeyError, meta: Meta) -> Self {
        let (error, message) = match error {
            KeyError::Malformed => (ErrorCode::InvalidOrgKey, "the x-org-key header must be org_…"),
            KeyError::Unknown => (ErrorCode::OrgNotFound, "no organisation has this key"),
            KeyError::Unavailable => (ErrorCode::SystemUnavailable, "switched off by the test"),
        };
        Self::new(error, message, meta)
    }

    pub(super) fn body(error: &BodyError, meta: Meta) -> Self {
        Self::new(error.into(), error.to_string(), meta)
    }

    pub(super) fn too_many_ids(meta: Meta) -> Self {
        let message = format!("a batch holds at most {MAX_BATCH} distinct valid ids");
        Self::new(ErrorCode::TooManyIds, message, meta)
    }

    fn http_status(&self) -> u16 {
        match self.error {
            ErrorCode::InvalidOrgKey => 401,
            ErrorCode::OrgNotFound => 404,
            ErrorCode::SystemUnavailable => 503,
            ErrorCode::PayloadTooLarge => PAYLOAD_TOO_LARGE,
            _ => 400,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        json(self.http_status(), &self)
    }
}

impl Output for Failure {
    fn describe(responses: &mut Responses<'_>) {
        if responses.carries.body {
            responses.add::<Self>(400);
            responses.add::<Self>(PAYLOAD_TOO_LARGE);
        }
        if responses.carries.key {
            responses.add::<Self>(401);
            responses.add::<Self>(404);
            responses.add::<Self>(503);
        }
    }
}

/// The refusal of a call about one device.
pub(super) enum Refused {
    /// The plan does not allow it, or the device is revoked.
    Blocked(Registered),
    NoSuchDevice(NoSuchDevice),
    Failure(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Blocked(reply) => json(403, &reply),
            Self::NoSuchDevice(reply) => json(404, &reply),
            Self::Failure(failure) => failure.into_response(),
        }
    }
}

impl Output for Refused {
    fn describe(responses: &mut Responses<'_>) {
        if responses.refuses(Forbidden) {
            responses.add::<Registered>(403);
        }
        if responses.refuses(NotFound) {
            responses.add::<NoSuchDevice>(404);
        }
        Failure::describe(responses);
    }
}
