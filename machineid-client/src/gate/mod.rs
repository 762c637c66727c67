//! The gate: work passes only with a fresh permit.

mod denied;
mod flight;
#[cfg(feature = "tower")]
mod layer;
mod supervise;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_client_core::retry::{Idempotency, Outcome, Policy, RetryState, Step};

pub use self::denied::{Denied, Reason};
use self::flight::Flights;
#[cfg(feature = "tower")]
pub use self::layer::{GateLayer, GateService};
use crate::client::Client;
use crate::decision::{Decision, validate};
use crate::device_id::DeviceId;
use crate::registration::Registration;

/// The longest wait between two questions during an outage.
const LONGEST_OUTAGE_DELAY: Duration = Duration::from_secs(5);

/// Guards work by asking MachineID whether a device may run, and fails closed: whatever is not
/// an unmistakable yes is [`Denied`].
///
/// Each question is asked once. An outage (`SYSTEM_UNAVAILABLE`, no answer, an answer that can't
/// be read) denies at once, unless [`outage_grace`](Self::outage_grace) allows for it.
///
/// A clone is one pointer. Concurrent checks share requests, but only so that every caller's
/// decision comes from a request that **began after the caller asked**: never from one that was
/// under way already. So a revoke that is in effect before you ask is always seen.
///
/// ```
/// use machineid_client::{Client, DeviceId, Gate};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let org = server.create_org(machins_mock::Plan::Free);
/// # let client = Client::builder()
/// #     .org_key(machineid_client::OrgKey::new(org.key())?)
/// #     .base_url(server.machineid_base_url())
/// #     .build()?;
/// let gate = Gate::new(&client, DeviceId::new("agent-01")?);
/// match gate.check().await {
///     Ok(permit) => println!("go: {:?}", permit.request_id()),
///     Err(denied) => println!("stop: {denied}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    client: Client,
    device: DeviceId,
    outage_grace: Duration,
    must_register: AtomicBool,
    flights: Flights,
}

impl Gate {
    /// A gate for this device.
    #[must_use]
    pub fn new(client: &Client, device: DeviceId) -> Self {
        Self::with(client.clone(), device, Duration::ZERO, false)
    }

    /// How long an outage is asked about again, with growing waits, before it counts as a
    /// denial. Zero by default. No other denial is ever delayed. A question that hangs ends by
    /// the client's own time limits, which come on top.
    #[must_use]
    pub fn outage_grace(self, grace: Duration) -> Self {
        let must_register = self.0.must_register.load(Ordering::Relaxed);
        Self::with(self.0.client.clone(), self.0.device.clone(), grace, must_register)
    }

    /// Registers the device before its first check. A device that can't be registered is denied.
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
            flights: Flights::default(),
        }))
    }

    /// The device that this gate asks about.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.0.device
    }

    /// Asks whether the device may run, now.
    ///
    /// # Errors
    /// [`Denied`] for every answer but an unmistakable yes, and when there is none.
    pub async fn check(&self) -> Result<Permit, Denied> {
        let inner = Arc::clone(&self.0);
        let ask = move || {
            let inner = Arc::clone(&inner);
            async move { inner.ask().await }
        };
        let decision = self.0.flights.board(ask).await?;
        Ok(Permit { device: self.0.device.clone(), decision })
    }

    /// Registers the device. Safe at every start.
    ///
    /// # Errors
    /// [`Denied`] when the device is not registered in the end: plan full, revoked, no answer.
    pub async fn register(&self) -> Result<Registration, Denied> {
        self.0.register().await
    }

    /// Checks once, and only then runs `work`.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = machins_mock::MockServer::start().await;
    /// # let org = server.create_org(machins_mock::Plan::Free);
    /// # let client = machineid_client::Client::builder()
    /// #     .org_key(machineid_client::OrgKey::new(org.key())?)
    /// #     .base_url(server.machineid_base_url())
    /// #     .build()?;
    /// # let device = machineid_client::DeviceId::new("agent-01")?;
    /// # let gate = machineid_client::Gate::new(&client, device).register_on_start();
    /// let answer = gate.run(async { 6 * 7 }).await?;
    /// assert_eq!(answer, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Denied`], and `work` has not begun.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, Denied> {
        let _permit = self.check().await?;
        Ok(work.await)
    }
}

impl Inner {
    /// Asks until there is a decision, or an outage has outlasted the grace.
    async fn ask(&self) -> Result<Arc<Decision>, Denied> {
        let clock = self.client.transport().clock();
        let start = clock.now();
        let mut course = RetryState::new(outage_policy(self.outage_grace), Idempotency::Idempotent);
        loop {
            let denied = match self.ask_once().await {
                Ok(decision) => return Ok(Arc::new(decision)),
                Err(denied) => denied,
            };
            if !denied.is_outage() {
                return Err(denied);
            }
            let elapsed = clock.now().saturating_duration_since(start);
            let outage = Outcome::Transient(denied.retry_after());
            match course.next_step(outage, elapsed, clock.random(), || true) {
                Step::Send(wait) => {
                    tracing::debug!(?wait, %denied, "asking again during an outage");
                    clock.sleep(wait).await;
                }
                _ => return Err(denied),
            }
        }
    }

    async fn register(&self) -> Result<Registration, Denied> {
        let registration = match self.client.register(&self.device).await {
            Ok(registration) => registration,
            Err(error) => return Err(Denied::new(Reason::NoDecision(error))),
        };
        if !registration.is_registered() {
            return Err(Denied::new(Reason::NotRegistered(registration)));
        }
        self.must_register.store(false, Ordering::Relaxed);
        Ok(registration)
    }

    async fn ask_once(&self) -> Result<Decision, Denied> {
        if self.must_register.load(Ordering::Relaxed) {
            let _registration = self.register().await?;
        }
        match self.client.send(validate(&self.device).single_attempt()).await {
            Ok(decision) if decision.is_allowed() => Ok(decision),
            Ok(decision) => Err(Denied::new(Reason::Refused(decision))),
            Err(error) => Err(Denied::new(Reason::NoDecision(error))),
        }
    }
}

/// No limit but the grace: the number of questions is bounded by it.
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

/// Proof that MachineID has just said yes. Only [`Gate::check`] makes one, and it can't be copied.
/// Take it as a parameter where work must be allowed, and do not keep it: it speaks of a moment.
///
/// ```compile_fail
/// let permit = machineid_client::Permit {}; // can't be made elsewhere
/// ```
///
/// ```compile_fail
/// fn twice(permit: machineid_client::Permit) -> machineid_client::Permit { permit.clone() }
/// ```
#[derive(Debug)]
#[must_use = "a permit is for work that begins now"]
pub struct Permit {
    device: DeviceId,
    decision: Arc<Decision>,
}

impl Permit {
    /// The device that may run.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// The decision behind the permit.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The service's id of the decision, to correlate logs.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.decision.request_id()
    }
}
