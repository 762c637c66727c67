//! Devices one at a time: list, revoke, restore, remove.

use agent_client_core::{Call, Extra, Reply, Timestamp, Transport, open_enum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::auth::ORG_KEY;
use crate::client::Api;
use crate::device_id::DeviceId;
use crate::plan::PlanFigures;

open_enum! {
    /// Whether a device may run, as far as it alone is concerned.
    pub enum DeviceStatus {
        /// It may, if plan and org allow.
        Active = "active",
        /// It may not.
        Revoked = "revoked",
    }
}

/// A registered device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Device {
    /// Its name.
    pub device_id: DeviceId,
    /// Whether it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<DeviceStatus>,
    /// When it was registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was revoked, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When it last asked whether it may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_validated_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The reply to [`Api::list_devices`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeviceList {
    /// Every device of the org.
    pub devices: Vec<Device>,
    /// How much of the plan they use.
    #[serde(flatten)]
    pub figures: PlanFigures,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The reply to a revoke, unrevoke or remove.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DeviceChange {
    /// The service's word: `ok`.
    pub status: String,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// Whether it is revoked now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<bool>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Devices one at a time, as in the reference's *API Reference*.
///
/// ```
/// use machineid_client::{Client, DeviceId, DeviceStatus};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let org = server.create_org(machins_mock::Plan::Free);
/// # let client = Client::builder()
/// #     .org_key(machineid_client::OrgKey::new(org.key())?)
/// #     .base_url(server.machineid_base_url())
/// #     .build()?;
/// let device = DeviceId::new("agent-01")?;
/// client.register(&device).await?;
///
/// client.revoke(&device).await?; // denied from its next validate on
/// let list = client.list_devices().await?;
/// assert_eq!(list.devices[0].status, Some(DeviceStatus::Revoked));
///
/// client.unrevoke(&device).await?;
/// assert!(client.validate(&device).await?.is_allowed());
///
/// client.remove(&device).await?;
/// assert!(client.list_devices().await?.devices.is_empty());
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// Every device of the org. `GET /api/v1/devices/list`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn list_devices(&self) -> T::Reply<DeviceList> {
        self.send(Call::get("/api/v1/devices/list").auth(&ORG_KEY).json())
    }

    /// Blocks a device. It takes effect at the device's next validate. Doing it again changes
    /// nothing. `POST /api/v1/devices/revoke`
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when no such device is registered.
    pub fn revoke(&self, device: &DeviceId) -> T::Reply<DeviceChange> {
        self.send(change("/api/v1/devices/revoke", device).json())
    }

    /// Lets a revoked device run again. Doing it again changes nothing.
    /// `POST /api/v1/devices/unrevoke`
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden) with code `device_limit_reached`
    /// when the plan is full, [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when no such
    /// device is registered.
    pub fn unrevoke(&self, device: &DeviceId) -> T::Reply<DeviceChange> {
        self.send(change("/api/v1/devices/unrevoke", device).json())
    }

    /// Deletes a device for good. `POST /api/v1/devices/remove`
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when no such device is registered.
    /// If the reply to a first attempt was lost and the second finds the device gone, that is
    /// success.
    pub fn remove(&self, device: &DeviceId) -> T::Reply<DeviceChange> {
        let gone = DeviceChange {
            status: "ok".to_owned(),
            device_id: Some(device.clone()),
            revoked: None,
            extra: Extra::default(),
        };
        self.send(change("/api/v1/devices/remove", device).decode(move |reply| {
            if reply.is_success() {
                return reply.json();
            }
            let error = reply.error();
            // Not just any 404: that could be the org, or a proxy's page.
            let is_gone = error.code() == Some("device_not_found")
                || reply.json().is_ok_and(|body: Value| body["status"] == "not_found");
            let gone_before = reply.status() == 404 && reply.is_repeated() && is_gone;
            if gone_before { Ok(gone.clone()) } else { Err(error) }
        }))
    }
}

fn change(path: &'static str, device: &DeviceId) -> Call<Reply> {
    Call::post(path).auth(&ORG_KEY).body(&json!({"deviceId": device})).idempotent()
}
