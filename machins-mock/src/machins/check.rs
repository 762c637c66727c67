//! The invariants of the platform, which must hold after every operation.

use std::collections::HashMap;

use uuid::Uuid;

use super::money::Money;
use super::platform::Machins;
use super::records::Account;

/// The largest world that is checked after every operation of a debug build.
const SMALL: usize = 200;
/// The number of operations between two checks of a larger world.
const RARELY: u64 = 256;

impl Machins {
    /// Checks the invariants in debug builds: after every operation in a small world, and from time
    /// to time in a large one.
    pub(super) fn check_sometimes(&mut self) {
        if cfg!(debug_assertions) {
            self.operations.0 = self.operations.0.wrapping_add(1);
            let small = self.trades.len() + self.listings.len() + self.agents.len() <= SMALL;
            if small || self.operations.0 % RARELY == 0 {
                let checked = self.check();
                debug_assert_eq!(checked, Ok(()));
            }
        }
    }

    /// Returns an error if an invariant does not hold.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.ledger.total() != Money::ZERO {
            return Err("the ledger does not sum to zero");
        }
        let below_zero = |(account, balance): (Account, Money)| {
            account != Account::Issuance && balance.is_negative()
        };
        if self.ledger.accounts().any(below_zero) {
            return Err("an account is below zero");
        }
        let mut held: HashMap<Uuid, Money> = HashMap::new();
        let mut tally = |agent: Uuid, amount: Money| {
            let sum = held.entry(agent).or_default();
            *sum = sum.plus(amount);
        };
        for trade in self.trades.values().filter(|trade| trade.status.holds_escrow()) {
            tally(trade.buyer_agent_id, trade.price);
        }
        for listing in self.listings.values() {
            if let Some(bounty) = listing.bounty_amount {
                if !listing.is_active() {
                    return Err("an inactive listing has a bounty");
                }
                tally(listing.seller_agent_id, bounty);
            }
        }
        let held_by = |agent: Uuid| held.get(&agent).copied().unwrap_or_default();
        let off =
            self.agents.keys().any(|id| self.ledger.balance(Account::Held(*id)) != held_by(*id));
        if off {
            return Err("the held credits are not those of the open escrows and bounties");
        }
        let active = self.listings.values().filter(|listing| listing.is_active()).count();
        if active != self.search_index.len() {
            return Err("the search index does not contain exactly the active listings");
        }
        Ok(())
    }
}
