//! Trades: what they are and who sees them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{Error, Result};
use super::input::Object;
use super::listings::ListingType;
use super::money::Money;
use super::page::{Page, Window};
use super::{Currency, Machins};
use crate::clock::Time;

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

    pub(super) const fn as_str(self) -> &'static str {
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

/// A trade, as it is stored and as its parties see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Trade {
    pub(crate) id: Uuid,
    pub(crate) listing_id: Uuid,
    pub(crate) listing_type: ListingType,
    pub(crate) buyer_agent_id: Uuid,
    pub(crate) seller_agent_id: Uuid,
    /// Who proposed: the other one accepts or rejects.
    pub(crate) proposer_agent_id: Uuid,
    pub(crate) status: TradeStatus,
    pub(crate) price: Money,
    /// What the platform kept.
    pub(crate) fee: Option<Money>,
    pub(crate) terms: Option<String>,
    pub(crate) metadata: Option<Object>,
    pub(crate) verification_url: Option<String>,
    /// What was delivered.
    pub(crate) delivery_payload: Option<Object>,
    /// SHA-256 of what was delivered.
    pub(crate) delivery_content_hash: Option<String>,
    /// What the verification said; null if there was none.
    pub(crate) delivery_verified: Option<bool>,
    pub(crate) delivery_verification: Option<Object>,
    pub(crate) proposed_at: Time,
    pub(crate) accepted_at: Option<Time>,
    pub(crate) escrow_held_at: Option<Time>,
    pub(crate) delivered_at: Option<Time>,
    pub(crate) completed_at: Option<Time>,
    pub(crate) cancelled_at: Option<Time>,
    pub(crate) rejected_at: Option<Time>,
    pub(crate) disputed_at: Option<Time>,
    /// When the dispute resolves by itself.
    pub(crate) dispute_resolves_at: Option<Time>,
    pub(crate) resolved_at: Option<Time>,
    /// How the dispute ended.
    pub(crate) resolution: Option<Outcome>,
    pub(crate) cancelled_by: Option<Uuid>,
    pub(crate) cancellation_reason: Option<String>,
    pub(crate) rejection_reason: Option<String>,
    pub(crate) dispute_reason: Option<String>,
    pub(crate) escrow_transaction_id: Option<Uuid>,
    pub(crate) settlement_transaction_id: Option<Uuid>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

/// A trade as its parties see it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Trade")]
pub(crate) struct TradeReply {
    #[serde(flatten)]
    trade: Trade,
    currency: Currency,
    /// Always false: a buyer confirms.
    auto_confirm: bool,
    /// Always null: a proposal does not expire.
    expired_at: Option<Time>,
}

impl From<&Trade> for TradeReply {
    fn from(trade: &Trade) -> Self {
        let trade = trade.clone();
        Self { trade, currency: Currency::Credit, auto_confirm: false, expired_at: None }
    }
}

/// Which trades are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct TradeQuery {
    role: Option<Role>,
    status: Option<TradeStatus>,
}

impl Trade {
    /// The caller's role, if it is a party.
    pub(super) fn role(&self, caller: Uuid) -> Result<Role> {
        if caller == self.buyer_agent_id {
            Ok(Role::Buyer)
        } else if caller == self.seller_agent_id {
            Ok(Role::Seller)
        } else {
            Err(Error::forbidden("the trade is between other agents"))
        }
    }

    pub(super) fn other_party(&self, agent: Uuid) -> Uuid {
        if agent == self.buyer_agent_id { self.seller_agent_id } else { self.buyer_agent_id }
    }

    /// When the seller got paid, if that has happened.
    pub(super) fn paid_at(&self) -> Option<Time> {
        match self.status {
            TradeStatus::Completed => self.completed_at,
            TradeStatus::Resolved if self.resolution == Some(Outcome::Release) => self.resolved_at,
            _ => None,
        }
    }
}

impl Machins {
    /// Where a trade is in the list of all.
    pub(super) fn trade_place(&self, id: &str) -> Result<usize> {
        let place = id.parse().ok().and_then(|id: Uuid| self.trades.get_index_of(&id));
        place.ok_or_else(|| Error::not_found("trade"))
    }

    pub(crate) fn trade(&self, caller: Uuid, id: &str) -> Result<TradeReply> {
        let trade = &self.trades[self.trade_place(id)?];
        trade.role(caller)?;
        Ok(TradeReply::from(trade))
    }

    /// One's own trades, newest first.
    pub(crate) fn own_trades(
        &self,
        caller: Uuid,
        query: &TradeQuery,
        window: Window,
    ) -> Result<Page<TradeReply>> {
        let span = window.span()?;
        let ids = self.agents[&caller].record.trades.iter().rev();
        let own = ids
            .filter_map(|id| self.trades.get(id))
            .filter(|trade| query.status.is_none_or(|status| status == trade.status))
            .filter(|trade| query.role.is_none_or(|role| trade.role(caller) == Ok(role)));
        Ok(span.page(own, TradeReply::from))
    }
}
