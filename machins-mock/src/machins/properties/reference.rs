//! A platform as plain as it can be, which the one under test is compared with.

use crate::machins::error::ErrorCode;

pub(super) const AGENTS: usize = 5;
const DAY: u64 = 24;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Action {
    Accept,
    Reject,
    Cancel,
    Deliver(Option<bool>),
    Confirm,
    Dispute,
}

#[derive(Clone)]
pub(super) struct Listed {
    pub(super) owner: usize,
    pub(super) price: i64,
    pub(super) request: bool,
    pub(super) auto: bool,
    pub(super) bounty: Option<i64>,
    pub(super) active: bool,
    pub(super) expires: Option<u64>,
}

pub(super) struct Traded {
    pub(super) listing: usize,
    pub(super) buyer: usize,
    pub(super) seller: usize,
    pub(super) price: i64,
    pub(super) status: &'static str,
    pub(super) verified: Option<bool>,
    pub(super) resolves: Option<u64>,
}

/// A platform without indexes or other derived data: amounts in hundredths, times in hours.
#[derive(Default)]
pub(super) struct Reference {
    pub(super) available: [i64; AGENTS],
    pub(super) held: [i64; AGENTS],
    pub(super) fees: i64,
    pub(super) listings: Vec<Listed>,
    pub(super) trades: Vec<Traded>,
    pub(super) now: u64,
}

/// The resulting state, or the code of the refusal.
pub(super) type Expected = std::result::Result<&'static str, ErrorCode>;

impl Reference {
    pub(super) fn hold(&mut self, agent: usize, amount: i64) -> bool {
        let enough = self.available[agent] >= amount;
        if enough {
            self.available[agent] -= amount;
            self.held[agent] += amount;
        }
        enough
    }

    pub(super) fn wait(&mut self, hours: u64) {
        for now in self.now + 1..=self.now + hours {
            self.now = now;
            for listing in 0..self.listings.len() {
                if self.listings[listing].expires.is_some_and(|at| at <= now) {
                    self.close(listing);
                }
            }
            for trade in 0..self.trades.len() {
                if self.trades[trade].status == "disputed"
                    && self.trades[trade].resolves.is_some_and(|at| at <= now)
                {
                    let verified = self.trades[trade].verified == Some(true);
                    let settle = if verified { Self::release } else { Self::refund };
                    settle(self, trade);
                    self.trades[trade].status = "resolved";
                }
            }
        }
    }

    pub(super) fn close(&mut self, listing: usize) {
        let listing = &mut self.listings[listing];
        listing.active = false;
        if let Some(bounty) = listing.bounty.take() {
            self.held[listing.owner] -= bounty;
            self.available[listing.owner] += bounty;
        }
    }

    fn refund(&mut self, trade: usize) {
        let Traded { buyer, price, .. } = self.trades[trade];
        self.held[buyer] -= price;
        self.available[buyer] += price;
    }

    fn release(&mut self, trade: usize) {
        let Traded { buyer, seller, price, .. } = self.trades[trade];
        let fee = (price + 10) / 20;
        self.held[buyer] -= price;
        self.available[seller] += price - fee;
        self.fees += fee;
    }

    fn accept(&mut self, trade: usize) -> Expected {
        let Traded { listing, buyer, price, .. } = self.trades[trade];
        let bounty = self.listings[listing].bounty.unwrap_or(0);
        if self.available[buyer] + bounty < price {
            return Err(ErrorCode::InsufficientFunds);
        }
        self.available[buyer] += bounty - price;
        self.held[buyer] += price - bounty;
        self.listings[listing].bounty = None;
        self.trades[trade].status = "escrow_held";
        Ok("escrow_held")
    }

    /// Agents 0 and 1 are starters.
    pub(super) fn propose(&mut self, me: usize, number: usize) -> Expected {
        let listing = self.listings[number].clone();
        if listing.owner == me {
            return Err(ErrorCode::Forbidden);
        }
        if !listing.active {
            return Err(ErrorCode::InvalidTransition);
        }
        if listing.price > 10_000 && (me < 2 || listing.owner < 2) {
            return Err(ErrorCode::Forbidden);
        }
        let (buyer, seller) =
            if listing.request { (listing.owner, me) } else { (me, listing.owner) };
        self.trades.push(Traded {
            listing: number,
            buyer,
            seller,
            price: listing.price,
            status: "proposed",
            verified: None,
            resolves: None,
        });
        if listing.auto {
            self.accept(self.trades.len() - 1).or(Ok("proposed"))
        } else {
            Ok("proposed")
        }
    }

    /// Who may do this.
    pub(super) fn actor(&self, trade: usize, action: Action) -> usize {
        let trade_record = &self.trades[trade];
        match action {
            Action::Accept | Action::Reject => self.listings[trade_record.listing].owner,
            Action::Deliver(_) | Action::Cancel => trade_record.seller,
            Action::Confirm | Action::Dispute => trade_record.buyer,
        }
    }

    pub(super) fn act(&mut self, me: usize, trade: usize, action: Action) -> Expected {
        let Traded { buyer, seller, status, verified, .. } = self.trades[trade];
        let anyone = action == Action::Cancel && (me == buyer || me == seller);
        if me != self.actor(trade, action) && !anyone {
            return Err(ErrorCode::Forbidden);
        }
        let (from, to) = match action {
            Action::Accept => ("proposed", "escrow_held"),
            Action::Reject => ("proposed", "rejected"),
            Action::Cancel => ("escrow_held", "cancelled"),
            Action::Deliver(_) => ("escrow_held", "delivered"),
            Action::Confirm => ("delivered", "completed"),
            Action::Dispute => ("delivered", "disputed"),
        };
        if status != from {
            return Err(ErrorCode::InvalidTransition);
        }
        match action {
            Action::Accept => return self.accept(trade),
            Action::Reject => {}
            Action::Cancel => self.refund(trade),
            Action::Deliver(accepted) => self.trades[trade].verified = accepted,
            Action::Confirm => self.release(trade),
            Action::Dispute => {
                let hours = if verified == Some(true) { 7 * DAY } else { DAY };
                self.trades[trade].resolves = Some(self.now + hours);
            }
        }
        self.trades[trade].status = to;
        Ok(to)
    }
}
