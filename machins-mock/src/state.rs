//! All that one server knows: its world, and the test's instruments around it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::clock::{Clock, Time, TooFar};
use crate::delivery::{self, Deliveries};
use crate::expect::Expectation;
use crate::fault::{Fault, Faults};
use crate::journal::{Journal, Ticket};
use crate::limits::Limits;
use crate::machineid::MachineId;
use crate::machins::{Context, Machins};
use crate::random::Random;

/// What a thing without long texts counts for in the size of a world, in bytes: somewhat more than
/// the JSON of a device or a notification.
pub(crate) const THING: usize = 512;

/// What the APIs are about: everything that a snapshot holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) machineid: MachineId,
    pub(crate) machins: Machins,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let machins = Machins::new(&mut random);
        Self { clock: Clock::default(), random, machineid: MachineId::default(), machins }
    }

    /// How much it holds, in bytes: near enough to bound it.
    fn size(&self) -> usize {
        self.machineid.size() + self.machins.size()
    }
}

/// A world at one moment, to be restored later, in this server or in another one.
///
/// Holds the clock, organisations and devices, and everything on the marketplace; not faults,
/// journal, expectations and webhooks under way. It serializes to JSON, keys included, and what it
/// deserializes from is checked.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Snapshot(pub(crate) World);

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

/// What a test watches and disturbs its server with: none of it is in a snapshot.
///
/// They have one lock, because every request needs them all.
pub(crate) struct Instruments {
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) expectations: Vec<Expectation>,
}

impl Instruments {
    fn new(seed: u64) -> Self {
        Self { faults: Faults::new(seed), journal: Journal::default(), expectations: Vec::new() }
    }

    /// Enters a request, and decides which fault hits it, if any.
    pub(crate) fn arrived(
        &mut self,
        method: &Method,
        path: &str,
        now: Time,
    ) -> (Option<Fault>, Ticket) {
        let fault = self.faults.strike(method, path);
        let ticket = self.journal.arrived(method, path, fault.as_ref().map(Fault::kind), now);
        for expectation in &mut self.expectations {
            expectation.see(method, path);
        }
        (fault, ticket)
    }
}

/// One server's state, shared by its connections, its handle and its guards.
///
/// No lock is held across an await, and no two are held at once, but for that of the deliveries,
/// which is taken within that of the world.
pub(crate) struct Shared {
    pub(crate) addr: SocketAddr,
    pub(crate) limits: Limits,
    /// Held while a stored world is read from a request: they are large.
    pub(crate) restoring: Semaphore,
    seed: u64,
    world: Mutex<World>,
    instruments: Mutex<Instruments>,
    pub(crate) deliveries: Deliveries,
}

impl Shared {
    pub(crate) fn new(addr: SocketAddr, seed: u64, limits: Limits, deliveries: Deliveries) -> Self {
        Self {
            addr,
            limits,
            restoring: Semaphore::new(1),
            seed,
            world: Mutex::new(World::new(seed)),
            instruments: Mutex::new(Instruments::new(seed)),
            deliveries,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn instruments(&self) -> MutexGuard<'_, Instruments> {
        lock(&self.instruments)
    }

    /// Whether nothing may be added to the world any more.
    pub(crate) fn is_full(&self) -> bool {
        self.world().size() >= self.limits.world
    }

    /// Does something on the marketplace, and sends the posts that follow from it.
    pub(crate) fn market<T>(
        self: &Arc<Self>,
        operation: impl FnOnce(&mut Machins, &mut Context<'_>) -> T,
    ) -> T {
        let World { clock, random, machins, .. } = &mut *self.world();
        // As long as the span is entered, the world is locked: the benchmarks add it up.
        let _locked = tracing::trace_span!("market").entered();
        let (result, webhooks) = machins.act(clock.now(), random, operation);
        delivery::send(self, webhooks);
        result
    }

    /// Moves the time forward; what falls due on the way happens before this returns.
    pub(crate) fn advance(self: &Arc<Self>, by: Duration) -> Result<(), TooFar> {
        self.world().clock.advance(by)?;
        self.market(|_, _| ());
        Ok(())
    }

    /// Makes another world of it; what is still to be posted of this one is forgotten.
    pub(crate) fn replace(&self, other: World) {
        let world = &mut *self.world();
        *world = other;
        self.deliveries.forget();
    }

    /// Empty world, real time, no faults, empty journal; the seed starts over.
    pub(crate) fn reset(&self) {
        self.replace(World::new(self.seed));
        self.deliveries.clear_log();
        let instruments = &mut *self.instruments();
        instruments.faults = Faults::new(self.seed);
        instruments.journal.clear();
    }
}

/// Neither the world nor the journal belongs into a line of debug output.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("addr", &self.addr).finish_non_exhaustive()
    }
}

/// A panic elsewhere leaves nothing half done here: every change is made in one go.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
