//! The gate itself, which asks whether its device may run.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_client_core::{Clock, printable};

use super::coalescer::Coalescer;
use super::denied::{Denied, Reason};
use super::permit::Permit;
use super::question::{Answer, Backoff, CheckResult, Question, outlast};
use crate::client::Client;
use crate::decision::validate;
#[cfg(feature = "decision-log")]
use crate::decision_log::{DecisionLog, Record};
use crate::device_id::DeviceId;
use crate::registration::Registration;

/// Guards work by asking MachineID whether a device may run.
///
/// It fails closed: anything but a clear *allow*, including no answer at all, is [`Denied`].
///
/// A check sends one request; the first one with [`register_on_start`](Self::register_on_start) also registers
/// the device, which is retried as the client's options say. An outage (`SYSTEM_UNAVAILABLE`, no answer, an
/// unreadable answer) denies at once, unless [`outage_grace`](Self::outage_grace) permits retries.
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
    settings: Settings,
    must_register: AtomicBool,
    coalescer: Coalescer,
    backoff: Backoff,
}

#[derive(Clone)]
struct Settings {
    client: Client,
    device: DeviceId,
    outage_grace: Duration,
    register_on_start: bool,
    observer: Option<Arc<Observer>>,
    outage_observer: Option<Arc<OutageObserver>>,
    #[cfg(feature = "decision-log")]
    log: Option<DecisionLog>,
}

/// The call of a tool that a check is about.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(feature = "decision-log"),
    expect(dead_code, reason = "only a decision log names them")
)]
struct ToolCall<'a> {
    tool: &'a str,
    arguments: Option<&'a str>,
}

/// What follows from a check, in the words of the decision log.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(feature = "decision-log"),
    expect(dead_code, reason = "only a decision log has them")
)]
pub(super) struct Consequences {
    pub(super) if_allowed: &'static str,
    pub(super) if_denied: &'static str,
}

const CHECK: Consequences = Consequences { if_allowed: "permitted", if_denied: "denied" };
/// Of a check before work starts.
pub(super) const START: Consequences =
    Consequences { if_allowed: "started", if_denied: "not_started" };

/// Is given the result of each check.
type Observer = dyn Fn(Result<&Permit, &Denied>) + Send + Sync;
/// Is given the first sign of an outage that a check finds.
type OutageObserver = dyn Fn(&Denied) + Send + Sync;

impl Gate {
    /// Creates a gate for this device. Nothing is sent until a check.
    #[must_use]
    pub fn new(client: &Client, device: DeviceId) -> Self {
        Self::with(Settings {
            client: client.clone(),
            device,
            outage_grace: Duration::ZERO,
            register_on_start: false,
            observer: None,
            outage_observer: None,
            #[cfg(feature = "decision-log")]
            log: None,
        })
    }

    /// Sets for how long a check asks again during an outage, with growing waits, before it denies.
    /// The default is zero. Other denials are never delayed.
    ///
    /// The grace begins when the check asks. When it ends, a question that is not answered yet is
    /// given up, and a last one is asked, even if the service has asked for a longer wait. So a check of a
    /// registered device takes at most the grace and the client's time limit for one attempt.
    #[must_use]
    pub fn outage_grace(self, grace: Duration) -> Self {
        self.change(|settings| settings.outage_grace = grace)
    }

    /// Makes the gate register its device before the first check. A device that cannot be
    /// registered is denied.
    #[must_use]
    pub fn register_on_start(self) -> Self {
        self.change(|settings| settings.register_on_start = true)
    }

    /// Sets a function that is given the result of each check, those of supervised work included, for
    /// example to record it. It should return soon: the check waits for it. Without one, and also with
    /// one, each result is logged by `tracing` at level `INFO`.
    ///
    /// ```
    /// # test_support::gate(async |gate| {
    /// let gate = gate.observer(|result| match result {
    ///     Ok(permit) => println!("{} allowed, request {:?}", permit.device(), permit.request_id()),
    ///     Err(denied) => println!("{denied}, request {:?}", denied.request_id()),
    /// });
    /// let _permit = gate.check().await?;
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn observer(
        self,
        observer: impl Fn(Result<&Permit, &Denied>) + Send + Sync + 'static,
    ) -> Self {
        self.change(|settings| settings.observer = Some(Arc::new(observer)))
    }

    /// Sets a function that is called when a check finds an outage and, as it has an
    /// [`outage_grace`](Self::outage_grace), asks again instead of denying: once a check, with the
    /// denial that would follow without the grace. How the check ends is given to the
    /// [`observer`](Self::observer).
    ///
    /// ```
    /// # test_support::gate(async |gate| {
    /// let gate = gate.outage_observer(|denied| println!("{denied}, asking again"));
    /// let _permit = gate.check().await?;
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn outage_observer(self, observer: impl Fn(&Denied) + Send + Sync + 'static) -> Self {
        self.change(|settings| settings.outage_observer = Some(Arc::new(observer)))
    }

    /// Sets a decision log to which the result of each check is written, with what followed. An allow
    /// waits until it is written, a denial does not. The observer is told afterwards.
    #[cfg(feature = "decision-log")]
    #[must_use]
    pub fn decision_log(self, log: DecisionLog) -> Self {
        self.change(|settings| settings.log = Some(log))
    }

    fn change(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.0.settings.clone();
        change(&mut settings);
        Self::with(settings)
    }

    fn with(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            must_register: AtomicBool::new(settings.register_on_start),
            settings,
            coalescer: Coalescer::default(),
            backoff: Backoff::default(),
        }))
    }

    /// Returns a gate with the same settings for another device.
    #[cfg(feature = "tower")]
    pub(super) fn for_device(&self, device: DeviceId) -> Self {
        self.clone().change(|settings| settings.device = device)
    }

    /// Returns whether no clone of this gate exists.
    #[cfg(feature = "tower")]
    pub(super) fn is_unused(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Returns the device that this gate asks about.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.0.settings.device
    }

    /// Asks MachineID whether the device may run now.
    ///
    /// # Errors
    /// Returns [`Denied`] unless the answer is a clear *allow*.
    pub async fn check(&self) -> Result<Permit, Denied> {
        self.check_before(CHECK).await
    }

    /// Asks MachineID, as [`check`](Self::check) does, whether the device may call a tool now. A
    /// [decision log](Self::decision_log) names the tool and, if they are given, the first 2,000
    /// characters of its arguments.
    ///
    /// ```
    /// # test_support::gate(async |gate| {
    /// let _permit = gate.check_tool("add", Some("[1, 2]")).await?;
    /// # Ok(()) });
    /// ```
    ///
    /// # Errors
    /// Returns [`Denied`] unless the answer is a clear *allow*.
    pub async fn check_tool(&self, tool: &str, arguments: Option<&str>) -> Result<Permit, Denied> {
        self.join(CHECK, Some(ToolCall { tool, arguments })).await
    }

    /// Checks before work starts.
    #[cfg(feature = "blocking")]
    pub(crate) async fn check_to_start(&self) -> Result<Permit, Denied> {
        self.check_before(START).await
    }

    /// Checks, and logs what follows.
    pub(super) async fn check_before(&self, consequences: Consequences) -> Result<Permit, Denied> {
        self.join(consequences, None).await
    }

    /// Asks in a request that may be shared with other checks.
    async fn join(
        &self,
        consequences: Consequences,
        call: Option<ToolCall<'_>>,
    ) -> Result<Permit, Denied> {
        let question: &Arc<dyn Question> = &(Arc::clone(&self.0) as _);
        let ask = |is_last| self.0.coalescer.join(question, is_last);
        self.outlast(consequences, call, ask).await
    }

    /// Registers the device. It is safe to do so at every start: a registered device stays as it
    /// is.
    ///
    /// # Errors
    /// Returns [`Denied`] if the device is not registered afterwards: the plan is full, the device
    /// is revoked, or there was no answer.
    pub async fn register(&self) -> Result<Registration, Denied> {
        self.0.register().await
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
        let _permit = self.check_before(START).await?;
        Ok(work.await)
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.0.clock()
    }

    /// Asks until there is a decision or the outage grace has passed, writes it to the decision log,
    /// and tells the observer.
    async fn outlast<F: Future<Output = Answer>>(
        &self,
        consequences: Consequences,
        call: Option<ToolCall<'_>>,
        ask: impl Fn(bool) -> F,
    ) -> Result<Permit, Denied> {
        let Settings { device, outage_grace, outage_observer, .. } = &self.0.settings;
        let outage_begins = |denied: &Denied| {
            if let Some(observer) = outage_observer {
                observer(denied);
            }
        };
        let result = match self.0.settings.client.transport().check_usable() {
            Ok(()) => outlast(device, *outage_grace, self.clock(), outage_begins, ask).await,
            Err(error) => Err(Denied::new(device, Reason::NoDecision(error))),
        };
        let result = result.map(|decision| Permit::new(device.clone(), decision));
        let result = self.log(result, consequences, call).await;
        self.observe(result.as_ref());
        result
    }

    /// Writes the result of a check to the decision log, if there is one. Without a line that is
    /// required, an allow becomes a denial.
    #[cfg(feature = "decision-log")]
    async fn log(
        &self,
        result: Result<Permit, Denied>,
        consequences: Consequences,
        call: Option<ToolCall<'_>>,
    ) -> Result<Permit, Denied> {
        let Some(log) = &self.0.settings.log else { return result };
        let about_call = |record: Record| match call {
            Some(ToolCall { tool, arguments }) => record.tool_call(tool, arguments),
            None => record,
        };
        let permit = match result {
            Ok(permit) => permit,
            Err(denied) => {
                log.write_denial(&about_call(denial(&denied, consequences)));
                return Err(denied);
            }
        };
        let (code, request_id) = (permit.decision().code(), permit.request_id());
        let record = Record::new(Some(permit.device()), code, request_id, consequences.if_allowed);
        match log.write_allow(&about_call(record)).await {
            Ok(()) => Ok(permit),
            Err(error) => {
                let decision = permit.facts().into_decision();
                Err(Denied::new(permit.device(), Reason::NotLogged { decision, error }))
            }
        }
    }

    #[cfg(not(feature = "decision-log"))]
    #[expect(clippy::unused_async, reason = "as with a decision log")]
    async fn log(
        &self,
        result: Result<Permit, Denied>,
        _: Consequences,
        _: Option<ToolCall<'_>>,
    ) -> Result<Permit, Denied> {
        result
    }

    /// Logs a denial for which nothing was asked, and tells the observer.
    #[cfg(feature = "tower")]
    pub(super) fn refuse(&self, denied: &Denied, consequences: Consequences) {
        #[cfg(feature = "decision-log")]
        if let Some(log) = &self.0.settings.log {
            log.write_denial(&denial(denied, consequences));
        }
        let _ = consequences;
        self.observe(Err(denied));
    }

    /// Logs the result of a check and tells the observer.
    fn observe(&self, result: Result<&Permit, &Denied>) {
        let id = |id: Option<&str>| id.map(printable);
        match result {
            Ok(permit) => tracing::info!(
                device = %permit.device(),
                code = %permit.decision().code(),
                request_id = id(permit.request_id()),
                "allowed"
            ),
            Err(denied) => tracing::info!(
                device = denied.device().map(tracing::field::display),
                code = printable(denied.code().as_str()),
                request_id = id(denied.request_id()),
                reason = format!("{denied:#}"),
                "denied"
            ),
        }
        if let Some(observer) = &self.0.settings.observer {
            observer(result);
        }
    }

    /// Asks in requests that are not shared with other checks. During a pause that the service has
    /// asked for and that is longer than `longest_pause`, there is no decision.
    pub(super) async fn check_alone(
        &self,
        consequences: Consequences,
        backoff: &Backoff,
        longest_pause: Duration,
    ) -> Result<Permit, Denied> {
        let ask = async |is_last: bool| {
            let result = self.0.decide(Some(longest_pause).filter(|_| !is_last)).await;
            backoff.answer(result, self.clock())
        };
        self.outlast(consequences, None, ask).await
    }
}

#[cfg(feature = "decision-log")]
fn denial(denied: &Denied, consequences: Consequences) -> Record {
    Record::new(denied.device(), denied.code(), denied.request_id(), consequences.if_denied)
}

impl Inner {
    fn clock(&self) -> &dyn Clock {
        self.settings.client.transport().clock()
    }

    async fn register(&self) -> Result<Registration, Denied> {
        let device = &self.settings.device;
        let registration = match self.settings.client.register(device).await {
            Ok(registration) => registration,
            Err(error) => return Err(Denied::new(device, Reason::NoDecision(error))),
        };
        if !registration.is_registered() {
            return Err(Denied::new(device, Reason::NotRegistered(registration)));
        }
        self.must_register.store(false, Ordering::Relaxed);
        Ok(registration)
    }

    /// Requests one decision. It waits for a pause that is not longer than `longest_pause`, or for
    /// none if that is `None`.
    async fn decide(&self, longest_pause: Option<Duration>) -> CheckResult {
        // If the thread was blocked, what an idle connection has received meanwhile is not read yet, and
        // would be taken for the reply to the next request. A turn of the event loop closes such a
        // connection.
        tokio::task::yield_now().await;
        if self.must_register.load(Ordering::Relaxed) {
            let _registration = self.register().await?;
        }
        let device = &self.settings.device;
        let call = validate(device).single_attempt();
        let call = match longest_pause {
            Some(longest) => call.longest_pause(longest),
            None => call.ignore_pause(),
        };
        match self.settings.client.send(call).await {
            Ok(decision) if decision.is_allowed() => Ok(Arc::new(decision)),
            Ok(decision) => Err(Denied::new(device, Reason::Refused(decision))),
            Err(error) => Err(Denied::new(device, Reason::NoDecision(error))),
        }
    }
}

impl Question for Inner {
    fn ask(&self, is_last: bool) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(async move {
            let result = self.decide(Some(Duration::MAX).filter(|_| !is_last)).await;
            self.backoff.answer(result, self.clock())
        })
    }

    fn device(&self) -> &DeviceId {
        &self.settings.device
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.clock().sleep(duration)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("device", self.device())
            .field("outage_grace", &self.0.settings.outage_grace)
            .finish_non_exhaustive()
    }
}
