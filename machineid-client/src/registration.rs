//! Registering a device.

use agent_client_core::{Call, Error, Extra, Reply, Transport};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::auth::ORG_KEY;
use crate::client::Api;
use crate::device_id::DeviceId;
use crate::plan::PlanFigures;

/// What came of registering a device. Each outcome carries the whole reply.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use = "a device that is not registered is denied"]
pub enum Registration {
    /// It is registered now.
    Created(RegistrationReply),
    /// It was registered before.
    Exists(RegistrationReply),
    /// The plan is full: `device_limit_reached`, with the figures.
    Blocked(RegistrationReply),
    /// It is registered, but revoked. Registering does not restore it.
    Revoked(RegistrationReply),
    /// The org's plan is frozen.
    PlanFrozen(RegistrationReply),
    /// The service said something that this version does not know. Take it for a no.
    Other(RegistrationReply),
}

/// The reply to [`Api::register`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RegistrationReply {
    /// The service's word: `ok`, `exists`, `blocked`, `revoked`.
    pub status: String,
    /// Why it was refused, for example `device_limit_reached`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// The plan and how much of it is used.
    #[serde(flatten)]
    pub figures: PlanFigures,
    /// The service's id of this exchange.
    #[serde(rename = "request_id", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Registration {
    /// Whether the device is registered and not revoked.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        matches!(self, Self::Created(_) | Self::Exists(_))
    }

    /// The reply, whatever came of it.
    #[must_use]
    pub fn reply(&self) -> &RegistrationReply {
        match self {
            Self::Created(reply)
            | Self::Exists(reply)
            | Self::Blocked(reply)
            | Self::Revoked(reply)
            | Self::PlanFrozen(reply)
            | Self::Other(reply) => reply,
        }
    }

    /// Reads a reply of status 200 or 403; others are errors. `limit_reached` and `restored` are
    /// words of older documents.
    fn decode(reply: &Reply) -> Result<Self, Error> {
        if !reply.is_success() && reply.status() != 403 {
            return Err(reply.error());
        }
        let body: RegistrationReply = match reply.json() {
            Ok(body) => body,
            Err(unreadable) if reply.is_success() => return Err(unreadable),
            Err(_) => return Err(reply.error()),
        };
        let registration = match (body.status.as_str(), body.error.as_deref()) {
            ("ok", None) if reply.is_success() => Self::Created(body),
            ("exists" | "restored", None) if reply.is_success() => Self::Exists(body),
            ("blocked" | "limit_reached", None)
            | (_, Some("device_limit_reached" | "limit_reached")) => Self::Blocked(body),
            ("revoked", _) | (_, Some("device_revoked")) => Self::Revoked(body),
            (_, Some("plan_frozen")) => Self::PlanFrozen(body),
            _ if reply.is_success() => Self::Other(body),
            _ => return Err(reply.error()),
        };
        Ok(registration)
    }
}

impl<T: Transport> Api<T> {
    /// Registers a device. Safe at every start: a registered device stays as it is.
    /// `POST /api/v1/devices/register`
    ///
    /// ```
    /// use machineid_client::{Client, DeviceId, Registration};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = machins_mock::MockServer::start().await;
    /// # let org = server.create_org(machins_mock::Plan::Free);
    /// # let client = Client::builder()
    /// #     .org_key(machineid_client::OrgKey::new(org.key())?)
    /// #     .base_url(server.machineid_base_url())
    /// #     .build()?;
    /// match client.register(&DeviceId::new("agent-01")?).await? {
    ///     Registration::Created(_) | Registration::Exists(_) => println!("ready"),
    ///     Registration::Blocked(reply) => println!("plan full: {:?}", reply.figures.limit),
    ///     other => println!("not registered: {}", other.reply().status),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A refusal by plan or revocation is no error but a [`Registration`].
    pub fn register(&self, device: &DeviceId) -> T::Reply<Registration> {
        let call = Call::post("/api/v1/devices/register")
            .auth(&ORG_KEY)
            .body(&json!({"deviceId": device}))
            .idempotent();
        self.send(call.decode(Registration::decode))
    }
}
