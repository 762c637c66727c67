//! The plan of the agents, drawn from a seed.

use fastrand::Rng;
use machins_client::{Action, Role, Side, TradeStatus};

/// The listings and trades that are to happen.
pub(crate) struct Plan {
    pub(crate) agents: usize,
    pub(crate) listings: Vec<Listing>,
    pub(crate) trades: Vec<Trade>,
}

/// A planned listing.
pub(crate) struct Listing {
    pub(crate) owner: usize,
    pub(crate) slug: String,
    pub(crate) side: Side,
    pub(crate) cents: i64,
    pub(crate) bounty: bool,
    pub(crate) auto_accept: bool,
    pub(crate) end: ListingEnd,
}

/// The planned end of a listing.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum ListingEnd {
    Listed,
    Retitled,
    TakenDown,
}

/// A planned trade.
pub(crate) struct Trade {
    /// The reference by which the trade is found.
    pub(crate) reference: String,
    pub(crate) listing: usize,
    pub(crate) proposer: usize,
    pub(crate) goal: Goal,
    /// Whether buyer and seller review each other.
    pub(crate) reviewed: bool,
}

/// The planned end of a trade.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Goal {
    Rejected,
    Cancelled {
        by: Role,
    },
    /// The buyer cancels while the seller delivers: either may win, never both.
    Contested,
    Completed,
    Disputed,
}

const LISTINGS_OF_AN_AGENT: usize = 4;

impl Plan {
    pub(crate) fn draw(seed: u64, agents: usize, trades: usize) -> Self {
        let mut random = Rng::with_seed(seed);
        let listings: Vec<_> = (0..agents * LISTINGS_OF_AN_AGENT)
            .map(|number| Listing::draw(&mut random, number))
            .collect();
        let trades = (0..trades)
            .map(|number| {
                let listing = random.usize(..listings.len());
                let proposer = (listings[listing].owner + random.usize(1..agents)) % agents;
                let goal = match random.u32(..10) {
                    0 if !listings[listing].auto_accept => Goal::Rejected,
                    1 => Goal::Cancelled { by: Role::Buyer },
                    2 => Goal::Cancelled { by: Role::Seller },
                    3 => Goal::Contested,
                    4 => Goal::Disputed,
                    _ => Goal::Completed,
                };
                let reviewed = random.bool();
                let reference = format!("trade-{number}");
                Trade { reference, listing, proposer, goal, reviewed }
            })
            .collect();
        Self { agents, listings, trades }
    }

    /// Returns the agent with this role in a trade.
    pub(crate) fn party(&self, trade: &Trade, role: &Role) -> usize {
        let listing = &self.listings[trade.listing];
        let owner = if listing.side == Side::Offer { Role::Seller } else { Role::Buyer };
        if *role == owner { listing.owner } else { trade.proposer }
    }
}

impl Listing {
    fn draw(random: &mut Rng, number: usize) -> Self {
        let side = if random.bool() { Side::Offer } else { Side::Request };
        Self {
            owner: number / LISTINGS_OF_AN_AGENT,
            slug: format!("listing-{number}"),
            cents: random.i64(1..100),
            bounty: side == Side::Request && random.bool(),
            auto_accept: random.u32(..4) == 0,
            end: [ListingEnd::Listed, ListingEnd::Retitled, ListingEnd::TakenDown]
                [random.usize(..3)],
            side,
        }
    }
}

impl Trade {
    /// Returns the next actions, and their agents, for a trade with this status.
    pub(crate) fn next(&self, plan: &Plan, status: &TradeStatus) -> Vec<(usize, Action)> {
        let listing = &plan.listings[self.listing];
        let by = |role| plan.party(self, &role);
        match (status, &self.goal) {
            (TradeStatus::Proposed, Goal::Rejected) => vec![(listing.owner, Action::Reject)],
            (TradeStatus::Proposed, _) => vec![(listing.owner, Action::Accept)],
            (TradeStatus::EscrowHeld, Goal::Cancelled { by: role }) => {
                vec![(by(role.clone()), Action::Cancel)]
            }
            (TradeStatus::EscrowHeld, Goal::Contested) => {
                vec![(by(Role::Buyer), Action::Cancel), (by(Role::Seller), Action::Deliver)]
            }
            (TradeStatus::EscrowHeld, _) => vec![(by(Role::Seller), Action::Deliver)],
            (TradeStatus::Delivered, Goal::Disputed) => vec![(by(Role::Buyer), Action::Dispute)],
            (TradeStatus::Delivered, _) => vec![(by(Role::Buyer), Action::Confirm)],
            _ => vec![],
        }
    }

    /// Returns whether a trade with this status has ended as planned.
    pub(crate) fn is_met(&self, status: &TradeStatus) -> bool {
        match self.goal {
            Goal::Rejected => *status == TradeStatus::Rejected,
            Goal::Cancelled { .. } => *status == TradeStatus::Cancelled,
            Goal::Contested => matches!(status, TradeStatus::Cancelled | TradeStatus::Completed),
            Goal::Completed => *status == TradeStatus::Completed,
            Goal::Disputed => *status == TradeStatus::Disputed,
        }
    }
}
