//! A running server.

use std::io;
use std::net::SocketAddr;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::conditions::{Conditions, Matcher, Purpose};
use crate::delivery::WebhookAttempt;
use crate::expectation::{Expectation, UnmetExpectations, unmet};
use crate::fault::{ActiveFault, Fault, FaultError};
use crate::fixtures::FixtureError;
use crate::handle::{ClockHandle, FaultGuard, Org};
use crate::journal::{RequestRecord, Search};
use crate::machineid::{OrgKeyError, Plan};
use crate::machins::{Agent, Ledger, MachinsError, NewAgent, Outcome};
use crate::raw_json::RawJson;
use crate::reading::read_object;
use crate::saving::report;
use crate::state::App;

use crate::state_file::StateFile;
use crate::tasks::Tasks;
use crate::wait::WaitError;
use crate::world::Snapshot;
use crate::worlds::{WorldError, Worlds, path_of_world};

/// A mock server with a port and a world of its own, which stops when it is dropped; or a world on
/// the port of another server, see [`create_world`](Self::create_world).
///
/// Every method that is not `async` returns at once and can be called from async and from blocking
/// code alike. Those that wait are `async`; [`blocking::MockServer`](crate::blocking::MockServer) has
/// them for blocking code. The server's own tasks run in the background of the process, so a server
/// outlives the runtime it was started in, and dropping one waits for nothing but a save of its state
/// file that is under way.
///
/// ```
/// use machins_mock::{Plan, blocking::MockServer};
///
/// let server = MockServer::start(); // in async code: `MockServer::start().await`
/// let org = server.create_org(Plan::Free);
/// let usage = reqwest::blocking::Client::new()
///     .get(format!("{}/api/v1/usage", server.machineid_base_url()))
///     .header("x-org-key", org.key())
///     .send()?;
/// assert!(usage.status().is_success());
/// # Ok::<_, reqwest::Error>(())
/// ```
#[derive(Debug)]
pub struct MockServer {
    app: App,
    worlds: Arc<Worlds>,
    tasks: Tasks,
    state_file: Option<Arc<StateFile>>,
}

impl MockServer {
    pub(crate) fn new(
        worlds: Arc<Worlds>,
        tasks: Tasks,
        state_file: Option<Arc<StateFile>>,
    ) -> Self {
        Self { app: Arc::clone(worlds.own()), worlds, tasks, state_file }
    }

    /// Returns the address that the server listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.app.server.addr
    }

    /// Returns whether only this machine can reach the server. Whoever can reach it can control it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.addr().ip().is_loopback()
    }

    /// Returns the URL of the server, `http://HOST:PORT`, as this machine reaches it; for a world
    /// created by [`create_world`](Self::create_world), it ends with `/_world/NAME`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.app.server.url(), path_of_world(&self.app.name))
    }

    /// Returns the base URL for MachineID clients, which is the [`url`](Self::url).
    #[must_use]
    pub fn machineid_base_url(&self) -> String {
        self.url()
    }

    /// Returns the base URL for machins clients, which is the [`url`](Self::url) followed by
    /// `/api/v1`.
    #[must_use]
    pub fn machins_base_url(&self) -> String {
        format!("{}/api/v1", self.url())
    }

    /// Creates an empty world beside the server's own: everything that a server has, keys, clock,
    /// faults and journal, under a path of its own on the same port. It is removed when the
    /// returned handle is dropped.
    ///
    /// Tests that run at the same time can share one server in this way. A world costs less than
    /// a server: no port, and no task.
    ///
    /// ```
    /// use machins_mock::{Plan, blocking::MockServer};
    ///
    /// let server = MockServer::start();
    /// let world = server.create_world("worker-1")?;
    /// assert_eq!(world.url(), format!("{}/_world/worker-1", server.url()));
    /// let org = world.create_org(Plan::Free);
    /// assert!(server.org(org.key()).is_none());
    /// # Ok::<_, machins_mock::WorldError>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`WorldError`] if the name is invalid, if another world has it, or if there are
    /// [`MAX_WORLDS`](crate::MAX_WORLDS) worlds.
    pub fn create_world(&self, name: impl Into<String>) -> Result<Self, WorldError> {
        let app = self.worlds.create(Some(name.into()), None)?;
        let (worlds, tasks) = (Arc::clone(&self.worlds), self.tasks.clone());
        Ok(Self { app, worlds, tasks, state_file: None })
    }

    /// Creates a MachineID org on this plan, whose registered devices may run.
    #[must_use]
    pub fn create_org(&self, plan: Plan) -> Org {
        Org::create(&self.app, plan)
    }

    /// Creates a MachineID org on this plan with a key of your choice: `org_` and 1 to 128
    /// letters, digits and `. _ -`.
    ///
    /// # Errors
    /// Returns an [`OrgKeyError`] if the key is invalid, or if another org has it.
    pub fn create_org_with_key(
        &self,
        plan: Plan,
        key: impl Into<String>,
    ) -> Result<Org, OrgKeyError> {
        Org::create_with_key(&self.app, plan, key.into())
    }

    /// Adds fixtures, whole or not at all: orgs, agents, listings, trades and
    /// subscriptions, in JSON as for `POST /_mock/fixtures`. Returns what was made of them, in the
    /// same form as its reply.
    ///
    /// ```
    /// use machins_mock::blocking::MockServer;
    ///
    /// let server = MockServer::start();
    /// server.load_fixtures(r#"{"orgs": [{"org_key": "org_test", "devices": ["agent-01"]}]}"#)?;
    /// assert_eq!(server.org("org_test").unwrap().state().unwrap().devices_used, 1);
    /// # Ok::<_, machins_mock::FixtureError>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`FixtureError`] that names the place if the JSON is invalid, or if a part of it is
    /// refused.
    pub fn load_fixtures(&self, json: &str) -> Result<RawJson, FixtureError> {
        let fixtures = read_object(json.as_bytes(), true).map_err(FixtureError::json)?;
        let loaded = self.app.load(fixtures, json.len()).map_err(FixtureError::refused)?;
        Ok(RawJson::new(&loaded))
    }

    /// Returns the org with this key, such as one created over HTTP; `None` if there is
    /// none.
    #[must_use]
    pub fn org(&self, key: &str) -> Option<Org> {
        Org::find(&self.app, key)
    }

    /// Creates an agent on the machins platform.
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
    /// Returns [`MachinsError::Invalid`] if the name, the slug or the API key is invalid, and
    /// [`MachinsError::Duplicate`] if another agent has the slug or the API key.
    pub fn create_agent(&self, agent: NewAgent) -> Result<Agent, MachinsError> {
        let agent = self.app.machins(|machins, cx| machins.create_agent(cx, agent.into()))?;
        self.app.touch();
        Ok(agent)
    }

    /// Resolves the dispute about a trade now, with this outcome.
    ///
    /// # Errors
    /// Returns [`MachinsError::NotFound`] if the trade does not exist, and
    /// [`MachinsError::InvalidTransition`] if it is not in dispute.
    pub fn resolve_dispute(&self, trade_id: &str, outcome: Outcome) -> Result<(), MachinsError> {
        self.app.machins(|machins, cx| machins.resolve(cx, trade_id, outcome))?;
        self.app.touch();
        Ok(())
    }

    /// Returns all accounts of the machins platform and their balances.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.app.machins(|machins, _| machins.ledger())
    }

    /// Returns the webhook attempts so far, oldest first: the latest
    /// [`MAX_WEBHOOKS`](crate::MAX_WEBHOOKS).
    #[must_use]
    pub fn webhooks(&self) -> Vec<WebhookAttempt> {
        self.app.deliveries.attempts()
    }

    /// Forgets the webhook attempts so far.
    pub fn clear_webhooks(&self) {
        self.app.deliveries.clear_log();
    }

    /// Posts what was posted in an attempt once more, and returns the new attempt; `None` if no
    /// attempt with this [number](WebhookAttempt::n) is remembered. The result does not count for
    /// the subscription.
    pub async fn resend_webhook(&self, n: u64) -> Option<WebhookAttempt> {
        self.app.deliveries.resend(n).await
    }

    /// Waits until this many webhooks or verifications that meet the conditions have been posted or
    /// have failed, and returns them; those that came before the call count.
    ///
    /// # Errors
    /// Returns [`WaitError::Timeout`] with what came instead if the time is over before, and
    /// [`WaitError::Conditions`] if the conditions are not valid.
    pub async fn wait_for_webhooks(
        &self,
        conditions: Conditions,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<WebhookAttempt>, WaitError> {
        let matcher = Matcher::new(conditions, Purpose::Webhooks)?;
        let enough = self.app.deliveries.matched(&matcher, 0, count);
        if let Ok(found) = tokio::time::timeout(timeout, enough).await {
            return Ok(found);
        }
        let (found, others) = self.app.deliveries.sort(&matcher, 0);
        Err(WaitError::timeout("webhooks", found.len(), count, &others))
    }

    /// Waits until this many requests that meet the conditions have been answered, and returns
    /// them; those that came before the call count.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use machins_mock::{Conditions, MockServer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), machins_mock::WaitError> {
    /// let server = MockServer::start().await;
    /// # let url = format!("{}/api/v1/public/stats", server.url());
    /// # tokio::spawn(async move { reqwest::get(url).await });
    /// let stats = Conditions::new().method("GET").path("/api/v1/public/*");
    /// let requests = server.wait_for_requests(stats, 1, Duration::from_secs(5)).await?;
    /// assert_eq!(requests[0].status, Some(200));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`WaitError::Timeout`] with what came instead if the time is over before, and
    /// [`WaitError::Conditions`] if the conditions are not valid.
    pub async fn wait_for_requests(
        &self,
        conditions: Conditions,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<RequestRecord>, WaitError> {
        let mut search = Search::new(conditions, 0)?;
        let found = self.app.answered.until(|| search.go_on(&self.app.controls().journal, count));
        if let Ok(requests) = tokio::time::timeout(timeout, found).await {
            return Ok(requests);
        }
        let (matched, others) = search.sort(&self.app.controls().journal);
        Err(WaitError::timeout("requests", matched.len(), count, &others))
    }

    /// Waits until the webhook of every event so far has been posted or has failed.
    pub async fn webhooks_sent(&self) {
        self.app.deliveries.finished().await;
    }

    /// Returns the server's virtual time.
    #[must_use]
    pub fn clock(&self) -> ClockHandle<'_> {
        ClockHandle { app: &self.app }
    }

    /// Adds a fault, which lasts until it ends by itself (see [`Fault::times`]) or is removed by
    /// [`clear_faults`](Self::clear_faults).
    ///
    /// # Errors
    /// Returns a [`FaultError`] if the fault is invalid or if there are too many.
    pub fn add_fault(&self, fault: Fault) -> Result<(), FaultError> {
        self.app.add_fault(fault).map(|_| ())
    }

    /// Adds a fault, which is removed when the returned guard is dropped.
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
    /// Returns a [`FaultError`] if the fault is invalid or if there are too many.
    pub fn fault_scoped(&self, fault: Fault) -> Result<FaultGuard, FaultError> {
        let id = self.app.add_fault(fault)?.id;
        Ok(FaultGuard { app: Arc::clone(&self.app), id })
    }

    /// Returns the faults in the order in which they were added, including those that have ended.
    #[must_use]
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.app.faults()
    }

    /// Removes all faults from the server.
    pub fn clear_faults(&self) {
        self.app.clear_faults();
    }

    /// Returns the requests so far, oldest first: the latest [`MAX_REQUESTS`](crate::MAX_REQUESTS),
    /// without those to the mock's own routes (`/_mock/…`, `/openapi.json`, `/docs`).
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.app.controls().journal.records().collect()
    }

    /// Forgets the requests that were received so far.
    pub fn clear_requests(&self) {
        self.app.controls().journal.clear();
    }

    /// Resets the server to its state after the start: an empty world, the time of the start (the
    /// real time, unless the builder set another), no faults, and no records of requests and
    /// webhooks. A seed that the builder was given starts over; otherwise no old key is given out
    /// again. Expectations and other worlds stay, and no request id is repeated.
    pub fn reset(&self) {
        self.app.reset();
    }

    /// Returns a copy of the current world.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.app.world().clone())
    }

    /// Replaces the world with a copy that was taken before from this server or another one.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.app.replace(snapshot.0.clone());
    }

    /// Writes all worlds to the [state file](crate::MockServerBuilder::state_file) that the builder
    /// was given; does nothing if it was given none. The file is replaced atomically, and only its
    /// owner can read it, because it contains keys. After a [`shutdown`](Self::shutdown) only what
    /// has changed since then is written.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written. The kind is
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy) if the server was shut down and another one uses
    /// the file or has written to it since.
    pub fn save_state(&self) -> io::Result<()> {
        self.state_file.as_deref().map_or(Ok(()), |file| file.save(&self.worlds))
    }

    /// Expects this number of requests, from now on, with this method and a path that matches this
    /// glob (see [`Fault::path`]). [`verify`](Self::verify) and dropping the server check it.
    ///
    /// Dropping the server panics if an expectation is not met, unless the thread is already
    /// panicking. The message lists what was expected and what was received. An expectation with an
    /// invalid glob is never met.
    ///
    /// ```
    /// use machins_mock::{Method, blocking::MockServer};
    ///
    /// let server = MockServer::start();
    /// server.expect(Method::POST, "/api/v1/devices/validate", 1..=2);
    /// assert!(server.verify().is_err(), "no request yet");
    /// # reqwest::blocking::Client::new()
    /// #     .post(format!("{}/api/v1/devices/validate", server.url())).send().unwrap();
    /// ```
    pub fn expect(&self, method: Method, path: &str, times: impl RangeBounds<u64>) {
        self.expect_matching(Conditions::new().method(method).path(path), times);
    }

    /// Expects this number of requests that meet the conditions, from now on: those of one agent or
    /// device, or with some query, header or body. Everything else is as for
    /// [`expect`](Self::expect).
    ///
    /// A condition on the status of the reply has no meaning here, because requests are counted as
    /// they arrive. An expectation with invalid conditions is never met.
    ///
    /// ```
    /// use machins_mock::{Conditions, blocking::MockServer};
    ///
    /// let server = MockServer::start();
    /// let searches = Conditions::new().path("/api/v1/marketplace").query("tags", "nlp");
    /// server.expect_matching(searches, 1..);
    /// # assert!(server.verify().is_err(), "no request yet");
    /// # reqwest::blocking::get(format!("{}/marketplace?tags=nlp", server.machins_base_url()))?;
    /// # Ok::<_, reqwest::Error>(())
    /// ```
    pub fn expect_matching(&self, conditions: Conditions, times: impl RangeBounds<u64>) {
        let mut controls = self.app.controls();
        let expectation = Expectation::new(conditions, &times, controls.journal.last());
        controls.expectations.push(expectation);
    }

    /// Checks the expectations so far, and keeps them.
    ///
    /// # Errors
    /// Returns [`UnmetExpectations`] if an expectation is not met.
    pub fn verify(&self) -> Result<(), UnmetExpectations> {
        let controls = self.app.controls();
        unmet(&controls.expectations, controls.journal.records()).map_or(Ok(()), Err)
    }

    /// Stops the server and waits until its port and all its connections are closed. What has changed
    /// is saved to the [state file](crate::MockServerBuilder::state_file) before another server can
    /// use it. The world can still be read.
    ///
    /// Dropping the server stops it as well, without waiting and saving. A world created by
    /// [`create_world`](Self::create_world) is removed, and its server goes on.
    pub async fn shutdown(&self) {
        if !self.app.name.is_empty() {
            self.stop();
            return;
        }
        self.tasks.stop();
        self.tasks.stopped().await;
        if let Some(Err(error)) =
            self.state_file.as_ref().map(|file| file.save_changes(&self.worlds))
        {
            // [`save_state`](Self::save_state) will try again.
            report(&error);
        }
        self.stop();
    }

    /// Stops the server when the requests under way have been answered and the webhooks of the
    /// events so far have been posted, but at the latest after this time. No further connection is
    /// accepted in the meantime.
    pub async fn shutdown_gracefully(&self, limit: Duration) {
        let finish = async {
            if self.app.name.is_empty() {
                self.tasks.drain().await;
            }
            self.app.deliveries.finished().await;
        };
        // In vain only if they take longer than they may.
        let _ = tokio::time::timeout(limit, finish).await;
        self.shutdown().await;
    }

    fn stop(&self) {
        if self.app.name.is_empty() {
            self.tasks.stop();
            self.state_file.as_deref().map(StateFile::release);
        } else {
            self.worlds.remove(&self.app);
        }
    }
}

/// Stops the server without waiting, and checks the expectations.
///
/// # Panics
/// Panics if an expectation is not met, see [`expect`](MockServer::expect).
impl Drop for MockServer {
    #[expect(clippy::panic, reason = "documented: how a test learns of unmet expectations")]
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            return;
        }
        if let Err(unmet) = self.verify() {
            panic!("{unmet}");
        }
    }
}
