//! Many devices at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::caller::Caller;
use super::reply::{ErrorCode, Failure, Meta, Status};
use crate::http::{Api, BodyError, JsonBody, Reply};
use crate::machineid::DeviceId;
use crate::machineid::org::{
    BatchEntry, MAX_BATCH, Restored, RestoredAll, Revoked, TooManyIds, batch,
};

pub(super) fn routes(api: Api) -> Api {
    api.tag("MachineID devices")
        .post("/api/v1/devices/revoke_batch", "Revoke many devices", revoke_batch)
        .post("/api/v1/devices/unrevoke_batch", "Restore many devices", unrevoke_batch)
}

/// Many devices, given by `deviceIds` or by `scope`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "BatchBody_{Scope}", example = serde_json::json!({"deviceIds": ["agent-01"]}))]
struct BatchBody<Scope> {
    /// At least one id, and at most 500 distinct valid ones.
    #[schemars(with = "Option<Vec<String>>")]
    device_ids: Option<Vec<Box<RawValue>>>,
    scope: Option<Scope>,
}

/// The devices to revoke.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RevokeScope {
    AllActive,
}

/// The devices to restore.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum UnrevokeScope {
    AllRevoked,
}

/// The result of one entry of a batch.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BatchItem {
    device_id: String,
    status: BatchStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorCode>,
}

/// The result of an entry in one word.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BatchStatus {
    Revoked,
    AlreadyRevoked,
    Unrevoked,
    AlreadyActive,
    Blocked,
    NotFound,
    Invalid,
}

/// The result of revoking many devices.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BatchRevoked {
    status: Status,
    /// One entry for each distinct id, in the order given; missing with a scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<BatchItem>>,
    /// The number of devices that were active before and are revoked now.
    revoked_count: usize,
    #[serde(flatten)]
    meta: Meta,
}

/// The result of restoring many devices.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BatchUnrevoked {
    status: Status,
    /// One entry for each distinct id, in the order given; missing with a scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<BatchItem>>,
    /// The number of devices that were revoked before and are active now.
    unrevoked_count: usize,
    /// The first 25 of the restored devices; only with a scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    unrevoked_sample: Option<Vec<DeviceId>>,
    /// The reason why no device was restored; only with a scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<NothingRestored>,
    #[serde(flatten)]
    meta: Meta,
}

/// The reason why no device was restored.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NothingRestored {
    AtCap,
    NoneRevoked,
}

/// Which devices a batch is about.
enum Selection<Scope> {
    Entries(Vec<BatchEntry>),
    Scope(Scope),
}

fn selection<Scope>(
    body: Result<BatchBody<Scope>, BodyError>,
    meta: Meta,
) -> Result<Selection<Scope>, Failure> {
    let body = body.map_err(|error| Failure::body(&error, meta))?;
    match (body.device_ids, body.scope) {
        (Some(ids), None) if !ids.is_empty() => {
            let entries = batch(&ids).map_err(|TooManyIds| {
                let message = format!("a batch holds at most {MAX_BATCH} distinct valid ids");
                Failure::new(ErrorCode::TooManyIds, message, meta)
            })?;
            Ok(Selection::Entries(entries))
        }
        (None, Some(scope)) => Ok(Selection::Scope(scope)),
        _ => {
            let message = "give either deviceIds, which must not be empty, or scope";
            Err(Failure::new(ErrorCode::MissingParams, message, meta))
        }
    }
}

/// Returns the results of a batch: `act` is called for each valid id.
fn batch_items(
    entries: Vec<BatchEntry>,
    mut act: impl FnMut(&DeviceId) -> BatchStatus,
) -> Vec<BatchItem> {
    let item = |entry: BatchEntry| match entry {
        Ok(id) => {
            let status = act(&id);
            let at_cap = status == BatchStatus::Blocked;
            let error = at_cap.then_some(ErrorCode::DeviceLimitReached);
            BatchItem { device_id: id.to_string(), status, error }
        }
        Err(device_id) => BatchItem {
            device_id,
            status: BatchStatus::Invalid,
            error: Some(ErrorCode::InvalidDeviceId),
        },
    };
    entries.into_iter().map(item).collect()
}

fn count(items: &[BatchItem], status: BatchStatus) -> usize {
    items.iter().filter(|item| item.status == status).count()
}

async fn revoke_batch(
    caller: Caller,
    JsonBody(body): JsonBody<BatchBody<RevokeScope>>,
) -> Result<Reply<200, BatchRevoked>, Failure> {
    let mut call = caller.call("devices/revoke_batch");
    let (now, meta) = (call.now(), call.meta);
    let org = call.org()?;
    let (results, revoked_count) = match selection(body, meta)? {
        Selection::Scope(RevokeScope::AllActive) => (None, org.revoke_all(now)),
        Selection::Entries(entries) => {
            let items = batch_items(entries, |id| match org.revoke(id, now) {
                Revoked::Now => BatchStatus::Revoked,
                Revoked::Already => BatchStatus::AlreadyRevoked,
                Revoked::NotFound => BatchStatus::NotFound,
            });
            let revoked = count(&items, BatchStatus::Revoked);
            (Some(items), revoked)
        }
    };
    Ok(Reply(BatchRevoked { status: Status::Ok, results, revoked_count, meta }))
}

async fn unrevoke_batch(
    caller: Caller,
    JsonBody(body): JsonBody<BatchBody<UnrevokeScope>>,
) -> Result<Reply<200, BatchUnrevoked>, Failure> {
    /// The maximum number of ids in a sample.
    const SAMPLE: usize = 25;
    let mut call = caller.call("devices/unrevoke_batch");
    let meta = call.meta;
    let org = call.org()?;
    let mut reply = BatchUnrevoked {
        status: Status::Ok,
        results: None,
        unrevoked_count: 0,
        unrevoked_sample: None,
        reason: None,
        meta,
    };
    match selection(body, meta)? {
        Selection::Scope(UnrevokeScope::AllRevoked) => {
            let (mut restored, reason) = match org.unrevoke_all() {
                RestoredAll::Some(ids) => (ids, None),
                RestoredAll::NoneRevoked => (Vec::new(), Some(NothingRestored::NoneRevoked)),
                RestoredAll::AtCap => (Vec::new(), Some(NothingRestored::AtCap)),
            };
            reply.unrevoked_count = restored.len();
            restored.truncate(SAMPLE);
            reply.unrevoked_sample = Some(restored);
            reply.reason = reason;
        }
        Selection::Entries(entries) => {
            let items = batch_items(entries, |id| match org.unrevoke(id) {
                Restored::Now => BatchStatus::Unrevoked,
                Restored::Already => BatchStatus::AlreadyActive,
                Restored::AtCap => BatchStatus::Blocked,
                Restored::NotFound => BatchStatus::NotFound,
            });
            reply.unrevoked_count = count(&items, BatchStatus::Unrevoked);
            reply.results = Some(items);
        }
    }
    Ok(Reply(reply))
}
