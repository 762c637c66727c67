//! A server in the hands of its test.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeBounds;
use std::path::PathBuf;
use std::sync::Arc;

use http::Method;

use crate::delivery::WebhookAttempt;
use crate::expectation::{Expectation, UnmetExpectations, unmet};
use crate::fault::{ActiveFault, Fault, FaultError};
use crate::handle::{ClockHandle, FaultGuard, Org};
use crate::journal::RequestRecord;
use crate::machineid::Plan;
use crate::machins::{Agent, Ledger, MachinsError, NewAgent, Outcome};
use crate::state::App;
use crate::state_file;
use crate::tasks::Tasks;
use crate::world::Snapshot;

/// A mock server with a port and a world of its own; dropped, it stops.
///
/// Every method but [`shutdown`](Self::shutdown) returns at once and can be called from async and
/// from blocking code alike. The server's own tasks run in the background of the process, so a
/// server outlives the runtime it was started in, and dropping one never blocks.
///
/// ```
/// # async fn example() {
/// use machins_mock::{MockServer, Plan};
///
/// let server = MockServer::start().await;
/// let org = server.create_org(Plan::Free);
/// let url = format!("{}/api/v1/usage", server.machineid_base_url());
/// let reply = reqwest::Client::new().get(url).header("x-org-key", org.key()).send().await;
/// assert!(reply.unwrap().status().is_success());
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example());
/// ```
#[derive(Debug)]
pub struct MockServer {
    app: App,
    tasks: Tasks,
    state_file: Option<PathBuf>,
}

impl MockServer {
    pub(crate) fn new(app: App, tasks: Tasks, state_file: Option<PathBuf>) -> Self {
        Self { app, tasks, state_file }
    }

    /// The address that the server listens at.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.app.addr
    }

    /// Whether only this machine reaches the server. If not, everybody who does can control it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.addr().ip().is_loopback()
    }

    /// `http://HOST:PORT`, as this machine reaches the server.
    #[must_use]
    pub fn url(&self) -> String {
        let mut addr = self.addr();
        match addr.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{addr}")
    }

    /// The base URL for MachineID clients: the [`url`](Self::url).
    #[must_use]
    pub fn machineid_base_url(&self) -> String {
        self.url()
    }

    /// The base URL for machins clients: the [`url`](Self::url) and `/api/v1`.
    #[must_use]
    pub fn machins_base_url(&self) -> String {
        format!("{}/api/v1", self.url())
    }

    /// Adds a MachineID organisation with every switch at "go".
    #[must_use]
    pub fn create_org(&self, plan: Plan) -> Org {
        Org::create(&self.app, plan)
    }

    /// The organisation of a key, if there is one: for those that came to be over HTTP.
    #[must_use]
    pub fn org(&self, key: &str) -> Option<Org> {
        Org::find(&self.app, key)
    }

    /// Adds an agent to the marketplace.
    ///
    /// ```
    /// use machins_mock::{NewAgent, Tier, blocking::MockServer};
    ///
    /// let server = MockServer::start();
    /// let agent = server.create_agent(NewAgent::new().credits(1000).tier(Tier::Verified))?;
    /// let wallet = reqwest::blocking::Client::new()
    ///     .get(format!("{}/wallets/me", server.machins_base_url()))
    ///     .header("X-API-Key", &agent.api_key)
    ///     .send();
    /// assert!(wallet.unwrap().status().is_success());
    /// # Ok::<_, machins_mock::MachinsError>(())
    /// ```
    ///
    /// # Errors
    /// The name or slug can't be, or another agent has the slug.
    pub fn create_agent(&self, agent: NewAgent) -> Result<Agent, MachinsError> {
        Ok(self.app.machins(|machins, cx| machins.create_agent(cx, agent.into()))?)
    }

    /// Ends a dispute now, in this way.
    ///
    /// # Errors
    /// There is no such trade, or it is not in dispute.
    pub fn resolve_dispute(&self, trade_id: &str, outcome: Outcome) -> Result<(), MachinsError> {
        self.app.machins(|machins, cx| machins.resolve(cx, trade_id, outcome))?;
        Ok(())
    }

    /// The books of the marketplace.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.app.machins(|machins, _| machins.ledger())
    }

    /// The webhooks so far, oldest first: at most [`MAX_WEBHOOKS`](crate::MAX_WEBHOOKS).
    #[must_use]
    pub fn webhooks(&self) -> Vec<WebhookAttempt> {
        self.app.deliveries.attempts()
    }

    /// Waits until every webhook so far has been posted, or has failed.
    pub async fn webhooks_sent(&self) {
        self.app.deliveries.finished().await;
    }

    /// The server's virtual time.
    #[must_use]
    pub fn clock(&self) -> ClockHandle<'_> {
        ClockHandle { app: &self.app }
    }

    /// Makes things go wrong until the fault is over or [`clear_faults`](Self::clear_faults).
    ///
    /// # Errors
    /// The fault can't be: see [`FaultError`].
    pub fn add_fault(&self, fault: Fault) -> Result<(), FaultError> {
        self.app.controls().faults.add(fault).map(|_| ())
    }

    /// Makes things go wrong until the guard is dropped.
    ///
    /// ```
    /// use machins_mock::{Fault, blocking::MockServer};
    ///
    /// let server = MockServer::start();
    /// {
    ///     let _outage = server.fault_scoped(Fault::status(503).path("/api/v1/devices/*"))?;
    ///     // Every call about devices fails here …
    /// }
    /// // … and succeeds here.
    /// # Ok::<_, machins_mock::FaultError>(())
    /// ```
    ///
    /// # Errors
    /// The fault can't be: see [`FaultError`].
    pub fn fault_scoped(&self, fault: Fault) -> Result<FaultGuard, FaultError> {
        let id = self.app.controls().faults.add(fault)?.id;
        Ok(FaultGuard { app: Arc::clone(&self.app), id })
    }

    /// The faults so far, in the order in which they were added, those that are over included.
    #[must_use]
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.app.controls().faults.all().to_vec()
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.app.controls().faults.clear();
    }

    /// The requests so far, oldest first: at most [`MAX_REQUESTS`](crate::MAX_REQUESTS), without
    /// those of the mock's own routes (`/_mock/…`, `/openapi.json`, `/docs`).
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.app.controls().journal.records().cloned().collect()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.app.controls().journal.clear();
    }

    /// Empty world, real time, no faults, no requests, no webhooks; the seed starts over. Expectations stay.
    pub fn reset(&self) {
        self.app.reset();
    }

    /// The world as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.app.world().clone())
    }

    /// Makes the world what it was.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.app.replace(snapshot.0.clone());
    }

    /// Writes the world to the builder's state file, whole or not at all; does nothing if there is
    /// none. The file is its owner's alone, for it holds keys.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_state(&self) -> io::Result<()> {
        self.state_file.as_deref().map_or(Ok(()), |path| state_file::save(path, &self.snapshot()))
    }

    /// Counts on this many requests with this method and a path that matches the glob (`*` within
    /// a segment, `**` across segments), from now on until [`verify`](Self::verify) and the
    /// server's drop.
    ///
    /// Dropping the server panics if an expectation is not met, with a message that lists what
    /// was expected and what came, unless the thread is panicking already. A glob that is none is
    /// never met.
    ///
    /// ```
    /// use machins_mock::{Method, blocking::MockServer};
    ///
    /// let server = MockServer::start();
    /// server.expect(Method::POST, "/api/v1/devices/validate", 1..=2);
    /// assert!(server.verify().is_err(), "nothing came yet");
    /// # reqwest::blocking::Client::new()
    /// #     .post(format!("{}/api/v1/devices/validate", server.url())).send().unwrap();
    /// ```
    pub fn expect(&self, method: Method, path: &str, times: impl RangeBounds<u64>) {
        self.app.controls().expectations.push(Expectation::new(method, path, &times));
    }

    /// Checks the expectations so far, and keeps them.
    ///
    /// # Errors
    /// Expectations are not met.
    pub fn verify(&self) -> Result<(), UnmetExpectations> {
        let controls = self.app.controls();
        unmet(&controls.expectations, controls.journal.records()).map_or(Ok(()), Err)
    }

    /// Stops the server and waits until its port is closed and its connections are gone; the
    /// world can still be looked at and saved.
    ///
    /// Dropping the server stops it as well, without waiting.
    pub async fn shutdown(&self) {
        self.tasks.stop();
        self.tasks.stopped().await;
    }
}

/// Stops the server, without waiting, and checks the expectations.
///
/// # Panics
/// If an expectation is not met, see [`expect`](MockServer::expect).
impl Drop for MockServer {
    #[expect(clippy::panic, reason = "documented: how a test learns of unmet expectations")]
    fn drop(&mut self) {
        self.tasks.stop();
        if std::thread::panicking() {
            return;
        }
        if let Err(unmet) = self.verify() {
            panic!("{unmet}");
        }
    }
}
