//! The same client and gate for programs without a runtime.
//!
//! ```
//! use machineid_client::DeviceId;
//! use machineid_client::blocking::Gate;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = machins_mock::blocking::MockServer::start();
//! # let org = server.create_org(machins_mock::Plan::Free);
//! # let client = machineid_client::Client::builder()
//! #     .org_key(machineid_client::OrgKey::new(org.key())?)
//! #     .base_url(server.machineid_base_url())
//! #     .build_blocking()?;
//! // With a client from `Client::from_env()`:
//! let gate = Gate::new(&client, DeviceId::new("agent-01")?).register_on_start();
//! let permit = gate.check()?;
//! println!("allowed, request {:?}", permit.request_id());
//! # Ok(()) }
//! ```

use std::thread;
use std::time::Duration;

pub use agent_client_core::Blocking;
use agent_client_core::Error;
use tokio_util::sync::CancellationToken;

use crate::client::{Api, ClientBuilder};
use crate::device_id::DeviceId;
use crate::gate::{Denied, Permit};
use crate::registration::Registration;

/// The blocking client: the methods of [`Api`], each returning when the call has ended.
pub type Client = Api<Blocking>;

impl Client {
    /// A client from the environment: `MACHINEID_ORG_KEY`, and `MACHINEID_BASE_URL` if it is set.
    /// For anything else, see [`ClientBuilder::build_blocking`].
    ///
    /// # Errors
    /// As [`ClientBuilder::from_env`] and [`ClientBuilder::build_blocking`].
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build_blocking()
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

/// The blocking twin of [`Gate`](crate::Gate): the same questions, rules and denials.
#[derive(Debug, Clone)]
pub struct Gate {
    gate: crate::Gate,
    transport: Blocking,
}

impl Gate {
    /// A gate for this device.
    #[must_use]
    pub fn new(client: &Client, device: DeviceId) -> Self {
        let transport = client.transport().clone();
        let gate = crate::Gate::new(&Api::over(transport.asynchronous().clone()), device);
        Self { gate, transport }
    }

    /// As [`Gate::outage_grace`](crate::Gate::outage_grace).
    #[must_use]
    pub fn outage_grace(self, grace: Duration) -> Self {
        Self { gate: self.gate.outage_grace(grace), ..self }
    }

    /// As [`Gate::register_on_start`](crate::Gate::register_on_start).
    #[must_use]
    pub fn register_on_start(self) -> Self {
        Self { gate: self.gate.register_on_start(), ..self }
    }

    /// The device that this gate asks about.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        self.gate.device()
    }

    /// Asks whether the device may run, now.
    ///
    /// # Errors
    /// [`Denied`] for every answer but an unmistakable yes, and when there is none.
    pub fn check(&self) -> Result<Permit, Denied> {
        self.transport.wait(self.gate.check())
    }

    /// Registers the device. Safe at every start.
    ///
    /// # Errors
    /// [`Denied`] when the device is not registered in the end.
    pub fn register(&self) -> Result<Registration, Denied> {
        self.transport.wait(self.gate.register())
    }

    /// Checks once, and only then runs `work`.
    ///
    /// # Errors
    /// [`Denied`], and `work` has not begun.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> Result<R, Denied> {
        let _permit = self.check()?;
        Ok(work())
    }

    /// Checks first, then runs `work` on this thread while another checks again every `every`.
    /// On the first denial the token is cancelled. A closure can't be dropped halfway, so `work`
    /// must look at the token and return soon after.
    ///
    /// ```
    /// # fn take_job() -> Option<()> { None }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = machins_mock::blocking::MockServer::start();
    /// # let org = server.create_org(machins_mock::Plan::Free);
    /// # let client = machineid_client::Client::builder()
    /// #     .org_key(machineid_client::OrgKey::new(org.key())?)
    /// #     .base_url(server.machineid_base_url())
    /// #     .build_blocking()?;
    /// # let device = machineid_client::DeviceId::new("agent-01")?;
    /// # let gate = machineid_client::blocking::Gate::new(&client, device).register_on_start();
    /// gate.supervise(std::time::Duration::from_secs(30), |stop| {
    ///     while !stop.is_cancelled() {
    ///         let Some(job) = take_job() else { break };
    ///     }
    /// })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Denied`]: `work` has not begun, or was told to stop; what it returned is dropped.
    pub fn supervise<R>(
        &self,
        every: Duration,
        work: impl FnOnce(&CancellationToken) -> R,
    ) -> Result<R, Denied> {
        let _permit = self.check()?;
        let stop = CancellationToken::new();
        let done = CancellationToken::new();
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                self.transport.wait(async {
                    tokio::select! {
                        biased;
                        () = done.cancelled() => None,
                        denied = self.gate.watch(every) => {
                            stop.cancel();
                            Some(denied)
                        }
                    }
                })
            });
            let finished = done.clone().drop_guard();
            let output = work(&stop);
            drop(finished);
            match watcher.join() {
                Ok(None) => Ok(output),
                Ok(Some(denied)) => Err(denied),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}
