//! The service's decision whether a device may run, and when it counts as *allow*.

use std::time::Duration;

use agent_client_core::{Call, Error, Extra, Reply, Transport, operation};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::allow::{Refusal, is_refusal, request_id, verify};
use crate::auth::ORG_KEY;
use crate::client::Api;
use crate::decision_code::DecisionCode;
use crate::device_id::{DeviceBody, DeviceId};
use crate::fields::UniqueFields;

/// The service's decision whether a device may run.
///
/// It allows only if the code is `ALLOW`, `allowed` is JSON `true`, and nothing else in the reply
/// contradicts that: [`InvalidAllow`](crate::InvalidAllow) lists what does. A reply with the code
/// `ALLOW` that is not believed, or a reply in which a field appears twice, is not a decision but an
/// error. Every other decision denies, whatever its HTTP status.
///
/// `Serialize` writes the fields of the reply, but `allowed` is `true` only if the decision allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    code: DecisionCode,
    http_status: u16,
    retry_after: Option<Duration>,
    fields: Extra,
}

impl Decision {
    /// Returns whether the device may run.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        // `decode` has checked the other conditions.
        self.code == DecisionCode::Allow
    }

    /// Returns why the device may or may not run.
    #[must_use]
    pub fn code(&self) -> &DecisionCode {
        &self.code
    }

    /// Returns the service's id of this decision, to correlate logs, or `None` if the reply has
    /// none.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.fields.get("request_id")?.as_str()
    }

    /// Returns the HTTP status of the reply.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        self.http_status
    }

    /// Returns how long the server asked to wait before the next call, or `None` if it did not.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns a field of the reply by its JSON name, or `None` if the reply does not have it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).map(|value| &**value)
    }

    /// Returns the decision about this device that a reply contains, for tests (feature
    /// `test-util`).
    ///
    /// # Errors
    /// Returns [`ErrorKind::UnreadableReply`](crate::ErrorKind::UnreadableReply) if the reply
    /// contains no decision, or an `ALLOW` that is [not believed](crate::InvalidAllow).
    #[cfg(feature = "test-util")]
    pub fn from_reply(reply: &Reply, device: &DeviceId) -> Result<Self, Error> {
        Self::decode(reply, device)
    }

    fn decode(reply: &Reply, asked: &DeviceId) -> Result<Self, Error> {
        let no_decision = |unreadable: Error| {
            if reply.is_success() { unreadable } else { reply.error() }
        };
        let UniqueFields(mut fields) = reply.json().map_err(no_decision)?;
        let code = fields.get("code").and_then(|code| code.as_str()).map(DecisionCode::from);
        let is_decision = match &code {
            None => false,
            // Either a new code, or the error of a proxy that happens to have one.
            Some(DecisionCode::Unknown(_)) => {
                reply.status() < 500
                    && fields.get("allowed").is_some_and(|allowed| allowed.is_boolean())
            }
            Some(_) => true,
        };
        let Some(code) = code.filter(|_| is_decision) else {
            let error = no_decision(reply.unreadable("the reply contains no decision"));
            let is_refusal = is_refusal(reply.status(), &fields);
            return Err(if is_refusal { error.with_source(Refusal) } else { error });
        };
        let is_new = request_id(&fields).map(|id| reply.remember_request_id(id));
        if code == DecisionCode::Allow {
            verify(reply, &fields, asked, is_new).map_err(|invalid| {
                reply
                    .unreadable("the reply says ALLOW, but cannot be believed")
                    .with_source(invalid)
            })?;
        } else {
            fields.insert("allowed".to_owned(), false.into());
        }
        Ok(Self { code, http_status: reply.status(), retry_after: reply.retry_after(), fields })
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

/// Asking for decisions: see the service's
/// [API Reference and Decision Codes](https://machineid.io/docs).
///
/// ```
/// use machineid_client::{DecisionCode, DeviceId};
///
/// # test_support::machineid(async |client| {
/// let decision = client.validate(&DeviceId::new("never-registered")?).await?;
/// assert!(!decision.is_allowed());
/// assert_eq!(*decision.code(), DecisionCode::DeviceNotFound);
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Asks whether a device may run: `POST /api/v1/devices/validate`.
    ///
    /// After a reply of status 408, 429, 500, 502, 503 or 504, such as `SYSTEM_UNAVAILABLE`, the
    /// call is retried within the client's limits, and the last reply is returned. A
    /// [`Gate`](crate::Gate) is easier to use safely: its answer is either a permit or a denial.
    ///
    /// # Errors
    /// Returns an error if there is no decision. **Treat it as a denial.** A denial by the service
    /// is not an error but a [`Decision`], whatever its status.
    pub fn validate(&self, device: &DeviceId) -> T::Reply<Decision> {
        self.send(validate(device))
    }
}

/// Returns the call of [`Api::validate`].
pub(crate) fn validate(device: &DeviceId) -> Call<Decision> {
    let asked = device.clone();
    Call::post("/api/v1/devices/validate")
        .operation(operation!("machineid.validate"))
        .auth(&ORG_KEY)
        .body(&DeviceBody { device })
        .idempotent()
        // A question about a device that runs can't wait because of how often others are asked.
        .separate_rate_limit()
        .decode(move |reply| Decision::decode(reply, &asked))
}
