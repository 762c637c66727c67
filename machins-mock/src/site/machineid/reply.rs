//! What MachineID's replies have in common. The reply of one endpoint is beside its handler.

use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::http::{BodyError, Output, ReadError, Responses, json as json_reply};
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
        let code = error.decision_code();
        Self { status: Status::Error, error, code, message: message.into(), meta }
    }

    pub(super) fn key(error: KeyError, meta: Meta) -> Self {
        let (error, message) = match error {
            KeyError::Malformed => (ErrorCode::InvalidOrgKey, "the x-org-key header must be org_…"),
            KeyError::Unknown => (ErrorCode::OrgNotFound, "no org has this key"),
            KeyError::Unavailable => (ErrorCode::SystemUnavailable, "switched off by the test"),
        };
        Self::new(error, message, meta)
    }

    pub(super) fn body(error: &BodyError, meta: Meta) -> Self {
        Self::new(error.into(), error.to_string(), meta)
    }

    /// Documents the failures with these errors.
    fn add(responses: &mut Responses<'_>, status: u16, errors: &[ErrorCode]) {
        let case = |error: &ErrorCode| {
            let mut case =
                json!({"properties": {"status": {"const": "error"}, "error": {"const": error}}});
            if let Some(code) = error.decision_code() {
                case["properties"]["code"] = json!({"const": code});
                case["required"] = json!(["code"]);
            }
            case
        };
        responses.add_cases::<Self>(status, errors.iter().map(case).collect());
    }
}

impl ErrorCode {
    /// Returns the decision code that means the same, if there is one.
    fn decision_code(self) -> Option<DecisionCode> {
        match self {
            Self::InvalidOrgKey => Some(DecisionCode::InvalidOrgKey),
            Self::OrgNotFound => Some(DecisionCode::OrgNotFound),
            Self::SystemUnavailable => Some(DecisionCode::SystemUnavailable),
            Self::InvalidDeviceId => Some(DecisionCode::InvalidDeviceId),
            _ => None,
        }
    }

    /// Returns the HTTP status of a call that failed with this error.
    fn http_status(self) -> u16 {
        match self {
            Self::InvalidOrgKey => 401,
            Self::OrgNotFound => 404,
            Self::SystemUnavailable => 503,
            Self::PayloadTooLarge => PAYLOAD_TOO_LARGE,
            _ => 400,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        json_reply(self.error.http_status(), &self)
    }
}

impl Output for Failure {
    fn describe(responses: &mut Responses<'_>) {
        use ErrorCode::{
            InvalidDeviceId, InvalidOrgKey, InvalidPlan, MissingParams, OrgNotFound,
            PayloadTooLarge, SystemUnavailable, TooManyIds,
        };
        if responses.carries.body {
            let invalid = [MissingParams, InvalidDeviceId, TooManyIds, InvalidPlan];
            Self::add(responses, 400, &invalid);
            Self::add(responses, PAYLOAD_TOO_LARGE, &[PayloadTooLarge]);
        }
        if responses.carries.key {
            Self::add(responses, 401, &[InvalidOrgKey]);
            Self::add(responses, 404, &[OrgNotFound]);
            Self::add(responses, 503, &[SystemUnavailable]);
        }
    }
}
