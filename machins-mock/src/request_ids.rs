//! The ids of requests.

use uuid::Uuid;

use crate::random::{Random, Seed};

/// The source of a world's request ids.
///
/// It is no part of a snapshot, because a server that has been reset or restored must not repeat an
/// id: a client takes that for a stored reply. The ids of one world differ from those of another
/// world, and from those before a reset, because their sequences begin with another seed.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// The ids of the requests of known orgs.
    known: Random,
    /// The ids of all other requests, which do not shift those of known orgs.
    unknown: Random,
}

impl RequestIds {
    /// Creates the source for a world of this name; `generation` counts the resets of the world and
    /// the earlier worlds of that name.
    pub(crate) fn new(seed: Seed, world: &str, generation: u64) -> Self {
        let sequence =
            |name: &str| seed.derive(&["request ids", name, world, &generation.to_string()]);
        Self { known: sequence("known").random(), unknown: sequence("unknown").random() }
    }

    /// Returns the next id for a request, which is from a known org or not.
    pub(crate) fn next(&mut self, known: bool) -> Uuid {
        if known { self.known.uuid() } else { self.unknown.uuid() }
    }
}
