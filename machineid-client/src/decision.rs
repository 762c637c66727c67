//! The answer to "may this device run?", believed only when it is beyond doubt.

use std::time::Duration;

use agent_client_core::{Call, Error, Extra, Reply, Transport, open_enum};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::auth::ORG_KEY;
use crate::client::Api;
use crate::device_id::DeviceId;
use crate::fields::UniqueFields;

open_enum! {
    /// Why a device may or may not run: the documented decision codes.
    pub enum DecisionCode {
        /// Execution allowed.
        Allow = "ALLOW",
        /// Org execution is disabled; overrides all device and plan checks.
        OrgDisabled = "ORG_DISABLED",
        /// No authoritative decision could be had. Also the code of every denial for which the
        /// service gave none: no answer, or one that can't be read.
        SystemUnavailable = "SYSTEM_UNAVAILABLE",
        /// The org is frozen.
        PlanFrozen = "PLAN_FROZEN",
        /// The plan's entitlement is not active.
        EntitlementExpired = "ENTITLEMENT_EXPIRED",
        /// The device is revoked.
        DeviceRevoked = "DEVICE_REVOKED",
        /// The device is not registered.
        DeviceNotFound = "DEVICE_NOT_FOUND",
        /// There is no such org.
        OrgNotFound = "ORG_NOT_FOUND",
        /// The org key is bad or missing.
        InvalidOrgKey = "INVALID_ORG_KEY",
        /// That is no device id.
        InvalidDeviceId = "INVALID_DEVICE_ID",
    }
}

/// The service's decision on a device, read from every reply that holds one, whatever its HTTP
/// status.
///
/// It allows only when the status is 2xx, `allowed` is JSON `true`, the code is `ALLOW`, no header
/// says that the body is anything but plain JSON, and the reply names no other device than the one
/// asked about. Any other decision denies; a reply that contradicts itself by saying `ALLOW`
/// without the rest, or that names a field twice, is no decision but an error.
///
/// `Serialize` gives the reply's own fields, with `allowed` as it is believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    code: DecisionCode,
    http_status: u16,
    retry_after: Option<Duration>,
    fields: Extra,
}

impl Decision {
    /// Whether the device may run.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        // Reading the reply has made sure of the rest.
        self.code == DecisionCode::Allow
    }

    /// Why.
    #[must_use]
    pub fn code(&self) -> &DecisionCode {
        &self.code
    }

    /// The service's id of this decision, to correlate logs.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.fields.get("request_id")?.as_str()
    }

    /// The HTTP status that the decision came with.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        self.http_status
    }

    /// How long the server asked to wait before the next question.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// A field of the reply.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    fn decode(reply: &Reply, asked: &DeviceId) -> Result<Self, Error> {
        let no_decision = |unreadable: Error| {
            if reply.is_success() { unreadable } else { reply.error() }
        };
        let UniqueFields { mut fields, says_allow } = reply.json().map_err(no_decision)?;
        let code = fields.get("code").and_then(Value::as_str).map(DecisionCode::from);
        let is_decision = match &code {
            None => false,
            // A new code, or an error from somewhere in between that happens to have one.
            Some(DecisionCode::Unknown(_)) => {
                reply.status() < 500 && fields.get("allowed").is_some_and(Value::is_boolean)
            }
            Some(_) => true,
        };
        let Some(code) = code.filter(|_| is_decision) else {
            return Err(no_decision(reply.unreadable("the reply holds no decision")));
        };
        // A connection that got out of step gives the reply to another question.
        let is_answer = fields.get("deviceId").is_none_or(|device| device == asked.as_str());
        if code == DecisionCode::Allow
            && !(says_allow && is_answer && reply.is_success() && reply.is_labelled_json())
        {
            return Err(reply.unreadable(format!(
                "the reply contradicts itself: code ALLOW, but status {}, another device or content type, or no \"allowed\": true",
                reply.status()
            )));
        }
        if code != DecisionCode::Allow {
            fields.insert("allowed".to_owned(), Value::Bool(false));
        }
        Ok(Self {
            code,
            http_status: reply.status(),
            retry_after: reply.retry_after(),
            fields: fields.into(),
        })
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

/// Decisions, as in the reference's *API Reference* and *Decision Codes*.
///
/// ```
/// use machineid_client::{Client, DecisionCode, DeviceId};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let org = server.create_org(machins_mock::Plan::Free);
/// # let client = Client::builder()
/// #     .org_key(machineid_client::OrgKey::new(org.key())?)
/// #     .base_url(server.machineid_base_url())
/// #     .build()?;
/// let decision = client.validate(&DeviceId::new("never-registered")?).await?;
/// assert!(!decision.is_allowed());
/// assert_eq!(*decision.code(), DecisionCode::DeviceNotFound);
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// Asks whether a device may run. `POST /api/v1/devices/validate`
    ///
    /// A reply of status 408, 429, 500, 502, 503 or 504 is asked for again within the client's
    /// limits, `SYSTEM_UNAVAILABLE` among them; the last one is returned. Use
    /// [`Gate`](crate::Gate) to be told a yes or no that fails closed.
    ///
    /// # Errors
    /// Every reply that holds a decision gives one, whatever its status. An error means that
    /// there is none: **treat it as a denial**.
    pub fn validate(&self, device: &DeviceId) -> T::Reply<Decision> {
        self.send(validate(device))
    }
}

/// The call behind [`Api::validate`].
pub(crate) fn validate(device: &DeviceId) -> Call<Decision> {
    let asked = device.clone();
    Call::post("/api/v1/devices/validate")
        .auth(&ORG_KEY)
        .body(&json!({"deviceId": device}))
        .idempotent()
        .decode(move |reply| Decision::decode(reply, &asked))
}
