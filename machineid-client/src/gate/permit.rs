//! The proof that a device may run.

use std::sync::Arc;

use crate::decision::Decision;
use crate::device_id::DeviceId;

/// The proof that MachineID has just allowed the device to run.
///
/// Only [`Gate::check`](crate::Gate::check) creates one, and it cannot be cloned. Take it as a
/// parameter where work must be allowed. Do not store it: it is valid for work that starts now.
///
/// ```compile_fail
/// let permit = machineid_client::Permit {}; // cannot be created elsewhere
/// ```
///
/// ```compile_fail
/// fn twice(permit: machineid_client::Permit) -> machineid_client::Permit { permit.clone() }
/// ```
#[derive(Debug)]
#[must_use = "a permit is for work that starts now"]
pub struct Permit {
    facts: PermitFacts,
}

/// What a [`Permit`] was based on, to be logged or passed on. Unlike the permit it can be cloned, and
/// it proves nothing.
///
/// `GateLayer::per_request` puts it into the extensions of each request that it passes on.
#[derive(Debug, Clone)]
pub struct PermitFacts {
    device: DeviceId,
    decision: Arc<Decision>,
}

impl Permit {
    pub(super) fn new(device: DeviceId, decision: Arc<Decision>) -> Self {
        Self { facts: PermitFacts { device, decision } }
    }

    /// Returns the device that may run.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        self.facts.device()
    }

    /// Returns the decision that the permit is based on.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        self.facts.decision()
    }

    /// Returns the service's id of the decision, to correlate logs. It is never `None`: without one
    /// there is no permit.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.facts.request_id()
    }

    /// Returns what the permit is based on, to be kept.
    #[must_use]
    pub fn facts(&self) -> PermitFacts {
        self.facts.clone()
    }
}

impl PermitFacts {
    /// Creates facts from a decision, for tests (feature `test-util`). They prove nothing: a
    /// [`Permit`] cannot be created.
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn new(device: &DeviceId, decision: Decision) -> Self {
        Self { device: device.clone(), decision: Arc::new(decision) }
    }

    #[cfg(feature = "decision-log")]
    pub(super) fn into_decision(self) -> Arc<Decision> {
        self.decision
    }

    /// Returns the device that was allowed to run.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// Returns the decision that the permit was based on.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Returns the service's id of the decision, to correlate logs. It is never `None`: without one
    /// there is no permit.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.decision.request_id()
    }
}
