//! The world of one server: everything that a snapshot holds.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::machineid::MachineId;
use crate::machins::Machins;
use crate::random::{Random, Seed};

/// The state of both APIs, with the time and the randomness that they share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) machineid: MachineId,
    pub(crate) machins: Machins,
}

impl World {
    pub(crate) fn new(seed: Seed, clock: Clock) -> Self {
        let mut random = seed.random();
        let machins = Machins::new(&mut random);
        Self { clock, random, machineid: MachineId::default(), machins }
    }

    /// Returns the world's approximate size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.machineid.size() + self.machins.size()
    }
}

/// A copy of a server's world at one moment, to be restored later in this server or in another.
///
/// It contains the clock, the orgs and devices, and everything on the machins platform. It
/// does not contain faults, the recorded requests, expectations or webhooks under way. It can be
/// serialized, keys included, and is checked when it is deserialized.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Snapshot(pub(crate) World);

impl Snapshot {
    /// Counts the bytes that a snapshot was read from towards the size of its world.
    pub(crate) fn count_stored(mut self, bytes: usize) -> Self {
        self.0.machins.count_stored(bytes);
        self
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

impl JsonSchema for Snapshot {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Snapshot".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "description": "A world, as the server stores it."})
    }
}
