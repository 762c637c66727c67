//! The actions on a trade: in which state each is possible, and for which party.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::context::{Context, EventType};
use super::error::{Error, Result};
use super::input::{self, MAX_DESCRIPTION, MAX_REASON};
use super::mac::hex;
use super::object::Object;
use super::payload::Delivery;
use super::platform::{Machins, Timer};
use super::records::{Outcome, Progress, Role, Side, Tier, Trade, TradeStatus};
use super::rules::STARTER_MAX_TRADE;
use super::trades::TradeReply;
use super::verification::{Callback, Verification};

/// The time after which a dispute about an unverified delivery is resolved with a refund.
const REFUND_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The time after which a dispute about a verified delivery is resolved with a release.
const RELEASE_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A trade to propose.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Proposal {
    pub(super) listing_id: String,
    /// A message to the other party.
    pub(super) terms: Option<String>,
    pub(super) metadata: Option<Object>,
    /// The URL that deliveries are posted to for verification; on a request, by default its
    /// `delivery_callback_url`.
    pub(super) verification_url: Option<String>,
}

/// The reason for a rejection, a cancellation or a dispute.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct Reason {
    reason: Option<String>,
}

/// Refuses unless the trade has this status.
fn expect_status(trade: &Trade, expected: TradeStatus, action: &str) -> Result<()> {
    if trade.status == expected {
        return Ok(());
    }
    let (actual, expected) = (trade.status.as_str(), expected.as_str());
    let message = format!("only a trade that is {expected} can be {action}; this one is {actual}");
    Err(Error::transition(message).detail("status", actual))
}

fn expect_role(trade: &Trade, caller: Uuid, role: Role, action: &str) -> Result<()> {
    if trade.role(caller)? == role {
        return Ok(());
    }
    let party = if role == Role::Buyer { "buyer" } else { "seller" };
    Err(Error::forbidden(format!("only the {party} can {action} this trade")))
}

impl Machins {
    /// Proposes a trade: on an offer the proposer buys, on a request it sells.
    pub(crate) fn propose(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        proposal: Proposal,
    ) -> Result<TradeReply> {
        input::text("terms", proposal.terms.as_deref(), MAX_DESCRIPTION)?;
        input::object("metadata", proposal.metadata.as_ref())?;
        input::url("verification_url", proposal.verification_url.as_deref())?;
        let listing = proposal.listing_id.parse().ok();
        let listing = listing.and_then(|id: Uuid| self.listings.get(&id));
        let listing = listing.ok_or_else(|| Error::not_found("listing"))?;
        let owner = listing.seller_agent_id;
        if owner == caller {
            return Err(Error::forbidden("an agent cannot trade on its own listing"));
        }
        if !listing.is_active() {
            return Err(Error::transition("the listing is not active"));
        }
        let starter = [caller, owner].iter().any(|party| self.agents[party].tier == Tier::Starter);
        if starter && listing.price > STARTER_MAX_TRADE {
            let message = format!(
                "an agent of the starter tier can trade at most {STARTER_MAX_TRADE} credits"
            );
            return Err(Error::forbidden(message).detail("upgrade", "POST /api/v1/claim/<token>"));
        }
        let (buyer, seller) = match listing.side {
            Side::Offer => (caller, owner),
            Side::Request => (owner, caller),
        };
        // On a request the listing is the buyer's, and so is its address.
        let buyers_url = listing.delivery_callback_url.as_ref();
        let buyers_url = buyers_url.filter(|_| listing.side == Side::Request);
        let trade = Trade {
            id: cx.random.uuid(),
            listing_id: listing.id,
            listing_type: listing.listing_type,
            buyer_agent_id: buyer,
            seller_agent_id: seller,
            proposer_agent_id: caller,
            status: TradeStatus::Proposed,
            price: listing.price,
            fee: None,
            terms: proposal.terms,
            metadata: proposal.metadata,
            verification_url: proposal.verification_url.or_else(|| buyers_url.cloned()),
            delivery_payload: None,
            delivery_content_hash: None,
            delivery_verified: None,
            delivery_verification: None,
            proposed_at: cx.now,
            progress: Progress::default(),
            created_at: cx.now,
            updated_at: cx.now,
        };
        let auto_accept = listing.auto_accept;
        self.notify(cx, EventType::TradeProposed, &trade, owner);
        let index = self.add_trade(trade);
        if auto_accept {
            // A buyer without the credits leaves the trade proposed, as a refused acceptance does.
            let _ = self.hold_escrow(cx, index);
        }
        Ok(TradeReply::from(&self.trades[index]))
    }

    /// Adds a trade to every index.
    pub(crate) fn add_trade(&mut self, trade: Trade) -> usize {
        let index = self.trades.len();
        for (party, role) in trade.parties() {
            if let Some(agent) = self.agents.get_mut(&party) {
                agent.record.trades.add(index, role, trade.status);
            }
        }
        if let (TradeStatus::Disputed, Some(at)) =
            (trade.status, trade.progress.dispute_resolves_at)
        {
            self.timers.insert((at, Timer::Dispute(trade.id)));
        }
        self.trades.insert(trade.id, trade);
        index
    }

    /// Sets the status of a trade, and updates every index. Returns the trade.
    pub(super) fn set_status(&mut self, index: usize, status: TradeStatus) -> &mut Trade {
        let trade = &mut self.trades[index];
        for (party, role) in trade.parties() {
            if let Some(agent) = self.agents.get_mut(&party) {
                agent.record.trades.change_status(index, role, trade.status, status);
            }
        }
        trade.status = status;
        trade
    }

    pub(crate) fn accept(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
    ) -> Result<TradeReply> {
        let index = self.proposed_to(caller, id, "accepted")?;
        self.hold_escrow(cx, index)?;
        Ok(TradeReply::from(&self.trades[index]))
    }

    pub(crate) fn reject(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
        Reason { reason }: Reason,
    ) -> Result<TradeReply> {
        let index = self.proposed_to(caller, id, "rejected")?;
        input::text("reason", reason.as_deref(), MAX_REASON)?;
        let trade = self.set_status(index, TradeStatus::Rejected);
        trade.progress.rejected_at = Some(cx.now);
        trade.progress.rejection_reason = reason;
        trade.updated_at = cx.now;
        Ok(TradeReply::from(&*trade))
    }

    /// Returns the index of a trade that was proposed to the caller and is not answered yet.
    fn proposed_to(&self, caller: Uuid, id: &str, action: &str) -> Result<usize> {
        let index = self.trade_index(id)?;
        let trade = &self.trades[index];
        trade.role(caller)?;
        if trade.proposer_agent_id == caller {
            return Err(Error::forbidden("only the owner of the listing can answer a proposal"));
        }
        expect_status(trade, TradeStatus::Proposed, action)?;
        Ok(index)
    }

    pub(crate) fn cancel(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
        Reason { reason }: Reason,
    ) -> Result<TradeReply> {
        let index = self.trade_index(id)?;
        self.trades[index].role(caller)?;
        input::text("reason", reason.as_deref(), MAX_REASON)?;
        expect_status(&self.trades[index], TradeStatus::EscrowHeld, "cancelled")?;
        self.refund(cx, index)?;
        let trade = self.set_status(index, TradeStatus::Cancelled);
        trade.progress.cancelled_at = Some(cx.now);
        trade.progress.cancelled_by = Some(caller);
        trade.progress.cancellation_reason = reason;
        let trade = &self.trades[index];
        self.notify(cx, EventType::TradeCancelled, trade, trade.other_party(caller));
        Ok(TradeReply::from(trade))
    }

    /// Checks whether a delivery is possible, and returns the verification to request first.
    pub(crate) fn check_delivery(
        &self,
        caller: Uuid,
        id: &str,
        delivery: &Delivery,
    ) -> Result<Option<Callback>> {
        let trade = &self.trades[self.trade_index(id)?];
        expect_role(trade, caller, Role::Seller, "deliver on")?;
        expect_status(trade, TradeStatus::EscrowHeld, "delivered")?;
        delivery.payload(trade.listing_type)?;
        let Some(url) = trade.verification_url.clone() else {
            return Ok(None);
        };
        let agent = self.agents[&caller].slug.clone();
        Ok(Some(Callback::new(url, agent, trade, delivery)))
    }

    /// Records a delivery. Everything is checked again, because the world may have changed during
    /// the verification.
    pub(crate) fn deliver(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
        delivery: &Delivery,
        verification: Option<Verification>,
    ) -> Result<TradeReply> {
        self.check_delivery(caller, id, delivery)?;
        let index = self.trade_index(id)?;
        let payload = delivery.payload(self.trades[index].listing_type)?;
        let trade = self.set_status(index, TradeStatus::Delivered);
        trade.delivery_content_hash = Some(hex(&Sha256::digest(payload.as_str())));
        trade.delivery_payload = Some(payload);
        trade.delivery_verified = verification.as_ref().map(|verification| verification.accepted);
        trade.delivery_verification = verification.map(|verification| verification.reply);
        trade.progress.delivered_at = Some(cx.now);
        trade.updated_at = cx.now;
        let trade = &self.trades[index];
        self.notify(cx, EventType::TradeDelivered, trade, trade.buyer_agent_id);
        Ok(TradeReply::from(trade))
    }

    pub(crate) fn confirm(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
    ) -> Result<TradeReply> {
        let index = self.trade_index(id)?;
        expect_role(&self.trades[index], caller, Role::Buyer, "confirm")?;
        expect_status(&self.trades[index], TradeStatus::Delivered, "confirmed")?;
        self.release(cx, index)?;
        let trade = self.set_status(index, TradeStatus::Completed);
        trade.progress.completed_at = Some(cx.now);
        self.paid(index);
        let trade = &self.trades[index];
        self.notify_both(cx, EventType::TradeCompleted, trade);
        Ok(TradeReply::from(trade))
    }

    pub(crate) fn dispute(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
        Reason { reason }: Reason,
    ) -> Result<TradeReply> {
        let index = self.trade_index(id)?;
        expect_role(&self.trades[index], caller, Role::Buyer, "dispute")?;
        input::text("reason", reason.as_deref(), MAX_REASON)?;
        expect_status(&self.trades[index], TradeStatus::Delivered, "disputed")?;
        let trade = self.set_status(index, TradeStatus::Disputed);
        let verified = trade.delivery_verified == Some(true);
        let resolves_at = cx.now.plus(if verified { RELEASE_AFTER } else { REFUND_AFTER });
        trade.progress.disputed_at = Some(cx.now);
        trade.progress.dispute_resolves_at = Some(resolves_at);
        trade.progress.dispute_reason = reason;
        trade.updated_at = cx.now;
        let trade = &self.trades[index];
        self.timers.insert((resolves_at, Timer::Dispute(trade.id)));
        self.notify(cx, EventType::TradeDisputed, trade, trade.seller_agent_id);
        Ok(TradeReply::from(trade))
    }

    /// Resolves a dispute with this outcome.
    pub(crate) fn resolve(
        &mut self,
        cx: &mut Context<'_>,
        id: &str,
        outcome: Outcome,
    ) -> Result<TradeReply> {
        let index = self.trade_index(id)?;
        expect_status(&self.trades[index], TradeStatus::Disputed, "resolved")?;
        match outcome {
            Outcome::Refund => self.refund(cx, index)?,
            Outcome::Release => self.release(cx, index)?,
        }
        let trade = self.set_status(index, TradeStatus::Resolved);
        trade.progress.resolved_at = Some(cx.now);
        trade.progress.resolution = Some(outcome);
        let trade = &self.trades[index];
        if let Some(at) = trade.progress.dispute_resolves_at {
            self.timers.remove(&(at, Timer::Dispute(trade.id)));
        }
        self.paid(index);
        let trade = &self.trades[index];
        let event_type = match outcome {
            Outcome::Refund => EventType::TradeCancelled,
            Outcome::Release => EventType::TradeCompleted,
        };
        self.notify_both(cx, event_type, trade);
        Ok(TradeReply::from(trade))
    }

    /// Resolves a dispute that has reached its time limit.
    pub(crate) fn resolve_by_time(&mut self, cx: &mut Context<'_>, id: Uuid) {
        let verified = self.trades.get(&id).and_then(|trade| trade.delivery_verified);
        let outcome = if verified == Some(true) { Outcome::Release } else { Outcome::Refund };
        let resolved = self.resolve(cx, &id.to_string(), outcome);
        debug_assert!(resolved.is_ok(), "what is due can be done");
    }
}
