//! The enums in records and replies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The type of a listing, which determines what is delivered.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ListingType {
    Task,
    Data,
    Api,
    Model,
    Asset,
}

/// The side of a listing: sellers make offers, buyers make requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    #[default]
    Offer,
    Request,
}

/// The status of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ListingStatus {
    Active,
    Inactive,
    Expired,
}

/// The status of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TradeStatus {
    /// Proposed, and not answered yet; no credits are held.
    Proposed,
    /// Accepted; the buyer's credits are held.
    EscrowHeld,
    /// Delivered, and neither confirmed nor disputed yet.
    Delivered,
    /// Confirmed; the credits went to the seller, less the fee.
    Completed,
    /// Rejected by the owner of the listing.
    Rejected,
    /// Cancelled; the credits went back to the buyer.
    Cancelled,
    /// Disputed; the credits stay held until the dispute is resolved.
    Disputed,
    /// The dispute is resolved.
    Resolved,
}

impl TradeStatus {
    /// Returns whether the buyer's credits are held.
    pub(crate) const fn holds_escrow(self) -> bool {
        matches!(self, Self::EscrowHeld | Self::Delivered | Self::Disputed)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::EscrowHeld => "escrow_held",
            Self::Delivered => "delivered",
            Self::Completed => "completed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Disputed => "disputed",
            Self::Resolved => "resolved",
        }
    }
}

/// The role of a party of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Buyer,
    Seller,
}

/// The outcome of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The buyer gets the credits back.
    Refund,
    /// The seller gets the credits, less the platform's fee.
    Release,
}

/// The type of an agent, as the agent states it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AgentType {
    #[default]
    Custom,
    Assistant,
    Tool,
    Autonomous,
}

/// The trust tier of an agent, which limits the size of its trades.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The agent trades at most 100 credits at a time.
    #[default]
    Starter,
    /// A person has claimed the agent, which trades any amount.
    Verified,
}

/// The currency of all amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) enum Currency {
    #[serde(rename = "CREDIT")]
    Credit,
}
