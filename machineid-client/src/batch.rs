//! Many devices at once: revoke and restore a fleet.

use agent_client_core::{Call, Error, ErrorKind, Extra, Transport, open_enum};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::auth::ORG_KEY;
use crate::client::Api;
use crate::device_id::DeviceId;

/// The most ids that one batch may name.
const MAX_IDS: usize = 500;

open_enum! {
    /// What a batch did with one device.
    pub enum BatchStatus {
        /// It was active and is revoked now.
        Revoked = "revoked",
        /// It was revoked before.
        AlreadyRevoked = "already_revoked",
        /// It was revoked and is active now.
        Unrevoked = "unrevoked",
        /// It was active before.
        AlreadyActive = "already_active",
        /// It stays revoked: the plan is full.
        Blocked = "blocked",
        /// No such device is registered.
        NotFound = "not_found",
        /// That is no device id.
        Invalid = "invalid",
    }
}

open_enum! {
    /// Why restoring all devices restored none.
    pub enum UnrevokeReason {
        /// The plan is full.
        AtCap = "at_cap",
        /// No device was revoked.
        NoneRevoked = "none_revoked",
    }
}

/// What a batch did with one of the devices that it named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BatchItem {
    /// The device, as the service gives it back. An invalid id stands here as it was sent.
    pub device_id: Value,
    /// What was done.
    pub status: BatchStatus,
    /// Why nothing was, for example `device_limit_reached`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The reply to a batch that revokes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RevokeBatch {
    /// Device by device, in the order asked for; empty when all active ones were meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<BatchItem>,
    /// How many were active and are revoked now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_count: Option<u64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The reply to a batch that restores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UnrevokeBatch {
    /// Device by device, in the order asked for; empty when all revoked ones were meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<BatchItem>,
    /// How many were revoked and are active now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unrevoked_count: Option<u64>,
    /// Up to 25 of those, when all revoked ones were meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unrevoked_sample: Vec<DeviceId>,
    /// Why none was restored, when none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<UnrevokeReason>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

const REVOKE: &str = "/api/v1/devices/revoke_batch";
const UNREVOKE: &str = "/api/v1/devices/unrevoke_batch";

/// Many devices at once, as in the reference's *API Reference*.
///
/// ```
/// use machineid_client::{BatchStatus, Client, DeviceId};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let org = server.create_org(machins_mock::Plan::Free);
/// # let client = Client::builder()
/// #     .org_key(machineid_client::OrgKey::new(org.key())?)
/// #     .base_url(server.machineid_base_url())
/// #     .build()?;
/// let fleet = [DeviceId::new("agent-01")?, DeviceId::new("agent-02")?];
/// for device in &fleet {
///     client.register(device).await?;
/// }
///
/// let batch = client.revoke_batch(&fleet[..1]).await?;
/// assert_eq!(batch.results[0].status, BatchStatus::Revoked);
/// assert_eq!(client.revoke_all_active().await?.revoked_count, Some(1)); // the other one
///
/// client.unrevoke_batch(&fleet[1..]).await?;
/// assert_eq!(client.unrevoke_all_revoked().await?.unrevoked_count, Some(1));
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// Revokes these devices, at most 500. Each is reported; those revoked already are left as
    /// they are. `POST /api/v1/devices/revoke_batch`
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for no ids or more than 500. A device that can't be revoked
    /// is no error but a [`BatchItem`].
    pub fn revoke_batch(&self, devices: &[DeviceId]) -> T::Reply<RevokeBatch> {
        self.send(selected(REVOKE, devices))
    }

    /// Revokes every active device. If a first attempt's reply was lost, the count is of the
    /// second. `POST /api/v1/devices/revoke_batch`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`].
    pub fn revoke_all_active(&self) -> T::Reply<RevokeBatch> {
        self.send(batch(REVOKE, &json!({"scope": "all_active"})))
    }

    /// Restores these devices, at most 500, as far as the plan has room. Each is reported.
    /// `POST /api/v1/devices/unrevoke_batch`
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for no ids or more than 500. A device that can't be restored
    /// is no error but a [`BatchItem`].
    pub fn unrevoke_batch(&self, devices: &[DeviceId]) -> T::Reply<UnrevokeBatch> {
        self.send(selected(UNREVOKE, devices))
    }

    /// Restores revoked devices, the newest revoked first, as far as the plan has room. If a
    /// first attempt's reply was lost, count and sample are of the second.
    /// `POST /api/v1/devices/unrevoke_batch`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`].
    pub fn unrevoke_all_revoked(&self) -> T::Reply<UnrevokeBatch> {
        self.send(batch(UNREVOKE, &json!({"scope": "all_revoked"})))
    }
}

fn selected<R: DeserializeOwned>(path: &'static str, devices: &[DeviceId]) -> Call<R> {
    if devices.is_empty() || devices.len() > MAX_IDS {
        return Call::refused(Error::new(
            ErrorKind::InvalidInput,
            format!("{} device ids: a batch takes 1 to {MAX_IDS}", devices.len()),
        ));
    }
    batch(path, &json!({"deviceIds": devices}))
}

fn batch<R: DeserializeOwned>(path: &'static str, body: &Value) -> Call<R> {
    Call::post(path).auth(&ORG_KEY).body(body).idempotent().json()
}
