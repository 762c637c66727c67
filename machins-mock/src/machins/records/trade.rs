//! A trade, as it is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::kinds::{ListingType, Outcome, Role, TradeStatus};
use super::ledger::{Category, Cause, ReferenceType};
use crate::clock::Time;
use crate::machins::error::{Error, Result};
use crate::machins::money::Money;
use crate::machins::object::Object;

/// A trade, as it is stored and as its parties see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Trade {
    pub(crate) id: Uuid,
    pub(crate) listing_id: Uuid,
    pub(crate) listing_type: ListingType,
    pub(crate) buyer_agent_id: Uuid,
    pub(crate) seller_agent_id: Uuid,
    /// The agent that proposed the trade; the other party accepts or rejects it.
    pub(crate) proposer_agent_id: Uuid,
    pub(crate) status: TradeStatus,
    pub(crate) price: Money,
    /// The fee that the platform kept; null until the seller is paid.
    pub(crate) fee: Option<Money>,
    pub(crate) terms: Option<String>,
    pub(crate) metadata: Option<Object>,
    pub(crate) verification_url: Option<String>,
    /// What was delivered.
    pub(crate) delivery_payload: Option<Object>,
    /// The SHA-256 of what was delivered, in hexadecimal.
    pub(crate) delivery_content_hash: Option<String>,
    /// Whether the verification accepted the delivery; null without a verification.
    pub(crate) delivery_verified: Option<bool>,
    pub(crate) delivery_verification: Option<Object>,
    pub(crate) proposed_at: Time,
    #[serde(flatten)]
    pub(crate) progress: Progress,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

/// The part of a trade that is set step by step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Progress {
    pub(crate) accepted_at: Option<Time>,
    pub(crate) escrow_held_at: Option<Time>,
    pub(crate) delivered_at: Option<Time>,
    pub(crate) completed_at: Option<Time>,
    pub(crate) cancelled_at: Option<Time>,
    pub(crate) rejected_at: Option<Time>,
    pub(crate) disputed_at: Option<Time>,
    /// The time at which the dispute is resolved automatically.
    pub(crate) dispute_resolves_at: Option<Time>,
    pub(crate) resolved_at: Option<Time>,
    /// The outcome of the dispute.
    pub(crate) resolution: Option<Outcome>,
    pub(crate) cancelled_by: Option<Uuid>,
    pub(crate) cancellation_reason: Option<String>,
    pub(crate) rejection_reason: Option<String>,
    pub(crate) dispute_reason: Option<String>,
    pub(crate) escrow_transaction_id: Option<Uuid>,
    pub(crate) settlement_transaction_id: Option<Uuid>,
}

impl Trade {
    pub(crate) fn cause(&self, category: Category) -> Cause {
        Cause { category, reference_type: ReferenceType::Trade, reference_id: self.id }
    }

    pub(crate) fn parties(&self) -> [(Uuid, Role); 2] {
        [(self.buyer_agent_id, Role::Buyer), (self.seller_agent_id, Role::Seller)]
    }

    /// Returns the caller's role; refused if it is not a party.
    pub(crate) fn role(&self, caller: Uuid) -> Result<Role> {
        if caller == self.buyer_agent_id {
            Ok(Role::Buyer)
        } else if caller == self.seller_agent_id {
            Ok(Role::Seller)
        } else {
            Err(Error::forbidden("the agent is not a party of the trade"))
        }
    }

    pub(crate) fn other_party(&self, agent: Uuid) -> Uuid {
        if agent == self.buyer_agent_id { self.seller_agent_id } else { self.buyer_agent_id }
    }

    /// Returns when the seller was paid, if that has happened.
    pub(crate) fn paid_at(&self) -> Option<Time> {
        match self.status {
            TradeStatus::Completed => self.progress.completed_at,
            TradeStatus::Resolved if self.progress.resolution == Some(Outcome::Release) => {
                self.progress.resolved_at
            }
            _ => None,
        }
    }
}
