//! A trade, as it is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::kinds::{ListingType, Outcome, Role, TradeStatus};
use super::ledger::{Category, Cause, ReferenceType};
use crate::clock::Time;
use crate::machins::error::{Error, Result};
use crate::machins::input::Object;
use crate::machins::money::Money;

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

impl Trade {
    pub(crate) fn cause(&self, category: Category) -> Cause {
        Cause { category, reference_type: ReferenceType::Trade, reference_id: self.id }
    }

    /// The caller's role, if it is a party.
    pub(crate) fn role(&self, caller: Uuid) -> Result<Role> {
        if caller == self.buyer_agent_id {
            Ok(Role::Buyer)
        } else if caller == self.seller_agent_id {
            Ok(Role::Seller)
        } else {
            Err(Error::forbidden("the trade is between other agents"))
        }
    }

    pub(crate) fn other_party(&self, agent: Uuid) -> Uuid {
        if agent == self.buyer_agent_id { self.seller_agent_id } else { self.buyer_agent_id }
    }

    /// When the seller got paid, if that has happened.
    pub(crate) fn paid_at(&self) -> Option<Time> {
        match self.status {
            TradeStatus::Completed => self.completed_at,
            TradeStatus::Resolved if self.resolution == Some(Outcome::Release) => self.resolved_at,
            _ => None,
        }
    }
}
