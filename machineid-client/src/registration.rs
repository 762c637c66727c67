//! Registering a device.

use agent_client_core::{Call, Error, Extra, Reply, Transport, operation};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::auth::ORG_KEY;
use crate::client::Api;
use crate::device_id::{DeviceBody, DeviceId};
use crate::plan::PlanFigures;

/// The handlers of this file's endpoints, which cannot be the source of a decision.
pub(crate) const HANDLERS: &[&str] = &["devices/register"];

/// The result of registering a device. Every variant contains the whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a device that is not registered is denied"]
pub enum Registration {
    /// The device is now registered (`ok`).
    Created(RegistrationReply),
    /// The device was already registered (`exists`).
    Exists(RegistrationReply),
    /// The device is not registered, because the plan is full (`device_limit_reached`). The reply
    /// says how large the plan is.
    Blocked(RegistrationReply),
    /// The device is registered but revoked. Registering does not restore it.
    Revoked(RegistrationReply),
    /// The device is not registered, because the org's plan is frozen.
    PlanFrozen(RegistrationReply),
    /// The reply has a status that this version does not know. Treat it as not registered.
    Other(RegistrationReply),
}

/// The reply to [`Api::register`], inside a [`Registration`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RegistrationReply {
    /// The service's status word, for example `ok`, `exists`, `blocked` or `revoked`.
    pub status: String,
    /// Why the device was not registered, for example `device_limit_reached`; `None` if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The device; `None` if the reply does not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// The org's plan and how much of it is used.
    #[serde(flatten)]
    pub figures: PlanFigures,
    /// The service's id of the request, to correlate logs; `None` if the reply has none.
    #[serde(rename = "request_id", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Fields of the reply that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl<'de> Deserialize<'de> for RegistrationReply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut extra = Extra::deserialize(deserializer)?;
        let status = extra.take("status").map_err(D::Error::custom)?;
        Ok(Self {
            status: status.ok_or_else(|| D::Error::missing_field("status"))?,
            error: extra.take("error").map_err(D::Error::custom)?,
            device_id: extra.take("deviceId").map_err(D::Error::custom)?,
            figures: PlanFigures::take(&mut extra).map_err(D::Error::custom)?,
            request_id: extra.take("request_id").map_err(D::Error::custom)?,
            extra,
        })
    }
}

impl Registration {
    /// Returns whether the device is registered and not revoked.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        matches!(self, Self::Created(_) | Self::Exists(_))
    }

    /// Returns the reply, whatever the result.
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

    /// Returns the registration that a reply contains, for tests (feature `test-util`).
    ///
    /// # Errors
    /// Returns an error in the same cases as [`Api::register`].
    #[cfg(feature = "test-util")]
    pub fn from_reply(reply: &Reply) -> Result<Self, Error> {
        Self::decode(reply)
    }

    /// Decodes a reply of status 2xx or 403; any other status is an error. `limit_reached` and
    /// `restored` are words of the vendor's older documents.
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

/// Registering a device: see the service's [API Reference](https://machineid.io/docs).
impl<T: Transport> Api<T> {
    /// Registers a device: `POST /api/v1/devices/register`. It is safe to do so at every start: a
    /// registered device stays as it is.
    ///
    /// ```
    /// use machineid_client::{DeviceId, Registration};
    ///
    /// # test_support::machineid(async |client| {
    /// match client.register(&DeviceId::new("agent-01")?).await? {
    ///     Registration::Created(_) | Registration::Exists(_) => println!("ready"),
    ///     Registration::Blocked(reply) => println!("plan full: {:?}", reply.figures.limit),
    ///     other => println!("not registered: {}", other.reply().status),
    /// }
    /// # Ok(()) });
    /// ```
    ///
    /// # Errors
    /// Returns an error if there is no readable reply, or if its status is neither 2xx nor 403: see
    /// [`ErrorKind`](crate::ErrorKind). A device that is refused because of the plan or a
    /// revocation is not an error but a [`Registration`].
    pub fn register(&self, device: &DeviceId) -> T::Reply<Registration> {
        let call = Call::post("/api/v1/devices/register")
            .operation(operation!("machineid.register"))
            .auth(&ORG_KEY)
            .body(&DeviceBody { device })
            .idempotent();
        self.send(call.decode(Registration::decode))
    }
}
