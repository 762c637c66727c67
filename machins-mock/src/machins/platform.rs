//! Everything on the platform.

use std::collections::{BTreeSet, HashMap, HashSet};

use indexmap::IndexMap;
use uuid::Uuid;

use super::jwt::SigningKey;
use super::money::Money;
use super::records::{
    Agent, ApiKey, Ledger, Listing, Owner, Review, SearchIndex, Subscription, Trade,
};
use super::uncompared::Uncompared;
use crate::clock::Time;
use crate::limits::RECORD_SIZE;
use crate::random::Random;

/// The whole platform: all records, and the indexes that follow from them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Machins {
    pub(super) signing_key: SigningKey,
    pub(super) agents: IndexMap<Uuid, Agent>,
    pub(super) owners: IndexMap<Uuid, Owner>,
    pub(super) listings: IndexMap<Uuid, Listing>,
    pub(super) trades: IndexMap<Uuid, Trade>,
    pub(super) reviews: IndexMap<Uuid, Review>,
    pub(super) subscriptions: IndexMap<Uuid, Subscription>,
    pub(super) ledger: Ledger,

    // Derived from the records above, and computed anew on load.
    pub(super) by_key: HashMap<ApiKey, Uuid>,
    pub(super) agent_slugs: HashMap<String, Uuid>,
    pub(super) listing_slugs: HashSet<String>,
    pub(super) emails: HashMap<String, Uuid>,
    pub(super) reviewed: HashSet<(Uuid, Uuid)>,
    pub(super) search_index: SearchIndex,
    /// The events that happen by themselves, in the order of their times.
    pub(super) timers: BTreeSet<(Time, Timer)>,
    /// The trades whose sellers were paid, in that order.
    pub(super) paid_trades: Vec<Uuid>,
    /// The sum of their prices.
    pub(super) volume: Money,
    /// The bytes of all request bodies that were stored, which bound the size of the world. Bodies
    /// that were replaced stay counted.
    pub(super) stored_bytes: Uncompared<usize>,
    /// The number of operations so far, for the checks of large worlds.
    pub(super) operations: Uncompared<u64>,
}

/// Something that happens by itself at a set time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A listing expires.
    Expiry(Uuid),
    /// A dispute is resolved.
    Dispute(Uuid),
    /// Notifications that an agent read a week ago are deleted.
    Pruning(Uuid),
}

impl Machins {
    pub(crate) fn new(random: &mut Random) -> Self {
        Self {
            signing_key: SigningKey(random.token("")),
            agents: IndexMap::new(),
            owners: IndexMap::new(),
            listings: IndexMap::new(),
            trades: IndexMap::new(),
            reviews: IndexMap::new(),
            subscriptions: IndexMap::new(),
            ledger: Ledger::default(),
            by_key: HashMap::new(),
            agent_slugs: HashMap::new(),
            listing_slugs: HashSet::new(),
            emails: HashMap::new(),
            reviewed: HashSet::new(),
            search_index: SearchIndex::default(),
            timers: BTreeSet::new(),
            paid_trades: Vec::new(),
            volume: Money::ZERO,
            stored_bytes: Uncompared::default(),
            operations: Uncompared::default(),
        }
    }

    /// Counts the bytes of something stored towards the size of the world.
    pub(crate) fn count_stored(&mut self, bytes: usize) {
        let Uncompared(stored) = &mut self.stored_bytes;
        *stored = stored.saturating_add(bytes);
    }

    /// Returns the platform's approximate size in bytes: what callers sent to be stored, and a
    /// fixed size for each record.
    pub(crate) fn size(&self) -> usize {
        let notifications: usize = self.agents.values().map(|agent| agent.inbox.len()).sum();
        let records = self.agents.len()
            + self.listings.len()
            + self.trades.len()
            + self.reviews.len()
            + self.subscriptions.len()
            + self.ledger.len()
            + notifications;
        self.stored_bytes.0 + records * RECORD_SIZE
    }
}
