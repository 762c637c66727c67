//! A decision, as MachineID sends it.

use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::reply::{ErrorCode, Meta, PAYLOAD_TOO_LARGE, Status};
use crate::http::{Output, Responses, json as json_reply};
use crate::machineid::DecisionCode;

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
        let (status, error) = status_and_error(code);
        Self { allowed: code.allowed(), code, status, error, device_id, meta }
    }
}

impl IntoResponse for Decision {
    fn into_response(self) -> Response {
        let status = match self.error {
            Some(ErrorCode::PayloadTooLarge) => PAYLOAD_TOO_LARGE,
            _ => http_status(self.code),
        };
        json_reply(status, &self)
    }
}

impl Output for Decision {
    fn describe(responses: &mut Responses<'_>) {
        for status in [200, 400, 401, 404, 503] {
            let codes = DecisionCode::ALL.into_iter().filter(|code| http_status(*code) == status);
            responses.add_cases::<Self>(status, codes.map(case).collect());
        }
        let mut too_large = case(DecisionCode::InvalidDeviceId);
        too_large["properties"]["error"] = json!({"const": ErrorCode::PayloadTooLarge});
        responses.add_cases::<Self>(PAYLOAD_TOO_LARGE, vec![too_large]);
    }
}

/// Returns what is always the same in decisions with this code.
fn case(code: DecisionCode) -> Value {
    let (status, error) = status_and_error(code);
    let mut case = json!({"properties": {
        "code": {"const": code}, "allowed": {"const": code.allowed()}, "status": {"const": status},
    }});
    if matches!(
        code,
        DecisionCode::DeviceNotFound | DecisionCode::DeviceRevoked | DecisionCode::Allow
    ) {
        case["properties"]["deviceId"] = json!({"type": "string"});
    }
    match error {
        None => {}
        // A device id that is missing is not valid either.
        Some(error @ ErrorCode::InvalidDeviceId) => {
            case["properties"]["error"] = json!({"enum": [error, ErrorCode::MissingParams]});
            case["required"] = json!(["error"]);
        }
        Some(error) => {
            case["properties"]["error"] = json!({"const": error});
            case["required"] = json!(["error"]);
        }
    }
    case
}

/// Returns what is always said with a decision code.
fn status_and_error(code: DecisionCode) -> (Status, Option<ErrorCode>) {
    match code {
        DecisionCode::Allow => (Status::Ok, None),
        DecisionCode::InvalidOrgKey => (Status::Error, Some(ErrorCode::InvalidOrgKey)),
        DecisionCode::SystemUnavailable => (Status::Error, Some(ErrorCode::SystemUnavailable)),
        DecisionCode::OrgNotFound => (Status::Error, Some(ErrorCode::OrgNotFound)),
        DecisionCode::OrgDisabled => (Status::Blocked, Some(ErrorCode::OrgDisabled)),
        DecisionCode::PlanFrozen => (Status::Blocked, Some(ErrorCode::PlanFrozen)),
        DecisionCode::EntitlementExpired => (Status::Blocked, Some(ErrorCode::EntitlementExpired)),
        DecisionCode::InvalidDeviceId => (Status::Error, Some(ErrorCode::InvalidDeviceId)),
        DecisionCode::DeviceNotFound => (Status::NotFound, Some(ErrorCode::DeviceNotFound)),
        DecisionCode::DeviceRevoked => (Status::Revoked, Some(ErrorCode::DeviceRevoked)),
    }
}

/// Returns the HTTP status of a decision. A denial because of the org's settings or the
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
