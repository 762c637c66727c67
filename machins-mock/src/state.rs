//! All that one server knows: its world, and the test's instruments around it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::expect::Expectation;
use crate::fault::Faults;
use crate::journal::Journal;
use crate::machineid::MachineId;
use crate::random::Random;

/// What the APIs are about: everything that a snapshot holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) machineid: MachineId,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self { clock: Clock::default(), random: Random::new(seed), machineid: MachineId::default() }
    }
}

/// A world at one moment, to be restored later, in this server or in another one.
///
/// Holds clock, organisations and devices; not faults, journal and expectations. It serializes to
/// JSON, org keys included, and what it deserializes from is checked.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Snapshot(pub(crate) World);

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

/// One server's state, shared by its connections, its handle and its guards.
///
/// No lock is held across an await, and no two are held at once.
pub(crate) struct Shared {
    pub(crate) addr: SocketAddr,
    seed: u64,
    world: Mutex<World>,
    faults: Mutex<Faults>,
    journal: Mutex<Journal>,
    expectations: Mutex<Vec<Expectation>>,
}

impl Shared {
    pub(crate) fn new(addr: SocketAddr, seed: u64) -> Self {
        Self {
            addr,
            seed,
            world: Mutex::new(World::new(seed)),
            faults: Mutex::new(Faults::new(seed)),
            journal: Mutex::default(),
            expectations: Mutex::default(),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    pub(crate) fn expectations(&self) -> MutexGuard<'_, Vec<Expectation>> {
        lock(&self.expectations)
    }

    /// Empty world, real time, no faults, empty journal; the seed starts over.
    pub(crate) fn reset(&self) {
        *self.world() = World::new(self.seed);
        *self.faults() = Faults::new(self.seed);
        self.journal().clear();
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
