//! What MachineID's replies have in common. The reply of one endpoint is beside its handler.

use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::http::{BodyError, Output, ReadError, Responses, json};
use crate::machineid::org::Figures as OrgFigures;
use crate::machineid::{DecisionCode, KeyError, Plan};

/// The HTTP status for a body over the limit.
pub(super) const PAYLOAD_TOO_LARGE: u16 = 413;

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
            BodyError::Read(ReadError::TooLarge(_)) | BodyError::Full(_) => Self::PayloadTooLarge,
            _ => Self::MissingParams,
        }
    }
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
