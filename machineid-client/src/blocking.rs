//! The client and the gate for programs without an async runtime.
//!
//! ```
//! use machineid_client::DeviceId;
//! use machineid_client::blocking::Gate;
//!
//! # test_support::machineid_blocking(|client| {
//! // `client` is from `Client::from_env()`.
//! let gate = Gate::new(&client, DeviceId::new("agent-01")?).register_on_start();
//! let permit = gate.check()?;
//! println!("allowed, request {:?}", permit.request_id());
//! # Ok(()) });
//! ```

use std::thread;
use std::time::Duration;

pub use agent_client_core::Blocking;
use agent_client_core::Error;
use tokio_util::sync::CancellationToken;

use crate::client::{Api, ClientBuilder};
#[cfg(feature = "decision-log")]
use crate::decision_log::DecisionLog;
use crate::device_id::DeviceId;
use crate::gate::{Denied, Permit, Reason, Supervision};
use crate::registration::Registration;

/// The blocking client. It has the methods of [`Api`], and each returns when its call is complete.
pub type Client = Api<Blocking>;

impl Client {
    /// Creates a client with the org key in the environment variable `MACHINEID_ORG_KEY` and, if it
    /// is set, the base URL in `MACHINEID_BASE_URL`. Other clients are built with
    /// [`ClientBuilder::build_blocking`].
    ///
    /// # Errors
    /// Returns an error in the same cases as [`ClientBuilder::from_env`] and
    /// [`ClientBuilder::build_blocking`].
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build_blocking()
    }

    /// Creates a client with the org key and the base URL from the environment and, for what is not
    /// set there, from the config file: see [`ClientBuilder::from_config`].
    ///
    /// # Errors
    /// Returns an error in the same cases as [`ClientBuilder::from_config`] and
    /// [`ClientBuilder::build_blocking`].
    pub fn from_config() -> Result<Self, Error> {
        ClientBuilder::from_config()?.build_blocking()
    }

    /// Creates a client as [`from_config`](Self::from_config) does, with this profile of the config
    /// file: see [`ClientBuilder::from_profile`].
    ///
    /// # Errors
    /// Returns an error in the same cases as [`ClientBuilder::from_profile`] and
    /// [`ClientBuilder::build_blocking`].
    pub fn from_profile(name: &str) -> Result<Self, Error> {
        ClientBuilder::from_profile(name)?.build_blocking()
    }
}

impl ClientBuilder {
    /// Builds the blocking client.
    ///
    /// # Errors
    /// Returns an error in the same cases as [`build`](Self::build), and
    /// [`ErrorKind::NotSent`](crate::ErrorKind::NotSent) if the operating system provides no
    /// event queue.
    pub fn build_blocking(self) -> Result<Client, Error> {
        self.build_over(Blocking::new)
    }
}

/// The blocking version of [`Gate`](crate::Gate): guards work by asking MachineID whether a device
/// may run.
#[derive(Debug, Clone)]
pub struct Gate {
    gate: crate::Gate,
    transport: Blocking,
}

impl Gate {
    /// Creates a gate for this device. Nothing is sent until a check.
    #[must_use]
    pub fn new(client: &Client, device: DeviceId) -> Self {
        let transport = client.transport().clone();
        let gate = crate::Gate::new(&Api::over(transport.asynchronous().clone()), device);
        Self { gate, transport }
    }

    /// Sets for how long a check retries during an outage before it denies: see
    /// [`Gate::outage_grace`](crate::Gate::outage_grace). The default is zero.
    #[must_use]
    pub fn outage_grace(self, grace: Duration) -> Self {
        Self { gate: self.gate.outage_grace(grace), ..self }
    }

    /// Makes the gate register its device before the first check. A device that cannot be
    /// registered is denied.
    #[must_use]
    pub fn register_on_start(self) -> Self {
        Self { gate: self.gate.register_on_start(), ..self }
    }

    /// Sets a function that is given the result of each check: see
    /// [`Gate::observer`](crate::Gate::observer).
    #[must_use]
    pub fn observer(
        self,
        observer: impl Fn(Result<&Permit, &Denied>) + Send + Sync + 'static,
    ) -> Self {
        Self { gate: self.gate.observer(observer), ..self }
    }

    /// Sets a function that is called when a check finds an outage and asks again: see
    /// [`Gate::outage_observer`](crate::Gate::outage_observer).
    #[must_use]
    pub fn outage_observer(self, observer: impl Fn(&Denied) + Send + Sync + 'static) -> Self {
        Self { gate: self.gate.outage_observer(observer), ..self }
    }

    /// Sets a decision log to which the result of each check is written: see
    /// [`Gate::decision_log`](crate::Gate::decision_log).
    #[cfg(feature = "decision-log")]
    #[must_use]
    pub fn decision_log(self, log: DecisionLog) -> Self {
        Self { gate: self.gate.decision_log(log), ..self }
    }

    /// Returns the device that this gate asks about.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        self.gate.device()
    }

    /// Asks MachineID whether the device may run now.
    ///
    /// # Errors
    /// Returns [`Denied`] unless the answer is a clear *allow*.
    pub fn check(&self) -> Result<Permit, Denied> {
        self.wait(self.gate.check())
    }

    /// Asks MachineID whether the device may call a tool now: see
    /// [`Gate::check_tool`](crate::Gate::check_tool).
    ///
    /// # Errors
    /// Returns [`Denied`] unless the answer is a clear *allow*.
    pub fn check_tool(&self, tool: &str, arguments: Option<&str>) -> Result<Permit, Denied> {
        self.wait(self.gate.check_tool(tool, arguments))
    }

    /// Registers the device. It is safe to do so at every start: a registered device stays as it
    /// is.
    ///
    /// # Errors
    /// Returns [`Denied`] if the device is not registered afterwards: the plan is full, the device
    /// is revoked, or there was no answer.
    pub fn register(&self) -> Result<Registration, Denied> {
        self.wait(self.gate.register())
    }

    fn wait<R: Send>(
        &self,
        question: impl Future<Output = Result<R, Denied>> + Send,
    ) -> Result<R, Denied> {
        self.transport.try_wait(question).unwrap_or_else(|error| Err(self.no_decision(error)))
    }

    fn no_decision(&self, error: Error) -> Denied {
        Denied::new(self.device(), Reason::NoDecision(error))
    }

    /// Checks once, and runs `work` only if the device is allowed to run.
    ///
    /// # Errors
    /// Returns [`Denied`] if the device may not run; `work` has not started.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> Result<R, Denied> {
        let _permit = self.wait(self.gate.check_to_start())?;
        Ok(work())
    }

    /// Checks first, then runs `work` on this thread while another thread checks again at every
    /// `interval`, but at most every 100 ms. On the first denial, the token is cancelled. Unlike a
    /// future, a closure cannot be stopped from outside: `work` must check the token and return soon
    /// after it is cancelled. If its last permit is older than `interval` when it returns, one more check
    /// decides whether its result counts.
    ///
    /// ```
    /// # fn take_job() -> Option<()> { None }
    /// use std::time::Duration;
    ///
    /// # test_support::gate_blocking(|gate| {
    /// gate.supervise(Duration::from_secs(30), |stop| {
    ///     while !stop.is_cancelled() {
    ///         let Some(job) = take_job() else { break };
    ///     }
    /// })?;
    /// # Ok(()) });
    /// ```
    ///
    /// # Errors
    /// Returns [`Denied`] if a check denies; `work` has not started, or has stopped and its result
    /// is discarded.
    pub fn supervise<R>(
        &self,
        interval: Duration,
        work: impl FnOnce(&CancellationToken) -> R,
    ) -> Result<R, Denied> {
        let supervision = self.wait(Supervision::begin(&self.gate, interval))?;
        let stop = CancellationToken::new();
        let done = CancellationToken::new();
        let output = thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let watched = self.transport.try_wait(async {
                    tokio::select! {
                        biased;
                        () = done.cancelled() => None,
                        denied = supervision.denial() => Some(denied),
                    }
                });
                let denied = watched.unwrap_or_else(|error| Some(self.no_decision(error)));
                if denied.is_some() {
                    stop.cancel();
                }
                denied
            });
            let finished = done.clone().drop_guard();
            let output = work(&stop);
            drop(finished);
            match watcher.join() {
                Ok(None) => Ok(output),
                Ok(Some(denied)) => Err(denied),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        self.wait(supervision.end()).map(|()| output)
    }
}
