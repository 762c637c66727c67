//! A no, and why.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use agent_client_core::{Error, ErrorKind, printable};

use crate::decision::{Decision, DecisionCode};
use crate::registration::Registration;

/// The device may not run. Stop.
///
/// `Display` says why and what to do; [`code`](Self::code) is the service's decision code, and
/// `SYSTEM_UNAVAILABLE` when there was no decision, with the cause in
/// [`source`](std::error::Error::source).
///
/// A clone is one pointer.
#[derive(Debug, Clone)]
pub struct Denied(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    code: DecisionCode,
    reason: Reason,
}

/// What a denial rests on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The service decided against it.
    Refused(Decision),
    /// The device could not be registered.
    NotRegistered(Registration),
    /// There is no decision.
    NoDecision(Error),
}

impl Denied {
    pub(crate) fn new(reason: Reason) -> Self {
        let code = match &reason {
            Reason::Refused(decision) => decision.code().clone(),
            Reason::NotRegistered(registration) => code_of(registration),
            Reason::NoDecision(error) => code_of_error(error),
        };
        // Only a permit says this.
        let code = if code == DecisionCode::Allow { DecisionCode::SystemUnavailable } else { code };
        Self(Arc::new(Inner { code, reason }))
    }

    /// Why, as a decision code. A device that the plan has no room for is denied with the
    /// service's `device_limit_reached`.
    #[must_use]
    pub fn code(&self) -> &DecisionCode {
        &self.0.code
    }

    /// What the denial rests on.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.0.reason
    }

    /// Whether it rests on an outage rather than on a decision against the device.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        let will_not_pass = matches!(
            &self.0.reason,
            Reason::NoDecision(error) if error.kind() == ErrorKind::InvalidInput
        );
        self.0.code == DecisionCode::SystemUnavailable && !will_not_pass
    }

    /// The service's id of the exchange, to correlate logs.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match &self.0.reason {
            Reason::Refused(decision) => decision.request_id(),
            Reason::NotRegistered(registration) => registration.reply().request_id.as_deref(),
            Reason::NoDecision(error) => error.request_id(),
        }
    }

    /// How long the server asked to wait before the next question.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.0.reason {
            Reason::NoDecision(error) => error.retry_after(),
            Reason::Refused(decision) => decision.retry_after(),
            Reason::NotRegistered(_) => None,
        }
    }

    fn advice(&self) -> &'static str {
        match &self.0.code {
            DecisionCode::OrgDisabled => "an operator has stopped the whole org",
            DecisionCode::SystemUnavailable => {
                "without a decision nothing may run; try again later"
            }
            DecisionCode::PlanFrozen => "the org's plan is frozen: see the MachineID console",
            DecisionCode::EntitlementExpired => "the org's plan has run out: see `checkout`",
            DecisionCode::DeviceRevoked => "an operator has revoked this device",
            DecisionCode::DeviceNotFound => "register the device first",
            DecisionCode::OrgNotFound | DecisionCode::InvalidOrgKey => "check the org key",
            DecisionCode::InvalidDeviceId => "check the device id",
            DecisionCode::Unknown(code) if code == "device_limit_reached" => {
                "the plan is full: remove or revoke a device, or take a larger plan"
            }
            _ => "stop",
        }
    }
}

/// A key that is missing or wrong is told by its own code; anything else leaves no decision.
fn code_of_error(error: &Error) -> DecisionCode {
    if error.kind() == ErrorKind::MissingCredential {
        return DecisionCode::InvalidOrgKey;
    }
    match error.code().map(DecisionCode::from) {
        None | Some(DecisionCode::Unknown(_)) => DecisionCode::SystemUnavailable,
        Some(known) => known,
    }
}

fn code_of(registration: &Registration) -> DecisionCode {
    match registration {
        Registration::Revoked(_) => DecisionCode::DeviceRevoked,
        Registration::PlanFrozen(_) => DecisionCode::PlanFrozen,
        other => match other.reply() {
            reply if reply.error.is_some() => {
                DecisionCode::from(reply.error.as_deref().unwrap_or_default())
            }
            reply => DecisionCode::from(reply.status.as_str()),
        },
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "denied, {}", printable(self.0.code.as_str()))?;
        if let Reason::NoDecision(error) = &self.0.reason {
            return write!(f, ": {error}");
        }
        write!(f, ": {}", self.advice())
    }
}

impl StdError for Denied {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.reason {
            Reason::NoDecision(error) => Some(error),
            _ => None,
        }
    }
}
