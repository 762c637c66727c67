//! The active listings, indexed for searches.
//!
//! There is one list of all active listings and one for each tag, in order of creation. An entry
//! contains what most filters need, so that a search goes through one dense list and reads a
//! listing itself only to search its text or to return it.

use std::borrow::{Borrow, Cow};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;

use super::kinds::{ListingType, Side};
use super::listing::Listing;
use crate::machins::money::Money;

/// The active listings, for searches.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SearchIndex {
    all: Vec<IndexEntry>,
    by_tag: HashMap<String, Vec<IndexEntry>>,
    /// What a new listing may match: in the lists of `by_tag`, it would go through those of its own side.
    by_side: HashMap<(Side, String), Vec<IndexEntry>>,
}

/// The part of an active listing that most filters need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct IndexEntry {
    pub(crate) price: Money,
    /// The index in the list of all listings, which grows with time.
    pub(crate) index: u32,
    pub(crate) listing_type: ListingType,
    pub(crate) side: Side,
}

impl IndexEntry {
    fn new(index: usize, listing: &Listing) -> Self {
        Self {
            price: listing.price,
            // A world of 2^32 listings fits no memory.
            index: u32::try_from(index).unwrap_or(u32::MAX),
            listing_type: listing.listing_type,
            side: listing.side,
        }
    }

    pub(crate) fn index(self) -> usize {
        self.index as usize
    }
}

impl SearchIndex {
    /// Returns all active listings, in order of creation.
    pub(crate) fn all(&self) -> &[IndexEntry] {
        &self.all
    }

    pub(crate) fn add(&mut self, index: usize, listing: &Listing) {
        let entry = IndexEntry::new(index, listing);
        insert(&mut self.all, entry);
        for tag in &listing.tags {
            insert(self.by_tag.entry(tag.clone()).or_default(), entry);
            insert(self.by_side.entry((listing.side, tag.clone())).or_default(), entry);
        }
    }

    pub(crate) fn remove(&mut self, index: usize, listing: &Listing) {
        remove(&mut self.all, index);
        for tag in &listing.tags {
            remove_from(&mut self.by_tag, tag, index);
            remove_from(&mut self.by_side, &(listing.side, tag.clone()), index);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns the listings with at least one of the tags, in order of creation.
    pub(crate) fn tagged(&self, tags: &[&str]) -> Cow<'_, [IndexEntry]> {
        let mut lists = tags.iter().filter_map(|tag| self.by_tag.get(*tag));
        let Some(first) = lists.next() else {
            return (&[]).into();
        };
        let mut rest = lists.peekable();
        if rest.peek().is_none() {
            return first.into();
        }
        let mut union = first.clone();
        rest.for_each(|list| union.extend_from_slice(list));
        union.sort_unstable_by_key(|entry| entry.index);
        union.dedup_by_key(|entry| entry.index);
        union.into()
    }

    /// Returns the newest listings of a side that have at least one of the tags and are `wanted`, newest
    /// first and at most `most`.
    pub(crate) fn newest_tagged(
        &self,
        side: Side,
        tags: &[String],
        most: usize,
        wanted: impl Fn(IndexEntry) -> bool,
    ) -> Vec<IndexEntry> {
        let lists = tags.iter().filter_map(|tag| self.by_side.get(&(side, tag.clone())));
        let newest = |list| {
            <[IndexEntry]>::iter(list).rev().copied().filter(|entry| wanted(*entry)).take(most)
        };
        let mut found: Vec<_> = lists.flat_map(|list| newest(list)).collect();
        found.sort_unstable_by_key(|entry| Reverse(entry.index));
        found.dedup_by_key(|entry| entry.index);
        found.truncate(most);
        found
    }
}

fn insert(entries: &mut Vec<IndexEntry>, entry: IndexEntry) {
    let at = entries.partition_point(|other| other.index < entry.index);
    entries.insert(at, entry);
}

fn remove(entries: &mut Vec<IndexEntry>, index: usize) {
    if let Ok(at) = entries.binary_search_by_key(&index, |entry| entry.index()) {
        entries.remove(at);
    }
}

/// Removes an entry of a list, and the list with its last.
fn remove_from<K: Hash + Eq + Borrow<Q>, Q: Hash + Eq + ?Sized>(
    lists: &mut HashMap<K, Vec<IndexEntry>>,
    key: &Q,
    index: usize,
) {
    if let Some(entries) = lists.get_mut(key) {
        remove(entries, index);
        if entries.is_empty() {
            lists.remove(key);
        }
    }
}
