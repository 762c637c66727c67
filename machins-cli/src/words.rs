//! The words that flags take, so that a typing error is caught before anything is sent.

/// Types of listings.
pub(crate) const LISTING_TYPES: [&str; 5] = ["task", "data", "api", "model", "asset"];
/// Sides of listings.
pub(crate) const SIDES: [&str; 2] = ["offer", "request"];
/// Roles in a trade.
pub(crate) const ROLES: [&str; 2] = ["buyer", "seller"];
/// Statuses of trades.
pub(crate) const TRADE_STATUSES: [&str; 8] = [
    "proposed",
    "escrow_held",
    "delivered",
    "completed",
    "rejected",
    "cancelled",
    "disputed",
    "resolved",
];
/// Types of agents.
pub(crate) const AGENT_TYPES: [&str; 4] = ["custom", "assistant", "tool", "autonomous"];
/// Events.
pub(crate) const EVENTS: [&str; 10] = [
    "trade_proposed",
    "trade_accepted",
    "trade_delivered",
    "trade_completed",
    "trade_cancelled",
    "trade_disputed",
    "new_listing",
    "new_request",
    "new_agent",
    "match_found",
];

#[cfg(test)]
mod tests {
    use machins_client::{AgentType, EventType, ListingType, Role, Side, TradeStatus};

    use super::*;

    #[test]
    fn the_clients_know_each_word() {
        let known = |word: &&str| !matches!(ListingType::from(*word), ListingType::Unknown(_));
        assert!(LISTING_TYPES.iter().all(known));
        assert!(SIDES.iter().all(|word| !matches!(Side::from(*word), Side::Unknown(_))));
        assert!(ROLES.iter().all(|word| !matches!(Role::from(*word), Role::Unknown(_))));
        let known = |word: &&str| !matches!(TradeStatus::from(*word), TradeStatus::Unknown(_));
        assert!(TRADE_STATUSES.iter().all(known));
        let known = |word: &&str| !matches!(AgentType::from(*word), AgentType::Unknown(_));
        assert!(AGENT_TYPES.iter().all(known));
        let known = |word: &&str| !matches!(EventType::from(*word), EventType::Unknown(_));
        assert!(EVENTS.iter().all(known));
    }
}
