//! The state of one world, and the test's controls around it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use uuid::Uuid;

use crate::clock::{ClockOutOfRange, Time};
use crate::delivery::Deliveries;
use crate::expectation::Expectation;
use crate::fault::{ActiveFault, Fault, FaultError, Faults, Target};
use crate::fixtures::{Fixtures, Loaded, Refused};
use crate::journal::{Arrival, EntryId, Journal};
use crate::machins::{Context, Machins};
use crate::random::Seed;
use crate::request_ids::RequestIds;
use crate::server_state::ServerState;
use crate::sync::{Changes, lock};
use crate::tasks::Tasks;
use crate::world::World;

/// One world's state, which its requests, handles and guards hold.
pub(crate) type App = Arc<AppState>;

/// The controls of a test over its server; none of them is part of a snapshot.
///
/// One lock guards all of it, because every request needs all of it.
pub(crate) struct TestControls {
    /// The faults that hit requests.
    faults: Faults,
    next_fault: u64,
    pub(crate) journal: Journal,
    pub(crate) expectations: Vec<Expectation>,
}

impl TestControls {
    fn new(seed: Seed) -> Self {
        Self {
            faults: Faults::new(seed),
            next_fault: 1,
            journal: Journal::default(),
            expectations: Vec::new(),
        }
    }

    /// Records a request, and returns the fault that hits it, if any.
    pub(crate) fn record_request(&mut self, arrival: Arrival<'_>) -> (Option<Fault>, EntryId) {
        let fault = if self.faults.is_empty() {
            None
        } else {
            let has_header = |name: &str, value: &str| arrival.has_header(name, value);
            self.faults.hit(&arrival.candidate(&has_header))
        };
        if !self.expectations.is_empty() {
            let has_header = |name: &str, value: &str| arrival.has_header(name, value);
            let candidate = arrival.candidate(&has_header);
            self.expectations.iter_mut().for_each(|expectation| expectation.count(&candidate));
        }
        let entry = self.journal.record(arrival, fault.as_ref().map(Fault::kind));
        (fault, entry)
    }
}

/// One world's state.
///
/// No lock is held across an await, and no two are held at once, except that the lock of the
/// deliveries is taken within that of the world and within that of the controls, and the lock of the
/// request ids within that of the world.
pub(crate) struct AppState {
    pub(crate) server: Arc<ServerState>,
    /// The name of the world; empty for the server's own.
    pub(crate) name: String,
    pub(crate) deliveries: Arc<Deliveries>,
    world: Arc<Mutex<World>>,
    origin: Mutex<Origin>,
    request_ids: Mutex<RequestIds>,
    controls: Mutex<TestControls>,
    /// Announced when a request has been answered.
    pub(crate) answered: Changes,
    /// Announced when the world, the faults or the records may have been changed by a request.
    pub(crate) touched: Changes,
    pub(crate) tasks: Tasks,
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
        let world = Arc::new(Mutex::new(World::new(seed, server.start_clock())));
        Self {
            deliveries: Arc::new(Deliveries::new(
                Arc::clone(&server.client),
                tasks.clone(),
                Arc::clone(&world),
                seed,
                Arc::clone(&server.changed),
            )),
            server,
            world,
            origin: Mutex::new(Origin { seed, generation }),
            request_ids: Mutex::new(RequestIds::new(seed, &name, generation)),
            controls: Mutex::new(TestControls::new(seed)),
            answered: Changes::default(),
            touched: Changes::default(),
            tasks,
            name,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn controls(&self) -> MutexGuard<'_, TestControls> {
        lock(&self.controls)
    }

    /// Notes that the world may have changed, so that it is saved.
    pub(crate) fn touch(&self) {
        self.server.changed.announce();
        self.touched.announce();
    }

    /// Returns an id that this server has never given, for a request of a known org or of
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
        self.deliveries.send(webhooks, clock.now());
        result
    }

    /// Sets or freezes the virtual time; timers that run out on the way fire before this returns.
    pub(crate) fn set_clock(
        &self,
        now: Option<Time>,
        frozen: Option<bool>,
    ) -> Result<(), ClockOutOfRange> {
        {
            let world = &mut *self.world();
            let mut clock = world.clock;
            if let Some(frozen) = frozen {
                clock.set_frozen(frozen);
            }
            now.map_or(Ok(()), |now| clock.set(now))?;
            world.clock = clock;
        }
        self.machins(|_, _| ());
        self.touch();
        Ok(())
    }

    /// Moves the virtual time forward; timers that run out on the way fire before this returns.
    pub(crate) fn advance(&self, by: Duration) -> Result<(), ClockOutOfRange> {
        self.world().clock.advance(by)?;
        self.machins(|_, _| ());
        self.touch();
        Ok(())
    }

    /// Adds fixtures to the world, whole or not at all. The fixtures were read from this many bytes.
    pub(crate) fn load(&self, fixtures: Fixtures, bytes: usize) -> Result<Loaded, Refused> {
        let loaded = {
            let current = &mut *self.world();
            let mut world = current.clone();
            let (loaded, webhooks) = fixtures.add_to(&mut world)?;
            world.machins.count_stored(bytes);
            *current = world;
            self.deliveries.send(webhooks, current.clock.now());
            loaded
        };
        self.touch();
        Ok(loaded)
    }

    /// Replaces the world, and forgets the webhooks of the old one that are still to be sent.
    pub(crate) fn replace(&self, world: World) {
        {
            let current = &mut *self.world();
            *current = world;
            self.deliveries.forget();
        }
        self.touch();
    }

    /// Empties the world, the journal and the faults. A seed that the user chose starts over;
    /// request ids are not repeated.
    pub(crate) fn reset(&self) {
        let Origin { seed, generation } = {
            let mut origin = lock(&self.origin);
            *origin = Origin { seed: origin.seed.again(), generation: origin.generation + 1 };
            *origin
        };
        self.replace(World::new(seed, self.server.start_clock()));
        self.deliveries.reset_faults(seed);
        *lock(&self.request_ids) = RequestIds::new(seed, &self.name, generation);
        self.deliveries.clear_log();
        let controls = &mut *self.controls();
        controls.faults = Faults::new(seed);
        controls.next_fault = 1;
        controls.journal.clear();
    }

    /// Adds a fault, and returns it with its id.
    pub(crate) fn add_fault(&self, fault: Fault) -> Result<ActiveFault, FaultError> {
        let mut controls = self.controls();
        let active = ActiveFault::new(controls.next_fault, fault)?;
        match active.fault.on {
            Target::Request => controls.faults.add(active.clone())?,
            Target::Webhook => self.deliveries.add_fault(active.clone())?,
        }
        controls.next_fault += 1;
        Ok(active)
    }

    /// Returns all faults, in the order in which they were added.
    pub(crate) fn faults(&self) -> Vec<ActiveFault> {
        let mut faults = self.controls().faults.all().to_vec();
        faults.extend(self.deliveries.faults());
        faults.sort_by_key(|fault| fault.id);
        faults
    }

    /// Removes a fault; returns false if there is none with this id.
    pub(crate) fn remove_fault(&self, id: u64) -> bool {
        self.controls().faults.remove(id) || self.deliveries.remove_fault(id)
    }

    pub(crate) fn clear_faults(&self) {
        self.controls().faults.clear();
        self.deliveries.clear_faults();
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
