//! Replies whose status is a success, but whose body refuses the call.

use agent_client_core::{Error, ErrorKind, Reply};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The words of the service's replies that mean that nothing was done.
const REFUSALS: [&str; 7] = [
    "blocked",
    "error",
    "invalid",
    "limit_reached",
    "missing_params",
    "not_found",
    // That a device is revoked refuses all but to revoke it.
    "revoked",
];

/// Reads a reply, unless it refuses the call. `revoked` is whether a device is revoked after the call,
/// or `None` if the call changes nothing about that.
pub(crate) fn read<R: DeserializeOwned>(reply: &Reply, revoked: Option<bool>) -> Result<R, Error> {
    if !reply.is_success() {
        return Err(reply.error());
    }
    let body: Value = reply.json()?;
    match refusal(&body, revoked) {
        Some(code) => Err(reply.refusal(kind(code), code)),
        None => reply.json(),
    }
}

/// The word in which a body refuses a call, or `None` if it does not.
fn refusal(body: &Value, revoked: Option<bool>) -> Option<&str> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::trim);
    let error = body.get("error").filter(|error| !error.is_null());
    let is_other_state = body["revoked"].as_bool().is_some_and(|now| revoked == Some(!now));
    let refuses = |word: &str| {
        let is_done = revoked == Some(true) && word.eq_ignore_ascii_case("revoked");
        !is_done && REFUSALS.iter().any(|refusal| word.eq_ignore_ascii_case(refusal))
    };
    let status = text("status").filter(|word| refuses(word));
    if error.is_none() && status.is_none() && !is_other_state {
        return None;
    }
    text("code").or(text("error")).or(status).or(Some("not_changed"))
}

/// The kind of the error that the service itself sends with this word.
fn kind(code: &str) -> ErrorKind {
    match code.to_ascii_lowercase().as_str() {
        "not_found" | "device_not_found" | "org_not_found" => ErrorKind::NotFound,
        "blocked"
        | "limit_reached"
        | "device_limit_reached"
        | "revoked"
        | "device_revoked"
        | "plan_frozen" => ErrorKind::Forbidden,
        "invalid" | "invalid_device_id" | "missing_params" => ErrorKind::BadRequest,
        "invalid_org_key" => ErrorKind::Unauthorized,
        _ => ErrorKind::UnexpectedStatus,
    }
}
