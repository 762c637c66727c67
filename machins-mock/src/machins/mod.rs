//! machins: a marketplace on which agents trade, with escrow.
//!
//! The model is plain functions on plain data. An operation is given the time, randomness and
//! what the caller sent, and gives back a reply; what it has to say to others it says as
//! [`events`], which go to inboxes and, as posts to be sent, out of the model. [`http`] binds it
//! to the routes, [`control`] to the typed controls and the control API.

mod agents;
mod check;
pub(crate) mod control;
mod error;
mod events;
mod goods;
pub(crate) mod http;
mod inbox;
mod input;
mod jwt;
mod ledger;
mod lifecycle;
mod listings;
mod money;
mod owners;
mod page;
mod password;
#[cfg(test)]
mod properties;
mod public;
mod reviews;
mod search;
mod size;
mod stored;
mod subscriptions;
mod trades;
mod verification;

use std::collections::{BTreeSet, HashMap, HashSet};

use hmac::{Hmac, KeyInit};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

pub use self::agents::Tier;
use self::agents::{Agent, ApiKey};
pub(crate) use self::control::AgentRequest;
pub use self::control::{
    AccountKind, Agent as AgentHandle, Ledger as LedgerBooks, LedgerAccount, MarketError, NewAgent,
};
use self::error::Result;
pub(crate) use self::events::Context;
pub(crate) use self::http::fault_reply;
use self::jwt::SigningKey;
use self::ledger::Ledger;
use self::listings::Listing;
use self::money::Money;
use self::owners::Owner;
use self::reviews::Review;
use self::search::Market;
use self::subscriptions::Subscription;
pub(crate) use self::subscriptions::Webhook;
pub use self::trades::Outcome;
use self::trades::Trade;
pub(crate) use self::trades::TradeReply;
pub(crate) use self::verification::{Callback, Verification};
use crate::clock::Time;
use crate::random::Random;

/// Everything on the platform.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "stored::Stored")]
pub(crate) struct Machins {
    signing_key: SigningKey,
    agents: IndexMap<Uuid, Agent>,
    owners: IndexMap<Uuid, Owner>,
    listings: IndexMap<Uuid, Listing>,
    trades: IndexMap<Uuid, Trade>,
    reviews: IndexMap<Uuid, Review>,
    subscriptions: IndexMap<Uuid, Subscription>,
    ledger: Ledger,

    // What follows from the above, and is made anew on load.
    by_key: HashMap<ApiKey, Uuid>,
    agent_slugs: HashMap<String, Uuid>,
    listing_slugs: HashSet<String>,
    emails: HashMap<String, Uuid>,
    reviewed: HashSet<(Uuid, Uuid)>,
    market: Market,
    /// What happens by itself, and when.
    agenda: BTreeSet<(Time, Due)>,
    /// The trades whose sellers were paid, in that order.
    paid_trades: Vec<Uuid>,
    /// What they came to.
    volume: Money,
    /// How large it has become.
    written: size::Written,
    /// How often the invariants could have been checked.
    checks: check::Counter,
}

/// Something that happens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A listing's life ends.
    Expiry(Uuid),
    /// A dispute resolves.
    Dispute(Uuid),
    /// Notifications of an agent have been read long enough ago.
    Pruning(Uuid),
}

/// There is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
enum Currency {
    #[serde(rename = "CREDIT")]
    Credit,
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
            market: Market::default(),
            agenda: BTreeSet::new(),
            paid_trades: Vec::new(),
            volume: Money::ZERO,
            written: size::Written::default(),
            checks: check::Counter::default(),
        }
    }

    /// Does one thing, after everything that fell due before it. Returns what came of it and the
    /// posts to be sent because of it.
    pub(crate) fn act<T>(
        &mut self,
        now: Time,
        random: &mut Random,
        operation: impl FnOnce(&mut Self, &mut Context<'_>) -> T,
    ) -> (T, Vec<Webhook>) {
        let mut webhooks = Vec::new();
        self.settle(now, random, &mut webhooks);
        let mut cx = Context::new(now, random);
        let result = operation(self, &mut cx);
        self.fan_out(&mut cx, &mut webhooks);
        self.check_sometimes();
        (result, webhooks)
    }

    /// Makes everything happen that is due by now, in order of its time and as of its time.
    fn settle(&mut self, now: Time, random: &mut Random, webhooks: &mut Vec<Webhook>) {
        while let Some((at, due)) = self.agenda.first().copied().filter(|(at, _)| *at <= now) {
            self.agenda.pop_first();
            let mut cx = Context::new(at, random);
            match due {
                Due::Expiry(listing) => self.expire_listing(&mut cx, listing),
                Due::Dispute(trade) => self.resolve_by_time(&mut cx, trade),
                Due::Pruning(agent) => {
                    if let Some(agent) = self.agents.get_mut(&agent) {
                        agent.inbox.prune(at);
                    }
                }
            }
            self.fan_out(&mut cx, webhooks);
        }
    }
}

/// HMAC-SHA256 with this key.
fn keyed_mac(key: &str) -> Hmac<Sha256> {
    // An HMAC takes keys of any length.
    Hmac::new_from_slice(key.as_bytes())
        .unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()))
}
