//! Remembers, in bounded memory, which ids have been there before.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::mem;

/// The number of recent hashes that are not sorted in yet, besides an eighth of the sorted ones.
const UNSORTED: usize = 1_024;

/// The hashes of ids, 8 bytes each.
///
/// The hash is keyed at random, so nobody can choose ids whose hashes are equal. Two of a million
/// ids have the same hash with a probability of 1 in 30 million.
pub(crate) struct RememberedIds {
    hasher: RandomState,
    capacity: usize,
    newer: Vec<u64>,
    older: Vec<u64>,
    unsorted: HashSet<u64>,
}

impl RememberedIds {
    /// Remembers at least the last `capacity` ids, and at most twice as many.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            capacity,
            newer: Vec::new(),
            older: Vec::new(),
            unsorted: HashSet::new(),
        }
    }

    /// Returns the hash of an id, by which the other methods know it.
    pub(crate) fn hash(&self, id: &str) -> u64 {
        self.hasher.hash_one(id)
    }

    /// Returns one hash of many.
    pub(crate) fn hash_all(&self, hashes: &[u64]) -> u64 {
        self.hasher.hash_one(hashes)
    }

    /// Returns whether the id with this hash is remembered.
    pub(crate) fn contains(&self, hash: u64) -> bool {
        self.unsorted.contains(&hash)
            || self.newer.binary_search(&hash).is_ok()
            || self.older.binary_search(&hash).is_ok()
    }

    /// Remembers the id with this hash. Returns whether it was not remembered before.
    pub(crate) fn insert(&mut self, hash: u64) -> bool {
        if self.contains(hash) {
            return false;
        }
        self.unsorted.insert(hash);
        if self.unsorted.len() >= self.capacity.min(self.newer.len() / 8 + UNSORTED) {
            let mut unsorted: Vec<u64> = self.unsorted.drain().collect();
            unsorted.sort_unstable();
            merge(&mut self.newer, &unsorted);
            if self.newer.len() >= self.capacity {
                self.older = mem::take(&mut self.newer);
            }
        }
        true
    }
}

/// Merges `more` into `sorted`, both of which are sorted, from the end, where there is room.
fn merge(sorted: &mut Vec<u64>, more: &[u64]) {
    let (mut left, mut right) = (sorted.len(), more.len());
    // Not twice as much as needed, which a vector would take by itself.
    sorted.reserve_exact(right);
    sorted.resize(left + right, 0);
    while right > 0 {
        let is_left = left > 0 && sorted[left - 1] > more[right - 1];
        let next = if is_left { sorted[left - 1] } else { more[right - 1] };
        sorted[left + right - 1] = next;
        if is_left { left -= 1 } else { right -= 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(ids: &mut RememberedIds, number: u64) -> bool {
        ids.contains(ids.hash(&number.to_string()))
    }

    #[test]
    fn the_latest_ids_are_remembered_in_bounded_memory() {
        let capacity = 10_000;
        let mut ids = RememberedIds::new(capacity);
        for number in 0..55_000 {
            let hash = ids.hash(&number.to_string());
            assert!(ids.insert(hash), "{number} is new");
            assert!(!ids.insert(hash), "{number} is remembered");
        }
        assert!((45_000..55_000).all(|number| remembered(&mut ids, number)));
        assert!(!remembered(&mut ids, 0) && !remembered(&mut ids, 60_000));
        let kept = ids.newer.capacity() + ids.older.capacity() + ids.unsorted.len();
        assert!(kept <= 2 * capacity + capacity / 4, "{kept}");
        assert!(ids.newer.is_sorted() && ids.older.is_sorted());
    }
}
