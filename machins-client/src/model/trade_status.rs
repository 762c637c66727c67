//! The states of a trade, and which party may take which action in each
//! ([reference](https://machins.co/docs): Trade Lifecycle).
//!
//! ```text
//! proposed ──► escrow_held ──► delivered ──► completed
//!    │              │              │
//!    ▼              ▼              ▼
//! rejected      cancelled      disputed ──► resolved
//! ```

use agent_client_core::open_enum;

use crate::model::listing::Side;

open_enum! {
    /// The state of a trade ([reference](https://machins.co/docs): Trade Lifecycle).
    pub enum TradeStatus {
        /// The trade is proposed, and no credits are held yet.
        Proposed = "proposed",
        /// The proposal was accepted, and the buyer's credits are held in escrow.
        EscrowHeld = "escrow_held",
        /// The seller delivered, and the buyer has to confirm or dispute the delivery.
        Delivered = "delivered",
        /// The buyer confirmed the delivery, and the seller received the credits less the fee.
        Completed = "completed",
        /// The proposal was rejected before any credits were held.
        Rejected = "rejected",
        /// The trade was cancelled, and the held credits were returned to the buyer.
        Cancelled = "cancelled",
        /// The buyer disputed the delivery, and the credits stay held until the platform decides.
        Disputed = "disputed",
        /// The platform decided the dispute for one of the parties.
        Resolved = "resolved",
    }
}

open_enum! {
    /// The role of an agent in a trade.
    pub enum Role {
        /// The agent that pays the price.
        Buyer = "buyer",
        /// The agent that delivers and is paid.
        Seller = "seller",
    }
}

/// An action that a party of a trade can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// The listing's owner accepts the proposal.
    Accept,
    /// The listing's owner rejects the proposal.
    Reject,
    /// Either party cancels the trade before the delivery.
    Cancel,
    /// The seller delivers what was agreed.
    Deliver,
    /// The buyer confirms the delivery.
    Confirm,
    /// The buyer disputes the delivery.
    Dispute,
}

impl Action {
    /// All actions, in the order of a trade's life.
    pub const ALL: [Self; 6] =
        [Self::Accept, Self::Reject, Self::Cancel, Self::Deliver, Self::Confirm, Self::Dispute];

    /// Returns the state in which the action is possible.
    #[must_use]
    pub fn from(self) -> TradeStatus {
        match self {
            Self::Accept | Self::Reject => TradeStatus::Proposed,
            Self::Cancel | Self::Deliver => TradeStatus::EscrowHeld,
            Self::Confirm | Self::Dispute => TradeStatus::Delivered,
        }
    }

    /// Returns the state that the action leads to.
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
}

/// One of the two parties of a trade: its role, and whether it owns the listing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Party {
    role: Role,
    owns_listing: bool,
}

impl Party {
    /// Creates the party with this role in a trade on a listing of this side. The seller owns an
    /// offer, the buyer owns a request.
    #[must_use]
    pub fn new(role: Role, side: &Side) -> Self {
        let owner = match side {
            Side::Offer => Some(Role::Seller),
            Side::Request => Some(Role::Buyer),
            Side::Unknown(_) => None,
        };
        Self { owns_listing: owner.as_ref() == Some(&role), role }
    }

    /// Whether this party may take the action when the trade is in the right state.
    fn may_take(&self, action: Action) -> bool {
        match action {
            Action::Accept | Action::Reject => self.owns_listing,
            Action::Cancel => matches!(self.role, Role::Buyer | Role::Seller),
            Action::Deliver => self.role == Role::Seller,
            Action::Confirm | Action::Dispute => self.role == Role::Buyer,
        }
    }
}

impl TradeStatus {
    /// Returns the actions that a party may take in this state.
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
            .filter(|action| action.from() == *self && party.may_take(*action))
            .collect()
    }

    /// Returns whether the trade can no longer change.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Rejected | Self::Cancelled | Self::Resolved)
    }

    /// Returns whether a trade in this state is or has been in the `earlier` one. Returns `None` if
    /// this version of the crate does not know this state.
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
    use rstest::rstest;

    use super::Action::{Accept, Cancel, Confirm, Deliver, Dispute, Reject};
    use super::TradeStatus::{Delivered, EscrowHeld, Proposed};
    use super::*;

    #[rstest]
    fn an_action_leads_to_a_later_state(
        #[values(Accept, Reject, Cancel, Deliver, Confirm, Dispute)] action: Action,
    ) {
        assert_eq!(action.to().has_passed(&action.from()), Some(true));
        assert_eq!(action.from().has_passed(&action.to()), Some(false));
    }

    #[rstest]
    #[case::seller_of_an_offer(Proposed, Role::Seller, Side::Offer, &[Accept, Reject])]
    #[case::buyer_of_an_offer(Proposed, Role::Buyer, Side::Offer, &[])]
    #[case::buyer_of_a_request(Proposed, Role::Buyer, Side::Request, &[Accept, Reject])]
    #[case::seller_of_a_request(Proposed, Role::Seller, Side::Request, &[])]
    #[case::seller_with_escrow(EscrowHeld, Role::Seller, Side::Offer, &[Cancel, Deliver])]
    #[case::buyer_with_escrow(EscrowHeld, Role::Buyer, Side::Request, &[Cancel])]
    #[case::buyer_after_delivery(Delivered, Role::Buyer, Side::Offer, &[Confirm, Dispute])]
    #[case::seller_after_delivery(Delivered, Role::Seller, Side::Request, &[])]
    fn only_the_right_party_may_act(
        #[case] status: TradeStatus,
        #[case] role: Role,
        #[case] side: Side,
        #[case] actions: &[Action],
    ) {
        assert_eq!(status.actions(&Party::new(role, &side)), actions);
    }

    #[rstest]
    fn no_action_is_possible_in_other_states(
        #[values("completed", "rejected", "cancelled", "resolved", "disputed", "new_state")]
        status: &str,
        #[values(Role::Buyer, Role::Seller)] role: Role,
        #[values(Side::Offer, Side::Request)] side: Side,
    ) {
        assert_eq!(TradeStatus::from(status).actions(&Party::new(role, &side)), []);
    }

    #[test]
    fn a_resolved_trade_is_final_and_a_disputed_one_is_not() {
        assert!(TradeStatus::Resolved.is_final());
        assert!(!TradeStatus::Disputed.is_final());
    }

    #[test]
    fn what_an_unknown_state_has_passed_is_unknown() {
        assert_eq!(TradeStatus::from("new_state").has_passed(&Proposed), None);
    }
}
