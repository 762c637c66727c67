//! The state of one world, and the test's controls around it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::Method;
use uuid::Uuid;

use crate::clock::{ClockOutOfRange, Time};
use crate::delivery::Deliveries;
use crate::expectation::Expectation;
use crate::fault::{Fault, Faults};
use crate::journal::{Journal, RecordId};
use crate::machins::{Context, Machins};
use crate::random::Seed;
use crate::request_ids::RequestIds;
use crate::server_state::ServerState;
use crate::sync::lock;
use crate::tasks::Tasks;
use crate::world::World;

/// One world's state, which its requests, handles and guards hold.
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
    fn new(seed: Seed) -> Self {
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

/// One world's state.
///
/// No lock is held across an await, and no two are held at once, except that the locks of the
/// deliveries and of the request ids are taken within that of the world.
pub(crate) struct AppState {
    pub(crate) server: Arc<ServerState>,
    /// The name of the world; empty for the server's own.
    pub(crate) name: String,
    pub(crate) deliveries: Arc<Deliveries>,
    world: Arc<Mutex<World>>,
    origin: Mutex<Origin>,
    request_ids: Mutex<RequestIds>,
    controls: Mutex<TestControls>,
}

/// Where a world's random values come from.
#[derive(Debug, Clone, Copy)]
struct Origin {
    seed: Seed,
    /// The number of resets, and of earlier worlds with the same name.
    generation: u64,
}

impl AppState {
    /// Creates an empty world. `generation` is the number of earlier worlds with the same name.
    pub(crate) fn new(
        server: Arc<ServerState>,
        name: String,
        seed: Seed,
        generation: u64,
        tasks: Tasks,
    ) -> Self {
        let world = Arc::new(Mutex::new(World::new(seed)));
        Self {
            deliveries: Arc::new(Deliveries::new(
                Arc::clone(&server.client),
                tasks,
                Arc::clone(&world),
            )),
            server,
            world,
            origin: Mutex::new(Origin { seed, generation }),
            request_ids: Mutex::new(RequestIds::new(seed, &name, generation)),
            controls: Mutex::new(TestControls::new(seed)),
            name,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn controls(&self) -> MutexGuard<'_, TestControls> {
        lock(&self.controls)
    }

    /// Returns an id that this server has never given, for a request of a known organisation or of
    /// anyone else.
    pub(crate) fn new_request_id(&self, known: bool) -> Uuid {
        lock(&self.request_ids).next(known)
    }

    /// Returns the number of worlds with this name so far, resets included; `None` if another
    /// world of this name will have another seed anyway.
    pub(crate) fn repeated_generations(&self) -> Option<u64> {
        let Origin { seed, generation } = *lock(&self.origin);
        seed.is_chosen().then_some(generation + 1)
    }

    /// Returns whether the world has reached its bound, so that nothing may be added to it.
    pub(crate) fn is_full(&self) -> bool {
        self.world().size() >= self.server.limits.world
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

    /// Empties the world, the journal and the faults. A seed that the user chose starts over;
    /// request ids are not repeated.
    pub(crate) fn reset(&self) {
        let Origin { seed, generation } = {
            let mut origin = lock(&self.origin);
            *origin = Origin { seed: origin.seed.again(), generation: origin.generation + 1 };
            *origin
        };
        self.replace(World::new(seed));
        *lock(&self.request_ids) = RequestIds::new(seed, &self.name, generation);
        self.deliveries.clear_log();
        let controls = &mut *self.controls();
        controls.faults = Faults::new(seed);
        controls.journal.clear();
    }
}

/// Leaves out the world and the journal, which hold secrets.
impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState")
            .field("addr", &self.server.addr)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
