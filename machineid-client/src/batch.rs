//! Revoking and restoring many devices at once.

use std::collections::HashSet;

use agent_client_core::{
    Call, Document, Error, ErrorKind, Extra, Operation, Transport, null_as_default, open_enum,
    operation, with_extra,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::auth::ORG_KEY;
use crate::client::Api;
use crate::device_id::DeviceId;
use crate::refusal::read;

/// The handlers of this file's endpoints, which cannot be the source of a decision.
pub(crate) const HANDLERS: &[&str] = &["devices/revoke_batch", "devices/unrevoke_batch"];

/// The maximum number of different device ids in one batch.
const MAX_IDS: usize = 500;

open_enum! {
    /// What a batch did with one device.
    pub enum BatchStatus {
        /// The device was active and is now revoked.
        Revoked = "revoked",
        /// The device was already revoked.
        AlreadyRevoked = "already_revoked",
        /// The device was revoked and is now active.
        Unrevoked = "unrevoked",
        /// The device was already active.
        AlreadyActive = "already_active",
        /// The device stays revoked, because the plan is full.
        Blocked = "blocked",
        /// The device is not registered.
        NotFound = "not_found",
        /// The device id is invalid.
        Invalid = "invalid",
    }
}

open_enum! {
    /// Why restoring all revoked devices has restored none.
    pub enum UnrevokeReason {
        /// The plan is full, so no device could be restored.
        AtCap = "at_cap",
        /// The org has no revoked devices.
        NoneRevoked = "none_revoked",
    }
}

/// The result of a batch for one of its devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
#[non_exhaustive]
pub struct BatchItem {
    /// The device id as the service returns it. An invalid id is returned as it was sent.
    pub device_id: Document,
    /// What the batch did with the device.
    pub status: BatchStatus,
    /// Why nothing was done, for example `device_limit_reached`; `None` if the service gives no
    /// reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Fields of the reply that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(BatchItem);

/// The reply to [`Api::revoke_batch`] and [`Api::revoke_all_active`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
#[non_exhaustive]
pub struct RevokeBatch {
    /// The result for each device, in the order of the request; empty after
    /// [`Api::revoke_all_active`].
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<BatchItem>,
    /// The number of devices that were active and are now revoked; `None` if the reply lacks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_count: Option<u64>,
    /// Fields of the reply that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(RevokeBatch);

/// The reply to [`Api::unrevoke_batch`] and [`Api::unrevoke_all_revoked`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
#[non_exhaustive]
pub struct UnrevokeBatch {
    /// The result for each device, in the order of the request; empty after
    /// [`Api::unrevoke_all_revoked`].
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<BatchItem>,
    /// The number of devices that were revoked and are now active; `None` if the reply lacks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unrevoked_count: Option<u64>,
    /// Up to 25 of the restored devices; filled only after [`Api::unrevoke_all_revoked`].
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub unrevoked_sample: Vec<DeviceId>,
    /// Why no device was restored; `None` if one was, and after [`Api::unrevoke_batch`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<UnrevokeReason>,
    /// Fields of the reply that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(UnrevokeBatch);

const REVOKE: &str = "/api/v1/devices/revoke_batch";
const UNREVOKE: &str = "/api/v1/devices/unrevoke_batch";

/// Revoking and restoring many devices at once: see the service's
/// [API Reference](https://machineid.io/docs).
///
/// ```
/// use machineid_client::{BatchStatus, DeviceId};
///
/// # test_support::machineid(async |client| {
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
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Revokes up to 500 devices: `POST /api/v1/devices/revoke_batch`. The reply contains a result
    /// for each. Devices that are already revoked stay as they are, and one that is given twice counts
    /// once.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if there are no devices, or more than 500 different
    /// ones. A device that cannot be revoked is not an error: see [`BatchItem::status`].
    pub fn revoke_batch(&self, devices: &[DeviceId]) -> T::Reply<RevokeBatch> {
        self.send(selected(REVOKE, operation!("machineid.revoke_batch"), devices))
    }

    /// Revokes every active device: `POST /api/v1/devices/revoke_batch`. If the reply to a first
    /// attempt was lost, the count is that of the second attempt.
    ///
    /// # Errors
    /// Returns an error if the request is refused or there is no readable reply: see
    /// [`ErrorKind`].
    pub fn revoke_all_active(&self) -> T::Reply<RevokeBatch> {
        self.send(batch(
            REVOKE,
            operation!("machineid.revoke_all_active"),
            &json!({"scope": "all_active"}),
        ))
    }

    /// Restores up to 500 revoked devices, until the plan is full:
    /// `POST /api/v1/devices/unrevoke_batch`. The reply contains a result for each. A device that is
    /// given twice counts once.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if there are no devices, or more than 500 different
    /// ones. A device that cannot be restored is not an error: see [`BatchItem::status`].
    pub fn unrevoke_batch(&self, devices: &[DeviceId]) -> T::Reply<UnrevokeBatch> {
        self.send(selected(UNREVOKE, operation!("machineid.unrevoke_batch"), devices))
    }

    /// Restores all revoked devices, until the plan is full, starting with the most recently
    /// revoked one: `POST /api/v1/devices/unrevoke_batch`. If the reply to a first attempt was
    /// lost, count and sample are those of the second attempt.
    ///
    /// # Errors
    /// Returns an error if the request is refused or there is no readable reply: see
    /// [`ErrorKind`].
    pub fn unrevoke_all_revoked(&self) -> T::Reply<UnrevokeBatch> {
        self.send(batch(
            UNREVOKE,
            operation!("machineid.unrevoke_all_revoked"),
            &json!({"scope": "all_revoked"}),
        ))
    }
}

fn selected<R: DeserializeOwned>(
    path: &'static str,
    operation: &'static Operation,
    devices: &[DeviceId],
) -> Call<R> {
    let mut seen = HashSet::new();
    let distinct: Vec<_> = devices.iter().filter(|device| seen.insert(*device)).collect();
    if distinct.is_empty() || distinct.len() > MAX_IDS {
        return Call::refused(Error::new(
            ErrorKind::InvalidInput,
            format!("a batch takes 1 to {MAX_IDS} different device ids, not {}", distinct.len()),
        ));
    }
    batch(path, operation, &json!({"deviceIds": distinct}))
}

fn batch<R: DeserializeOwned>(
    path: &'static str,
    operation: &'static Operation,
    body: &Value,
) -> Call<R> {
    let call = Call::post(path).operation(operation).auth(&ORG_KEY).body(body).idempotent();
    call.decode(|reply| {
        // A reply with results says for each device what was done, whatever else it says.
        let has_results =
            reply.is_success() && reply.json().is_ok_and(|body| says_what_was_done(&body));
        if has_results { reply.json() } else { read(reply, None) }
    })
}

fn says_what_was_done(body: &Value) -> bool {
    let has_results = body["results"].as_array().is_some_and(|results| !results.is_empty());
    has_results || body["reason"].is_string()
}
