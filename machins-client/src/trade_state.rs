//! The life of a trade: its states, who may do what in which, and where that leads.
//!
//! ```text
//! proposed ──► escrow_held ──► delivered ──► completed
//!    │              │              │
//!    ▼              ▼              ▼
//! rejected      cancelled      disputed ──► resolved
//! ```

use agent_client_core::open_enum;

use crate::listings::Side;

open_enum! {
    /// Where a trade stands.
    pub enum TradeStatus {
        /// Proposed; nothing is held yet.
        Proposed = "proposed",
        /// Accepted; the buyer's credits are held.
        EscrowHeld = "escrow_held",
        /// Delivered; the buyer has to say something.
        Delivered = "delivered",
        /// Confirmed; the seller has the credits, less the fee.
        Completed = "completed",
        /// Rejected; nothing was held.
        Rejected = "rejected",
        /// Cancelled; the buyer has the credits back.
        Cancelled = "cancelled",
        /// The buyer disputes the delivery; the credits stay held.
        Disputed = "disputed",
        /// The dispute is over, one way or the other.
        Resolved = "resolved",
    }
}

open_enum! {
    /// Which end of a trade an agent is at.
    pub enum Role {
        /// It pays.
        Buyer = "buyer",
        /// It delivers.
        Seller = "seller",
    }
}

/// Something that a party does to a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// The listing's owner takes the proposal.
    Accept,
    /// The listing's owner declines it.
    Reject,
    /// Either party calls it off before the delivery.
    Cancel,
    /// The seller delivers.
    Deliver,
    /// The buyer is content.
    Confirm,
    /// The buyer is not.
    Dispute,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 6] =
        [Self::Accept, Self::Reject, Self::Cancel, Self::Deliver, Self::Confirm, Self::Dispute];

    /// The state in which it is possible.
    #[must_use]
    pub fn from(self) -> TradeStatus {
        match self {
            Self::Accept | Self::Reject => TradeStatus::Proposed,
            Self::Cancel | Self::Deliver => TradeStatus::EscrowHeld,
            Self::Confirm | Self::Dispute => TradeStatus::Delivered,
        }
    }

    /// The state that it leads to.
    #[must_use]
    pub fn to(self) -> TradeStatus {
        match self {
            Self::Accept => TradeStatus::EscrowHeld,
            Self::Reject => TradeStatus::Rejected,
            Self::Cancel => TradeStatus::Cancelled,
            Self::Deliver => TradeStatus::Delivered,
            Self::Confirm => TradeStatus::Completed,
            Self::Dispute => TradeStatus::Disputed,
        }
    }

    /// The last part of its path: `accept`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Cancel => "cancel",
            Self::Deliver => "deliver",
            Self::Confirm => "confirm",
            Self::Dispute => "dispute",
        }
    }
}

/// One of the two in a trade: its role, and whether the listing is its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Party {
    role: Role,
    owns_listing: bool,
}

impl Party {
    /// The party of this role in a trade on a listing of this side. An offer is the seller's, a
    /// request the buyer's.
    #[must_use]
    pub fn new(role: Role, side: &Side) -> Self {
        let owner = match side {
            Side::Offer => Some(Role::Seller),
            Side::Request => Some(Role::Buyer),
            Side::Unknown(_) => None,
        };
        Self { owns_listing: owner.as_ref() == Some(&role), role }
    }

    /// Whether this party is one that may take this action, in whatever state.
    fn is_entitled(&self, action: Action) -> bool {
        match action {
            Action::Accept | Action::Reject => self.owns_listing,
            Action::Cancel => matches!(self.role, Role::Buyer | Role::Seller),
            Action::Deliver => self.role == Role::Seller,
            Action::Confirm | Action::Dispute => self.role == Role::Buyer,
        }
    }
}

impl TradeStatus {
    /// What this party may do now.
    ///
    /// ```
    /// use machins_client::{Action, Party, Role, Side, TradeStatus};
    ///
    /// let seller = Party::new(Role::Seller, &Side::Offer);
    /// assert_eq!(TradeStatus::Proposed.actions(&seller), [Action::Accept, Action::Reject]);
    /// assert_eq!(TradeStatus::Delivered.actions(&seller), []);
    /// ```
    #[must_use]
    pub fn actions(&self, party: &Party) -> Vec<Action> {
        Action::ALL
            .into_iter()
            .filter(|action| action.from() == *self && party.is_entitled(*action))
            .collect()
    }

    /// Whether nothing can happen to the trade any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Rejected | Self::Cancelled | Self::Resolved)
    }

    /// Whether a trade that stands here has been `earlier` before, or is it now. `None` for a
    /// state that this version does not know.
    #[must_use]
    pub fn has_passed(&self, earlier: &Self) -> Option<bool> {
        if self == earlier {
            return Some(true);
        }
        let before = match self {
            Self::Proposed => return Some(false),
            Self::EscrowHeld | Self::Rejected => Self::Proposed,
            Self::Delivered | Self::Cancelled => Self::EscrowHeld,
            Self::Completed | Self::Disputed => Self::Delivered,
            Self::Resolved => Self::Disputed,
            Self::Unknown(_) => return None,
        };
        before.has_passed(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::Action::{Accept, Cancel, Confirm, Deliver, Dispute, Reject};
    use super::TradeStatus::{Delivered, EscrowHeld, Proposed};
    use super::*;

    #[test]
    fn every_action_leads_on_and_only_the_entitled_take_it() {
        for action in Action::ALL {
            assert_eq!(action.to().has_passed(&action.from()), Some(true), "{action:?}");
            assert_eq!(action.from().has_passed(&action.to()), Some(false), "{action:?}");
        }
        let party = |role, side| Party::new(role, &side);
        for (status, party, actions) in [
            (Proposed, party(Role::Seller, Side::Offer), vec![Accept, Reject]),
            (Proposed, party(Role::Buyer, Side::Offer), vec![]),
            (Proposed, party(Role::Buyer, Side::Request), vec![Accept, Reject]),
            (Proposed, party(Role::Seller, Side::Request), vec![]),
            (EscrowHeld, party(Role::Seller, Side::Offer), vec![Cancel, Deliver]),
            (EscrowHeld, party(Role::Buyer, Side::Request), vec![Cancel]),
            (Delivered, party(Role::Buyer, Side::Offer), vec![Confirm, Dispute]),
            (Delivered, party(Role::Seller, Side::Request), vec![]),
        ] {
            assert_eq!(status.actions(&party), actions, "{status} {party:?}");
        }
    }

    #[test]
    fn from_a_final_state_nothing_is_possible() {
        for status in ["completed", "rejected", "cancelled", "resolved", "disputed", "new_state"] {
            let status = TradeStatus::from(status);
            for role in [Role::Buyer, Role::Seller] {
                for side in [Side::Offer, Side::Request] {
                    assert_eq!(status.actions(&Party::new(role.clone(), &side)), []);
                }
            }
        }
        assert!(TradeStatus::Resolved.is_final() && !TradeStatus::Disputed.is_final());
        assert_eq!(TradeStatus::from("new_state").has_passed(&TradeStatus::Proposed), None);
    }
}
