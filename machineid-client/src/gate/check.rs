//! The gate itself, which asks whether its device may run.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_client_core::Clock;
use agent_client_core::retry::{Idempotency, Outcome, Policy, RetryState, Step};

use super::coalescer::{CheckResult, Coalescer};
use super::denied::{Denied, Reason};
use super::permit::Permit;
use crate::client::Client;
use crate::decision::{Decision, validate};
use crate::device_id::DeviceId;
use crate::registration::Registration;

/// The longest wait between two requests during an outage.
const LONGEST_OUTAGE_DELAY: Duration = Duration::from_secs(5);

/// Guards work by asking MachineID whether a device may run.
///
/// It fails closed: anything but a clear *allow*, including no answer at all, is [`Denied`].
///
/// A check sends one request. An outage (`SYSTEM_UNAVAILABLE`, no answer, an unreadable answer)
/// denies at once, unless [`outage_grace`](Self::outage_grace) permits retries.
///
/// A clone is one pointer. Concurrent checks share requests, but every decision comes from a
/// request that **began after the check**, never from one that was already in flight. So a check
/// always sees a revocation that took effect before it.
///
/// ```
/// use machineid_client::{DeviceId, Gate};
///
/// # test_support::machineid(async |client| {
/// let gate = Gate::new(&client, DeviceId::new("agent-01")?);
/// match gate.check().await {
///     Ok(permit) => println!("allowed, request {:?}", permit.request_id()),
///     Err(denied) => println!("{denied}"),
/// }
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    client: Client,
    device: DeviceId,
    outage_grace: Duration,
    must_register: AtomicBool,
    coalescer: Coalescer,
}

impl Gate {
    /// Creates a gate for this device. Nothing is sent until a check.
    #[must_use]
    pub fn new(client: &Client, device: DeviceId) -> Self {
        Self::with(client.clone(), device, Duration::ZERO, false)
    }

    /// Sets for how long a check retries during an outage, with growing waits, before it denies.
    /// The default is zero. Other denials are never delayed.
    ///
    /// The client's own time limits, which end a request that hangs, are added to the grace.
    #[must_use]
    pub fn outage_grace(self, grace: Duration) -> Self {
        let must_register = self.0.must_register.load(Ordering::Relaxed);
        Self::with(self.0.client.clone(), self.0.device.clone(), grace, must_register)
    }

    /// Makes the gate register its device before the first check. A device that cannot be
    /// registered is denied.
    #[must_use]
    pub fn register_on_start(self) -> Self {
        Self::with(self.0.client.clone(), self.0.device.clone(), self.0.outage_grace, true)
    }

    fn with(client: Client, device: DeviceId, outage_grace: Duration, must_register: bool) -> Self {
        Self(Arc::new(Inner {
            client,
            device,
            outage_grace,
            must_register: AtomicBool::new(must_register),
            coalescer: Coalescer::default(),
        }))
    }

    /// Returns the device that this gate asks about.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.0.device
    }

    /// Asks MachineID whether the device may run now.
    ///
    /// # Errors
    /// Returns [`Denied`] unless the answer is a clear *allow*.
    pub async fn check(&self) -> Result<Permit, Denied> {
        let gate = self.clone();
        let request = move || {
            let gate = gate.clone();
            async move { gate.decide().await }
        };
        let decision = self.0.coalescer.join(request).await?;
        Ok(Permit::new(self.0.device.clone(), decision))
    }

    /// Registers the device. It is safe to do so at every start: a registered device stays as it
    /// is.
    ///
    /// # Errors
    /// Returns [`Denied`] if the device is not registered afterwards: the plan is full, the device
    /// is revoked, or there was no answer.
    pub async fn register(&self) -> Result<Registration, Denied> {
        let registration = match self.0.client.register(&self.0.device).await {
            Ok(registration) => registration,
            Err(error) => return Err(Denied::new(Reason::NoDecision(error))),
        };
        if !registration.is_registered() {
            return Err(Denied::new(Reason::NotRegistered(registration)));
        }
        self.0.must_register.store(false, Ordering::Relaxed);
        Ok(registration)
    }

    /// Checks once, and runs `work` only if the device is allowed to run.
    ///
    /// ```
    /// # test_support::gate(async |gate| {
    /// let answer = gate.run(async { 6 * 7 }).await?;
    /// assert_eq!(answer, 42);
    /// # Ok(()) });
    /// ```
    ///
    /// # Errors
    /// Returns [`Denied`] if the device may not run; `work` has not started.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, Denied> {
        let _permit = self.check().await?;
        Ok(work.await)
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.0.client.transport().clock()
    }

    /// Requests a decision, again during an outage until the grace has passed.
    pub(super) async fn decide(&self) -> CheckResult {
        let clock = self.clock();
        let start = clock.now();
        let policy = outage_policy(self.0.outage_grace);
        let mut state = RetryState::new(policy, Idempotency::Idempotent);
        loop {
            let denied = match self.decide_once().await {
                Ok(decision) => return Ok(Arc::new(decision)),
                Err(denied) => denied,
            };
            if !denied.is_outage() {
                return Err(denied);
            }
            let elapsed = clock.now().saturating_duration_since(start);
            let outage = Outcome::Transient(denied.retry_after());
            match state.next_step(outage, elapsed, clock.random(), || true) {
                Step::Send(wait) => {
                    tracing::debug!(?wait, %denied, "asking again during an outage");
                    clock.sleep(wait).await;
                }
                _ => return Err(denied),
            }
        }
    }

    async fn decide_once(&self) -> Result<Decision, Denied> {
        if self.0.must_register.load(Ordering::Relaxed) {
            let _registration = self.register().await?;
        }
        match self.0.client.send(validate(&self.0.device).single_attempt()).await {
            Ok(decision) if decision.is_allowed() => Ok(decision),
            Ok(decision) => Err(Denied::new(Reason::Refused(decision))),
            Err(error) => Err(Denied::new(Reason::NoDecision(error))),
        }
    }
}

/// The grace alone limits how often a check retries.
fn outage_policy(grace: Duration) -> Policy {
    Policy {
        max_attempts: u32::MAX,
        longest_delay: LONGEST_OUTAGE_DELAY,
        timeout: grace,
        ..Policy::default()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("device", &self.0.device)
            .field("outage_grace", &self.0.outage_grace)
            .finish_non_exhaustive()
    }
}
