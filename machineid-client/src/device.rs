//! Listing devices, and revoking, restoring and removing one device.

use agent_client_core::{
    Call, ErrorKind, Extra, Operation, Reply, Timestamp, Transport, open_enum, operation,
    with_extra,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::auth::ORG_KEY;
use crate::client::Api;
use crate::device_id::{DeviceBody, DeviceId};
use crate::plan::PlanFigures;
use crate::refusal::read;

/// The handlers of this file's endpoints, which cannot be the source of a decision.
pub(crate) const HANDLERS: &[&str] =
    &["devices/list", "devices/revoke", "devices/unrevoke", "devices/remove"];

open_enum! {
    /// The status of a device. An active device may run if the org and its plan allow it.
    pub enum DeviceStatus {
        /// The device is not revoked.
        Active = "active",
        /// The device is revoked and may not run.
        Revoked = "revoked",
    }
}

/// A registered device, as [`Api::list_devices`] returns it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
#[non_exhaustive]
pub struct Device {
    /// The id of the device.
    pub device_id: DeviceId,
    /// Whether the device is active or revoked; `None` if the reply lacks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<DeviceStatus>,
    /// When the device was registered; `None` if the reply lacks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When the device was revoked; `None` if it is not revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When the device was last validated; `None` if it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_validated_at: Option<Timestamp>,
    /// Fields of the reply that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Device);

/// The reply to [`Api::list_devices`]: all devices of an org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeviceList {
    /// All devices of the org, revoked ones included.
    pub devices: Vec<Device>,
    /// The org's plan and how much of it the devices use.
    #[serde(flatten)]
    pub figures: PlanFigures,
    /// Fields of the reply that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl<'de> Deserialize<'de> for DeviceList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut extra = Extra::deserialize(deserializer)?;
        if !extra.contains_key("devices") {
            return Err(D::Error::missing_field("devices"));
        }
        let devices: Option<_> = extra.take("devices").map_err(D::Error::custom)?;
        let figures = PlanFigures::take(&mut extra).map_err(D::Error::custom)?;
        Ok(Self { devices: devices.unwrap_or_default(), figures, extra })
    }
}

/// The reply to [`Api::revoke`], [`Api::unrevoke`] and [`Api::remove`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
#[non_exhaustive]
pub struct DeviceChange {
    /// The service's status word, `ok`; `None` if the reply lacks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The device; `None` if the reply does not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// Whether the device is now revoked; `None` if the reply lacks it, as after a removal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<bool>,
    /// Fields of the reply that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(DeviceChange);

/// Managing devices: see the service's [API Reference](https://machineid.io/docs).
///
/// ```
/// use machineid_client::{DeviceId, DeviceStatus};
///
/// # test_support::machineid(async |client| {
/// let device = DeviceId::new("agent-01")?;
/// client.register(&device).await?;
///
/// client.revoke(&device).await?; // its next validate denies
/// let list = client.list_devices().await?;
/// assert_eq!(list.devices[0].status, Some(DeviceStatus::Revoked));
///
/// client.unrevoke(&device).await?;
/// assert!(client.validate(&device).await?.is_allowed());
///
/// client.remove(&device).await?;
/// assert!(client.list_devices().await?.devices.is_empty());
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Returns all devices of the org and how much of the plan they use:
    /// `GET /api/v1/devices/list`.
    ///
    /// # Errors
    /// Returns an error if the request is refused or there is no readable reply: see
    /// [`ErrorKind`].
    pub fn list_devices(&self) -> T::Reply<DeviceList> {
        self.send(
            Call::get("/api/v1/devices/list")
                .operation(operation!("machineid.list_devices"))
                .auth(&ORG_KEY)
                .json(),
        )
    }

    /// Revokes a device, so that it is denied from its next validate on:
    /// `POST /api/v1/devices/revoke`. Revoking a revoked device changes nothing.
    ///
    /// # Errors
    /// Returns [`ErrorKind::NotFound`] if the device is not registered, and
    /// an error, whatever the HTTP status, if the reply says that the device is not revoked.
    pub fn revoke(&self, device: &DeviceId) -> T::Reply<DeviceChange> {
        let call = change("/api/v1/devices/revoke", operation!("machineid.revoke"), device);
        self.send(call.decode(|reply| read(reply, Some(true))))
    }

    /// Restores a revoked device, so that it may run again: `POST /api/v1/devices/unrevoke`.
    /// Restoring an active device changes nothing.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Forbidden`] with code
    /// `device_limit_reached` if the plan is full,
    /// [`ErrorKind::NotFound`] if the device is not registered, and an
    /// error, whatever the HTTP status, if the reply says that the device is revoked.
    pub fn unrevoke(&self, device: &DeviceId) -> T::Reply<DeviceChange> {
        let call = change("/api/v1/devices/unrevoke", operation!("machineid.unrevoke"), device);
        self.send(call.decode(|reply| read(reply, Some(false))))
    }

    /// Deletes a device permanently: `POST /api/v1/devices/remove`.
    ///
    /// # Errors
    /// Returns [`ErrorKind::NotFound`] if the device is not registered.
    /// It is not an error if the reply to a first attempt was lost and the second attempt does not
    /// find the device any more.
    pub fn remove(&self, device: &DeviceId) -> T::Reply<DeviceChange> {
        let removed = DeviceChange {
            status: Some("ok".to_owned()),
            device_id: Some(device.clone()),
            revoked: None,
            extra: Extra::default(),
        };
        let call = change("/api/v1/devices/remove", operation!("machineid.remove"), device);
        self.send(call.decode(move |reply| {
            read(reply, None).or_else(|error| {
                if reply.status() == 404 && reply.is_repeated() && reply.json::<Value>().is_err() {
                    // It may say that the device is not found, or be another's.
                    return Err(reply.unreadable(
                        "an earlier attempt may have removed the device: the list shows it",
                    ));
                }
                // Another 404 can mean that the org is unknown, or come from a proxy.
                let is_gone = matches!(error.code(), Some("device_not_found" | "not_found"))
                    || reply.json().is_ok_and(|body: Value| body["status"] == "not_found");
                let was_removed =
                    error.kind() == ErrorKind::NotFound && reply.is_repeated() && is_gone;
                if was_removed { Ok(removed.clone()) } else { Err(error) }
            })
        }))
    }
}

fn change(path: &'static str, operation: &'static Operation, device: &DeviceId) -> Call<Reply> {
    Call::post(path).operation(operation).auth(&ORG_KEY).body(&DeviceBody { device }).idempotent()
}
