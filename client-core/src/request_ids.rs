//! The request ids that a client has been given.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::Mutex;

use crate::lock::lock;

/// How many ids are remembered.
const CAPACITY: usize = 16_384;

/// The last 16,384 different request ids that a client has been given, as hashes: that two ids have
/// the same hash is less likely than that the server draws the same id twice.
#[derive(Debug, Default)]
pub(crate) struct RequestIds {
    hasher: RandomState,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    hashes: HashSet<u64, BuildHasherDefault<AlreadyHashed>>,
    /// The same hashes, the oldest first.
    order: VecDeque<u64>,
}

/// Takes a hash for its own hash.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl RequestIds {
    /// Remembers this id. Returns `false` if it was remembered already.
    pub(crate) fn remember(&self, id: &str) -> bool {
        let hash = self.hasher.hash_one(id);
        let Recent { hashes, order } = &mut *lock(&self.recent);
        if !hashes.insert(hash) {
            return false;
        }
        order.push_back(hash);
        if order.len() > CAPACITY {
            if let Some(oldest) = order.pop_front() {
                hashes.remove(&oldest);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ids_are_remembered() {
        let ids = RequestIds::default();
        for id in 0..CAPACITY {
            assert!(ids.remember(&id.to_string()), "{id} is new");
        }
        for id in 0..CAPACITY {
            assert!(!ids.remember(&id.to_string()), "{id} is remembered");
        }
        assert!(ids.remember(&CAPACITY.to_string()));
        assert!(ids.remember("0"), "the oldest is forgotten");
        assert!(!ids.remember("2"), "the others are not");
    }
}
