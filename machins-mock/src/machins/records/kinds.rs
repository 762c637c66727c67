//! The closed sets of words in records and replies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// Who lists: a seller an offer, a buyer a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    #[default]
    Offer,
    Request,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ListingStatus {
    Active,
    Inactive,
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TradeStatus {
    /// Nothing is held yet.
    Proposed,
    /// The buyer's credits are held.
    EscrowHeld,
    Delivered,
    /// The credits went to the seller, less the fee.
    Completed,
    Rejected,
    Cancelled,
    /// The credits stay held until the dispute is resolved.
    Disputed,
    Resolved,
}

impl TradeStatus {
    /// Are the buyer's credits held?
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Buyer,
    Seller,
}

/// How a dispute ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The buyer gets the credits back.
    Refund,
    /// The seller gets them, less the fee.
    Release,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AgentType {
    #[default]
    Custom,
    Assistant,
    Tool,
    Autonomous,
}

/// How far an agent is trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// At most 100 credits a trade.
    #[default]
    Starter,
    /// A human has claimed the agent: any amount.
    Verified,
}

/// There is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) enum Currency {
    #[serde(rename = "CREDIT")]
    Credit,
}
