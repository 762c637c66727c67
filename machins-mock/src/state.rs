//! The state of one server: its world, and the test's controls around it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::Method;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::clock::{ClockOutOfRange, Time};
use crate::delivery::{Deliveries, Policy};
use crate::expectation::Expectation;
use crate::fault::{Fault, Faults};
use crate::journal::{Journal, RecordId};
use crate::limits::Limits;
use crate::machins::{Context, Machins};
use crate::random::Random;
use crate::sync::lock;
use crate::tasks::Tasks;
use crate::world::World;

/// One server's state, shared by its connections, handles and guards.
pub(crate) type App = Arc<AppState>;

/// The controls of a test over its server; none of them is part of a snapshot.
///
/// One lock guards all of it, because every request needs all of it.
pub(crate) struct TestControls {
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) expectations: Vec<Expectation>,
}

impl TestControls {
    fn new(seed: u64) -> Self {
        Self { faults: Faults::new(seed), journal: Journal::default(), expectations: Vec::new() }
    }

    /// Records a request, and returns the fault that hits it, if any.
    pub(crate) fn record_request(
        &mut self,
        method: &Method,
        path: &str,
        now: Time,
    ) -> (Option<Fault>, RecordId) {
        let fault = self.faults.hit(method, path);
        let record = self.journal.record(method, path, fault.as_ref().map(Fault::kind), now);
        for expectation in &mut self.expectations {
            expectation.count(method, path);
        }
        (fault, record)
    }
}

/// One server's state.
///
/// No lock is held across an await, and no two are held at once, except that the lock of the
/// deliveries is taken within that of the world.
pub(crate) struct AppState {
    pub(crate) addr: SocketAddr,
    pub(crate) limits: Limits,
    /// Held while a stored world is read from a request: stored worlds are large.
    pub(crate) restoring: Semaphore,
    pub(crate) deliveries: Arc<Deliveries>,
    seed: u64,
    world: Arc<Mutex<World>>,
    /// Where request ids come from. It is no part of the world, because a server that has been reset
    /// or restored must not repeat one: a client takes that for a stored reply.
    request_ids: Mutex<Random>,
    controls: Mutex<TestControls>,
}

impl AppState {
    pub(crate) fn new(
        addr: SocketAddr,
        seed: u64,
        limits: Limits,
        policy: Policy,
        tasks: Tasks,
    ) -> Self {
        let world = Arc::new(Mutex::new(World::new(seed)));
        Self {
            addr,
            limits,
            restoring: Semaphore::new(1),
            deliveries: Arc::new(Deliveries::new(policy, tasks, Arc::clone(&world))),
            seed,
            world,
            request_ids: Mutex::new(Random::new(!seed)),
            controls: Mutex::new(TestControls::new(seed)),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn controls(&self) -> MutexGuard<'_, TestControls> {
        lock(&self.controls)
    }

    /// Returns a request id that this server has never given.
    pub(crate) fn new_request_id(&self) -> Uuid {
        lock(&self.request_ids).uuid()
    }

    /// Returns whether the world has reached its bound, so that nothing may be added to it.
    pub(crate) fn is_full(&self) -> bool {
        self.world().size() >= self.limits.world
    }

    /// Runs an operation on the machins platform, and sends the webhooks that follow from it.
    pub(crate) fn machins<T>(
        &self,
        operation: impl FnOnce(&mut Machins, &mut Context<'_>) -> T,
    ) -> T {
        let World { clock, random, machins, .. } = &mut *self.world();
        // The world is locked while the span is entered: the benchmarks measure it.
        let _locked = tracing::trace_span!("machins").entered();
        let (result, webhooks) = machins.act(clock.now(), random, operation);
        self.deliveries.send(webhooks);
        result
    }

    /// Moves the virtual time forward; timers that run out on the way fire before this returns.
    pub(crate) fn advance(&self, by: Duration) -> Result<(), ClockOutOfRange> {
        self.world().clock.advance(by)?;
        self.machins(|_, _| ());
        Ok(())
    }

    /// Replaces the world, and forgets the webhooks of the old one that are still to be sent.
    pub(crate) fn replace(&self, world: World) {
        let current = &mut *self.world();
        *current = world;
        self.deliveries.forget();
    }

    /// Empties the world, the journal and the faults, and starts the seed over. Request ids go on.
    pub(crate) fn reset(&self) {
        self.replace(World::new(self.seed));
        self.deliveries.clear_log();
        let controls = &mut *self.controls();
        controls.faults = Faults::new(self.seed);
        controls.journal.clear();
    }
}

/// Leaves out the world and the journal, which hold secrets.
impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("addr", &self.addr).finish_non_exhaustive()
    }
}
