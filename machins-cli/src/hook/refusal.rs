//! Why a tool call is blocked.

use std::fmt::Write;

use machineid_client::{Denied, DeviceId, Reason};

use crate::error::{Failure, SYSTEM_UNAVAILABLE};
use crate::text::clean;

/// Why a tool call is blocked, in words for a model: what was decided and who decides. They never
/// say how to undo it, since a model would try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The decision code.
    pub(crate) code: String,
    device: Option<DeviceId>,
    /// Why there is no decision. `None` if there is one.
    why: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl Refusal {
    /// There is no decision, for this reason.
    pub(crate) fn no_decision(why: impl Into<String>) -> Self {
        Self {
            code: SYSTEM_UNAVAILABLE.to_owned(),
            device: None,
            why: Some(why.into()),
            request_id: None,
        }
    }

    /// The reason, on one line.
    pub(crate) fn reason(&self) -> String {
        let mut text = match &self.why {
            None => format!("MachineID has blocked this tool call: {}", self.code),
            Some(why) => format!(
                "This tool call is blocked, because there is no decision from MachineID \
                 ({}: {why})",
                self.code
            ),
        };
        // Writing to a string never fails.
        if let Some(device) = &self.device {
            let _ = write!(text, ", device {device}");
        }
        if let Some(id) = &self.request_id {
            let _ = write!(text, ", request {id}");
        }
        text += ". The operator of the org decides whether tools may run here. Do not \
                 retry, and do not work around it: stop, and tell the user.";
        clean(&text).into_owned()
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let why = match denied.reason() {
            Reason::NoDecision(error) => Some(format!("{error:#}")),
            _ => None,
        };
        Self {
            code: denied.code().as_str().to_owned(),
            device: denied.device().cloned(),
            why,
            request_id: denied.request_id().map(Into::into),
        }
    }
}

impl From<Failure> for Refusal {
    /// Leaves out the failure's advice, which is for people.
    fn from(failure: Failure) -> Self {
        Self::no_decision(failure.message())
    }
}
