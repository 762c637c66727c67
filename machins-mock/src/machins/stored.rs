//! The platform as it is stored. Indexes and other derived data are left out, and are computed and
//! checked on load.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::jwt::SigningKey;
use super::money::{Amount, Money, Price};
use super::platform::{Machins, Timer};
use super::records::{
    self, Account, Agent, Ledger, Listing, Owner, Review, Side, Subscription, Trade, TradeStatus,
};
use crate::random::Random;

#[derive(Deserialize)]
struct Stored {
    signing_key: SigningKey,
    agents: Vec<Agent>,
    owners: Vec<Owner>,
    listings: Vec<Listing>,
    trades: Vec<Trade>,
    reviews: Vec<Review>,
    subscriptions: Vec<Subscription>,
    ledger: Ledger,
}

#[derive(Serialize)]
struct StoredRef<'a> {
    signing_key: &'a SigningKey,
    agents: Vec<&'a Agent>,
    owners: Vec<&'a Owner>,
    listings: Vec<&'a Listing>,
    trades: Vec<&'a Trade>,
    reviews: Vec<&'a Review>,
    subscriptions: Vec<&'a Subscription>,
    ledger: &'a Ledger,
}

impl Serialize for Machins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        StoredRef {
            signing_key: &self.signing_key,
            agents: self.agents.values().collect(),
            owners: self.owners.values().collect(),
            listings: self.listings.values().collect(),
            trades: self.trades.values().collect(),
            reviews: self.reviews.values().collect(),
            subscriptions: self.subscriptions.values().collect(),
            ledger: &self.ledger,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Machins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Stored::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

type Checked = Result<(), &'static str>;

fn ensure(holds: bool, otherwise: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Adds every record as if it was new, and refuses records that contradict each other.
impl TryFrom<Stored> for Machins {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let mut world = Self::new(&mut Random::new(0));
        world.signing_key = stored.signing_key;
        world.ledger = stored.ledger;
        world.owners = by_id(stored.owners, |owner| owner.id)?;
        world.load_owners()?;
        for agent in stored.agents {
            world.load_agent(agent)?;
        }
        world.subscriptions = by_id(stored.subscriptions, |subscription| subscription.id)?;
        let known = |subscription: &Subscription| world.agents.contains_key(&subscription.agent_id);
        ensure(world.subscriptions.values().all(known), "a subscription belongs to no agent")?;
        for listing in stored.listings {
            world.load_listing(listing)?;
        }
        for trade in stored.trades {
            world.load_trade(trade)?;
        }
        world.load_payments()?;
        for review in stored.reviews {
            world.load_review(review)?;
        }
        let known = |(account, _)| match account {
            Account::Available(agent) | Account::Held(agent) => world.agents.contains_key(&agent),
            Account::Issuance | Account::Fees => true,
        };
        ensure(world.ledger.accounts().all(known), "an account is nobody's")?;
        world.check()?;
        Ok(world)
    }
}

fn by_id<T>(items: Vec<T>, id: fn(&T) -> Uuid) -> Result<IndexMap<Uuid, T>, &'static str> {
    let count = items.len();
    let map: IndexMap<_, _> = items.into_iter().map(|item| (id(&item), item)).collect();
    ensure(map.len() == count, "two records have one id")?;
    Ok(map)
}

fn is_price(money: Money) -> bool {
    Price::check(money).is_ok_and(|Amount(_)| true)
}

impl Machins {
    fn load_owners(&mut self) -> Checked {
        for owner in self.owners.values() {
            if let Some(claim) = &owner.claim {
                let other = self.emails.insert(claim.email.clone(), owner.id);
                ensure(other.is_none(), "two owners have the same email")?;
            }
        }
        Ok(())
    }

    fn load_agent(&mut self, agent: Agent) -> Checked {
        ensure(self.owners.contains_key(&agent.owner_id), "an agent has no owner")?;
        let id = agent.id;
        let other = self.by_key.insert(agent.api_key.clone(), id);
        ensure(other.is_none(), "two agents have one key")?;
        let other = self.agent_slugs.insert(agent.slug.clone(), id);
        ensure(other.is_none(), "two agents have one slug")?;
        self.timers.extend(agent.inbox.prunings().map(|at| (at, Timer::Pruning(id))));
        ensure(self.agents.insert(id, agent).is_none(), "two agents have one id")
    }

    fn load_listing(&mut self, mut listing: Listing) -> Checked {
        ensure(self.agents.contains_key(&listing.seller_agent_id), "a listing is nobody's")?;
        ensure(!self.listings.contains_key(&listing.id), "two listings have one id")?;
        ensure(!self.listing_slugs.contains(&listing.slug), "two listings have the same slug")?;
        let bounty = listing.bounty_amount;
        ensure(bounty.is_none() || listing.side == Side::Request, "an offer has a bounty")?;
        let priced = is_price(listing.price) && bounty.is_none_or(is_price);
        ensure(priced, "a listing's price is out of bounds")?;
        let distinct: HashSet<_> = listing.tags.iter().collect();
        ensure(distinct.len() == listing.tags.len(), "a listing has the same tag twice")?;
        listing.update_search_text();
        self.add_listing(listing);
        Ok(())
    }

    fn load_trade(&mut self, trade: Trade) -> Checked {
        ensure(!self.trades.contains_key(&trade.id), "two trades have one id")?;
        let listing = self.listings.get(&trade.listing_id).ok_or("a trade has no listing")?;
        let (buyer, seller) = (trade.buyer_agent_id, trade.seller_agent_id);
        let parties = match listing.side {
            Side::Offer => seller == listing.seller_agent_id && trade.proposer_agent_id == buyer,
            Side::Request => buyer == listing.seller_agent_id && trade.proposer_agent_id == seller,
        };
        let known = [buyer, seller].iter().all(|party| self.agents.contains_key(party));
        ensure(parties && known && buyer != seller, "a trade's parties are wrong")?;
        ensure(is_price(trade.price), "a trade's price is out of bounds")?;
        let complete = match trade.status {
            TradeStatus::Disputed => trade.progress.dispute_resolves_at.is_some(),
            TradeStatus::Completed => trade.progress.completed_at.is_some(),
            TradeStatus::Resolved => {
                trade.progress.resolved_at.is_some() && trade.progress.resolution.is_some()
            }
            _ => true,
        };
        ensure(complete, "a settled trade has no time of settlement")?;
        self.add_trade(trade);
        Ok(())
    }

    /// Counts the payments in the order of the ledger, because many trades can be paid at the same
    /// time.
    fn load_payments(&mut self) -> Checked {
        let mut unpaid: HashSet<Uuid> = self
            .trades
            .values()
            .filter(|trade| trade.paid_at().is_some())
            .map(|trade| trade.id)
            .collect();
        let releases: Vec<_> = self.ledger.releases().collect();
        for id in releases {
            ensure(unpaid.remove(&id), "the ledger pays for a trade that is not completed")?;
            let index = self.trades.get_index_of(&id).ok_or("the ledger pays for no trade")?;
            self.paid(index);
        }
        ensure(unpaid.is_empty(), "a completed trade is not paid in the ledger")
    }

    fn load_review(&mut self, review: Review) -> Checked {
        ensure(!self.reviews.contains_key(&review.id), "two reviews have one id")?;
        let trade = self.trades.get(&review.trade_id).ok_or("a review has no trade")?;
        let by = review.reviewer_agent_id;
        let right = trade.role(by).is_ok()
            && review.reviewed_agent_id == trade.other_party(by)
            && review.listing_id == trade.listing_id
            && records::rating(review.rating.into()).is_ok();
        ensure(right, "a review does not match its trade")?;
        ensure(
            !self.reviewed.contains(&(trade.id, by)),
            "a trade has two reviews by the same party",
        )?;
        self.add_review(review);
        Ok(())
    }
}
