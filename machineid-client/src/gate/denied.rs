//! Denials: why a device may not run.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use agent_client_core::{Error, ErrorKind, printable};

use crate::allow::{InvalidAllow, Refusal};
use crate::decision::Decision;
use crate::decision_code::DecisionCode;
#[cfg(feature = "decision-log")]
use crate::decision_log::LogError;
use crate::device_id::DeviceId;
use crate::registration::Registration;

/// A denial: the device may not run, or it is unknown whether it may. Stop the work.
///
/// `Display` says why and who decides, but never how to undo it: the party that is denied reads it. [`code`](Self::code) is the service's decision code, or
/// `SYSTEM_UNAVAILABLE` if there was no decision; [`source`](std::error::Error::source) is then the
/// cause.
///
/// A clone is one pointer.
#[derive(Debug, Clone)]
pub struct Denied(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    device: Option<DeviceId>,
    code: DecisionCode,
    reason: Reason,
}

/// What a denial is based on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The service decided that the device may not run. Contains the decision.
    Refused(Decision),
    /// The device could not be registered. Contains the service's reply.
    NotRegistered(Registration),
    /// There is no decision. Contains the error that prevented it.
    NoDecision(Error),
    /// The service allowed, but the decision could not be written to the decision log, which is
    /// required.
    #[cfg(feature = "decision-log")]
    NotLogged {
        /// The decision of the service.
        decision: Arc<Decision>,
        /// Why the decision could not be written.
        error: LogError,
    },
}

impl Denied {
    /// Creates the denial of a device for this reason, for tests (feature `test-util`).
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn from_reason(device: &DeviceId, reason: Reason) -> Self {
        Self::new(device, reason)
    }

    pub(crate) fn new(device: &DeviceId, reason: Reason) -> Self {
        let code = match &reason {
            Reason::Refused(decision) => decision.code().clone(),
            Reason::NotRegistered(registration) => registration_code(registration),
            Reason::NoDecision(error) => error_code(error),
            #[cfg(feature = "decision-log")]
            Reason::NotLogged { .. } => DecisionCode::SystemUnavailable,
        };
        // A denial never has the code of a permit.
        let code = if code == DecisionCode::Allow { DecisionCode::SystemUnavailable } else { code };
        Self(Arc::new(Inner { device: Some(device.clone()), code, reason }))
    }

    /// Creates the denial of a request that names no valid device, for this reason.
    #[cfg(feature = "tower")]
    pub(super) fn without_device(error: Error) -> Self {
        let (code, reason) = (DecisionCode::InvalidDeviceId, Reason::NoDecision(error));
        Self(Arc::new(Inner { device: None, code, reason }))
    }

    /// Returns the device that may not run, or `None` if the request that was to be checked names no
    /// valid device.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceId> {
        self.0.device.as_ref()
    }

    /// Returns why the device is denied. If it could not be registered because the plan is full,
    /// this is the service's `device_limit_reached`, as an unknown code.
    #[must_use]
    pub fn code(&self) -> &DecisionCode {
        &self.0.code
    }

    /// Returns what the denial is based on.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.0.reason
    }

    /// Returns whether the denial is caused by an outage, not by a decision against the device. A
    /// later check may allow. A reply that says that the device may not run, or that the key is not
    /// accepted, is no outage, even if it has no decision code.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        let is_permanent = match &self.0.reason {
            Reason::NoDecision(error) => {
                let refusal = error.source().and_then(|source| source.downcast_ref::<Refusal>());
                error.kind() == ErrorKind::InvalidInput
                    || refusal.is_some()
                    || self.invalid_allow().is_some_and(InvalidAllow::is_contradiction)
            }
            _ => false,
        };
        self.0.code == DecisionCode::SystemUnavailable && !is_permanent
    }

    /// Returns the service's id of the request, to correlate logs, or `None` if there is none.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match &self.0.reason {
            Reason::Refused(decision) => decision.request_id(),
            Reason::NotRegistered(registration) => registration.reply().request_id.as_deref(),
            Reason::NoDecision(error) => error.request_id(),
            #[cfg(feature = "decision-log")]
            Reason::NotLogged { decision, .. } => decision.request_id(),
        }
    }

    /// Returns how long the server asked to wait before the next call, or `None` if it did not.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.0.reason {
            Reason::NoDecision(error) => error.retry_after(),
            Reason::Refused(decision) => decision.retry_after(),
            Reason::NotRegistered(_) => None,
            #[cfg(feature = "decision-log")]
            Reason::NotLogged { .. } => None,
        }
    }

    /// Returns why an `ALLOW` was not believed, or `None` if the denial has another reason.
    ///
    /// ```
    /// # fn example(denied: machineid_client::Denied) {
    /// use machineid_client::InvalidAllow;
    ///
    /// if denied.invalid_allow() == Some(InvalidAllow::FromCache) {
    ///     eprintln!("there is a caching proxy in front of MachineID");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn invalid_allow(&self) -> Option<InvalidAllow> {
        let Reason::NoDecision(error) = &self.0.reason else { return None };
        error.source()?.downcast_ref().copied()
    }

    /// Returns this denial, or else the earlier one of the same check if only that one may have been
    /// sent: a denial must not say that nothing was sent then.
    pub(super) fn unless_not_sent(self, earlier: Option<Self>) -> Self {
        match (&self.0.reason, earlier) {
            (Reason::NoDecision(error), Some(earlier)) if error.kind() == ErrorKind::NotSent => {
                earlier
            }
            _ => self,
        }
    }

    pub(super) fn advice(&self) -> &'static str {
        match &self.0.code {
            DecisionCode::OrgDisabled => {
                "execution is disabled for the whole org; the org's operator decides"
            }
            DecisionCode::SystemUnavailable => {
                "nothing may run without a decision; try again later"
            }
            DecisionCode::PlanFrozen => "the org's plan is frozen; the org's operator decides",
            DecisionCode::EntitlementExpired => {
                "the org's plan has expired; the org's operator decides"
            }
            DecisionCode::DeviceRevoked => "the device is revoked; the org's operator decides",
            DecisionCode::DeviceNotFound => {
                "the org has no such device; the org's operator decides"
            }
            DecisionCode::OrgNotFound | DecisionCode::InvalidOrgKey => {
                "the org key is not valid; the org's operator knows it"
            }
            DecisionCode::InvalidDeviceId => "the device id is not valid",
            DecisionCode::Unknown(code) if code == "device_limit_reached" => {
                "the org's plan is full; the org's operator decides"
            }
            _ => "the service said no; the org's operator decides",
        }
    }
}

/// A missing or wrong key has its own code. Any other error is no decision.
fn error_code(error: &Error) -> DecisionCode {
    if error.kind() == ErrorKind::MissingCredential {
        return DecisionCode::InvalidOrgKey;
    }
    match error.code().map(DecisionCode::from) {
        None | Some(DecisionCode::Unknown(_)) => DecisionCode::SystemUnavailable,
        Some(known) => known,
    }
}

fn registration_code(registration: &Registration) -> DecisionCode {
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
        if let Some(device) = &self.0.device {
            write!(f, "{device} ")?;
        }
        write!(f, "denied, {}", printable(self.0.code.as_str()))?;
        match &self.0.reason {
            Reason::NoDecision(error) if f.alternate() => write!(f, ": {error:#}"),
            Reason::NoDecision(error) => write!(f, ": {error}"),
            #[cfg(feature = "decision-log")]
            Reason::NotLogged { error, .. } => write!(
                f,
                ": the service allowed, but a decision that is not logged does not count: {error}"
            ),
            _ => write!(f, ": {}", self.advice()),
        }
    }
}

/// The source is that of the error which the denial is based on: its own message is part of that of
/// the denial.
impl StdError for Denied {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.reason {
            Reason::NoDecision(error) => error.source(),
            #[cfg(feature = "decision-log")]
            Reason::NotLogged { error, .. } => error.source(),
            _ => None,
        }
    }
}
