//! What may happen to a trade, in which state, by whom, and where the credits go.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::agents::{STARTER_MAX_TRADE, Tier};
use super::error::{Error, Result};
use super::events::{Audience, EventType};
use super::goods::Delivery;
use super::input::{self, MAX_DESCRIPTION, MAX_REASON, Object};
use super::ledger::{Account, Category, Cause, ReferenceType};
use super::listings::Side;
use super::money::Money;
use super::subscriptions::hex;
use super::trades::{Outcome, Role, Trade, TradeReply, TradeStatus};
use super::verification::{Callback, Verification};
use super::{Context, Currency, Due, Machins};

/// What the platform keeps of a price.
pub(super) const FEE_PERCENT: i64 = 5;
/// When a dispute about a delivery that was not verified ends, with a refund.
const REFUND_AFTER: Duration = Duration::from_hours(24);
/// When a dispute about a verified delivery ends, with a release.
const RELEASE_AFTER: Duration = Duration::from_hours(7 * 24);

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Proposal {
    listing_id: String,
    /// A message to the other party.
    terms: Option<String>,
    metadata: Option<Object>,
    /// Where deliveries are posted to be verified.
    verification_url: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct Reason {
    reason: Option<String>,
}

/// Refuses unless the trade is in this state.
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

fn cause(trade: &Trade, category: Category) -> Cause {
    Cause { category, reference_type: ReferenceType::Trade, reference_id: trade.id }
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
            return Err(Error::forbidden("nobody trades on a listing of their own"));
        }
        if !listing.is_active() {
            return Err(Error::transition("the listing is not active"));
        }
        let starter = [caller, owner].iter().any(|it| self.agents[it].tier == Tier::Starter);
        if starter && listing.price > STARTER_MAX_TRADE {
            let message = format!("agents of the starter tier trade at most {STARTER_MAX_TRADE}");
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
            accepted_at: None,
            escrow_held_at: None,
            delivered_at: None,
            completed_at: None,
            cancelled_at: None,
            rejected_at: None,
            disputed_at: None,
            dispute_resolves_at: None,
            resolved_at: None,
            resolution: None,
            cancelled_by: None,
            cancellation_reason: None,
            rejection_reason: None,
            dispute_reason: None,
            escrow_transaction_id: None,
            settlement_transaction_id: None,
            created_at: cx.now,
            updated_at: cx.now,
        };
        let auto_accept = listing.auto_accept;
        self.tell(cx, EventType::TradeProposed, &trade, owner);
        let place = self.add_trade(trade);
        if auto_accept {
            // A buyer without the credits leaves the trade proposed, as a refused acceptance does.
            let _ = self.hold_escrow(cx, place);
        }
        Ok(TradeReply::from(&self.trades[place]))
    }

    /// Enters a trade into every index.
    pub(super) fn add_trade(&mut self, trade: Trade) -> usize {
        for party in [trade.buyer_agent_id, trade.seller_agent_id] {
            if let Some(agent) = self.agents.get_mut(&party) {
                agent.record.trades.push(trade.id);
            }
        }
        if let (TradeStatus::Disputed, Some(at)) = (trade.status, trade.dispute_resolves_at) {
            self.agenda.insert((at, Due::Dispute(trade.id)));
        }
        self.written.add(&trade);
        self.trades.insert_full(trade.id, trade).0
    }

    pub(crate) fn accept(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
    ) -> Result<TradeReply> {
        let place = self.proposed_to(caller, id, "accepted")?;
        self.hold_escrow(cx, place)?;
        Ok(TradeReply::from(&self.trades[place]))
    }

    pub(crate) fn reject(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
        Reason { reason }: Reason,
    ) -> Result<TradeReply> {
        let place = self.proposed_to(caller, id, "rejected")?;
        input::text("reason", reason.as_deref(), MAX_REASON)?;
        let trade = &mut self.trades[place];
        trade.status = TradeStatus::Rejected;
        trade.rejected_at = Some(cx.now);
        trade.rejection_reason = reason;
        trade.updated_at = cx.now;
        Ok(TradeReply::from(&*trade))
    }

    /// The trade that was proposed to the caller and waits for its answer.
    fn proposed_to(&self, caller: Uuid, id: &str, action: &str) -> Result<usize> {
        let place = self.trade_place(id)?;
        let trade = &self.trades[place];
        trade.role(caller)?;
        if trade.proposer_agent_id == caller {
            return Err(Error::forbidden("a proposal is answered by the listing's owner"));
        }
        expect_status(trade, TradeStatus::Proposed, action)?;
        Ok(place)
    }

    /// Holds the price, taking over the request's bounty if it has one.
    fn hold_escrow(&mut self, cx: &mut Context<'_>, place: usize) -> Result<()> {
        let trade = &self.trades[place];
        let buyer = trade.buyer_agent_id;
        let listing = self.listings.get_mut(&trade.listing_id);
        let mut listing = listing.filter(|listing| listing.seller_agent_id == buyer);
        let bounty = listing.as_ref().and_then(|listing| listing.bounty_amount);
        let mut moves = vec![
            (Account::Available(buyer), bounty.unwrap_or(Money::ZERO).minus(trade.price)),
            (Account::Held(buyer), trade.price),
        ];
        if let Some(bounty) = bounty {
            moves.insert(0, (Account::Held(buyer), bounty.negated()));
        }
        moves.retain(|(_, amount)| *amount != Money::ZERO);
        let hold = self.ledger.post(cx, cause(trade, Category::EscrowHold), &moves)?;
        if let Some(listing) = &mut listing {
            listing.bounty_amount = None;
        }
        let trade = &mut self.trades[place];
        trade.status = TradeStatus::EscrowHeld;
        trade.accepted_at = Some(cx.now);
        trade.escrow_held_at = Some(cx.now);
        trade.escrow_transaction_id = Some(hold);
        trade.updated_at = cx.now;
        let trade = &self.trades[place];
        self.tell(cx, EventType::TradeAccepted, trade, trade.proposer_agent_id);
        Ok(())
    }

    pub(crate) fn cancel(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
        Reason { reason }: Reason,
    ) -> Result<TradeReply> {
        let place = self.trade_place(id)?;
        self.trades[place].role(caller)?;
        input::text("reason", reason.as_deref(), MAX_REASON)?;
        expect_status(&self.trades[place], TradeStatus::EscrowHeld, "cancelled")?;
        self.refund(cx, place)?;
        let trade = &mut self.trades[place];
        trade.status = TradeStatus::Cancelled;
        trade.cancelled_at = Some(cx.now);
        trade.cancelled_by = Some(caller);
        trade.cancellation_reason = reason;
        let trade = &self.trades[place];
        self.tell(cx, EventType::TradeCancelled, trade, trade.other_party(caller));
        Ok(TradeReply::from(trade))
    }

    /// Looks whether a delivery can be entered, and what has to be asked before.
    pub(crate) fn check_delivery(
        &self,
        caller: Uuid,
        id: &str,
        delivery: &Delivery,
    ) -> Result<Option<Callback>> {
        let trade = &self.trades[self.trade_place(id)?];
        expect_role(trade, caller, Role::Seller, "deliver on")?;
        expect_status(trade, TradeStatus::EscrowHeld, "delivered")?;
        delivery.goods(trade.listing_type)?;
        let Some(url) = trade.verification_url.clone() else {
            return Ok(None);
        };
        Ok(Some(Callback::new(url, trade, delivery)))
    }

    /// Enters a delivery; everything is looked at again, for the world may have changed while the
    /// verification was asked for.
    pub(crate) fn deliver(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
        delivery: &Delivery,
        verification: Option<Verification>,
    ) -> Result<TradeReply> {
        self.check_delivery(caller, id, delivery)?;
        let place = self.trade_place(id)?;
        let trade = &mut self.trades[place];
        let goods = delivery.goods(trade.listing_type)?;
        let bytes = serde_json::to_vec(&goods).unwrap_or_default();
        trade.delivery_content_hash = Some(hex(&Sha256::digest(bytes)));
        trade.delivery_payload = Some(goods);
        trade.delivery_verified = verification.as_ref().map(|it| it.accepted);
        trade.delivery_verification = verification.map(|it| it.reply);
        trade.status = TradeStatus::Delivered;
        self.written.add(&(&trade.delivery_payload, &trade.delivery_verification));
        trade.delivered_at = Some(cx.now);
        trade.updated_at = cx.now;
        let trade = &self.trades[place];
        self.tell(cx, EventType::TradeDelivered, trade, trade.buyer_agent_id);
        Ok(TradeReply::from(trade))
    }

    pub(crate) fn confirm(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
    ) -> Result<TradeReply> {
        let place = self.trade_place(id)?;
        expect_role(&self.trades[place], caller, Role::Buyer, "confirm")?;
        expect_status(&self.trades[place], TradeStatus::Delivered, "confirmed")?;
        self.release(cx, place)?;
        let trade = &mut self.trades[place];
        trade.status = TradeStatus::Completed;
        trade.completed_at = Some(cx.now);
        self.paid(place);
        let trade = &self.trades[place];
        self.tell_both(cx, EventType::TradeCompleted, trade);
        Ok(TradeReply::from(trade))
    }

    pub(crate) fn dispute(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
        Reason { reason }: Reason,
    ) -> Result<TradeReply> {
        let place = self.trade_place(id)?;
        expect_role(&self.trades[place], caller, Role::Buyer, "dispute")?;
        input::text("reason", reason.as_deref(), MAX_REASON)?;
        expect_status(&self.trades[place], TradeStatus::Delivered, "disputed")?;
        let trade = &mut self.trades[place];
        let verified = trade.delivery_verified == Some(true);
        let resolves_at = cx.now.plus(if verified { RELEASE_AFTER } else { REFUND_AFTER });
        trade.status = TradeStatus::Disputed;
        trade.disputed_at = Some(cx.now);
        trade.dispute_resolves_at = Some(resolves_at);
        trade.dispute_reason = reason;
        trade.updated_at = cx.now;
        self.agenda.insert((resolves_at, Due::Dispute(trade.id)));
        let trade = &self.trades[place];
        self.tell(cx, EventType::TradeDisputed, trade, trade.seller_agent_id);
        Ok(TradeReply::from(trade))
    }

    /// Ends a dispute by hand.
    pub(crate) fn resolve(
        &mut self,
        cx: &mut Context<'_>,
        id: &str,
        outcome: Outcome,
    ) -> Result<TradeReply> {
        let place = self.trade_place(id)?;
        expect_status(&self.trades[place], TradeStatus::Disputed, "resolved")?;
        match outcome {
            Outcome::Refund => self.refund(cx, place)?,
            Outcome::Release => self.release(cx, place)?,
        }
        let trade = &mut self.trades[place];
        trade.status = TradeStatus::Resolved;
        trade.resolved_at = Some(cx.now);
        trade.resolution = Some(outcome);
        if let Some(at) = trade.dispute_resolves_at {
            self.agenda.remove(&(at, Due::Dispute(trade.id)));
        }
        self.paid(place);
        let trade = &self.trades[place];
        let event_type = match outcome {
            Outcome::Refund => EventType::TradeCancelled,
            Outcome::Release => EventType::TradeCompleted,
        };
        self.tell_both(cx, event_type, trade);
        Ok(TradeReply::from(trade))
    }

    /// Ends a dispute whose time has come.
    pub(super) fn resolve_by_time(&mut self, cx: &mut Context<'_>, id: Uuid) {
        let verified = self.trades.get(&id).and_then(|trade| trade.delivery_verified);
        let outcome = if verified == Some(true) { Outcome::Release } else { Outcome::Refund };
        let resolved = self.resolve(cx, &id.to_string(), outcome);
        debug_assert!(resolved.is_ok(), "what is due can be done");
    }

    fn refund(&mut self, cx: &mut Context<'_>, place: usize) -> Result<()> {
        let trade = &mut self.trades[place];
        let buyer = trade.buyer_agent_id;
        let moves = [
            (Account::Held(buyer), trade.price.negated()),
            (Account::Available(buyer), trade.price),
        ];
        let refund = self.ledger.post(cx, cause(trade, Category::EscrowRefund), &moves)?;
        trade.settlement_transaction_id = Some(refund);
        trade.updated_at = cx.now;
        Ok(())
    }

    fn release(&mut self, cx: &mut Context<'_>, place: usize) -> Result<()> {
        let trade = &mut self.trades[place];
        let fee = trade.price.percent(FEE_PERCENT);
        let moves = [
            (Account::Held(trade.buyer_agent_id), trade.price.negated()),
            (Account::Available(trade.seller_agent_id), trade.price.minus(fee)),
            (Account::Fees, fee),
        ];
        let release = self.ledger.post(cx, cause(trade, Category::EscrowRelease), &moves)?;
        trade.fee = Some(fee);
        trade.settlement_transaction_id = Some(release);
        trade.updated_at = cx.now;
        Ok(())
    }

    /// Counts a trade whose seller was paid, if it was.
    pub(super) fn paid(&mut self, place: usize) {
        let trade = &self.trades[place];
        if trade.paid_at().is_none() {
            return;
        }
        self.paid_trades.push(trade.id);
        self.volume = self.volume.plus(trade.price);
        if let Some(listing) = self.listings.get_mut(&trade.listing_id) {
            listing.completed_trades += 1;
        }
        for party in [trade.buyer_agent_id, trade.seller_agent_id] {
            if let Some(agent) = self.agents.get_mut(&party) {
                agent.record.completed_trades += 1;
                if party == trade.seller_agent_id {
                    agent.record.revenue = agent.record.revenue.plus(trade.price);
                }
            }
        }
    }

    fn tell_both(&self, cx: &mut Context<'_>, event_type: EventType, trade: &Trade) {
        self.tell(cx, event_type, trade, trade.buyer_agent_id);
        self.tell(cx, event_type, trade, trade.seller_agent_id);
    }

    fn tell(&self, cx: &mut Context<'_>, event_type: EventType, trade: &Trade, to: Uuid) {
        let slug = |agent| self.agents.get(&agent).map(|agent| &agent.slug);
        let title = self.listings.get(&trade.listing_id).map(|listing| &listing.title);
        cx.emit(event_type, Audience::One(to), || {
            let mut data = json!({
                "trade_id": trade.id,
                "listing_id": trade.listing_id,
                "listing_title": title,
                "listing_type": trade.listing_type,
                "buyer_agent_id": trade.buyer_agent_id,
                "buyer_agent_slug": slug(trade.buyer_agent_id),
                "seller_agent_id": trade.seller_agent_id,
                "seller_agent_slug": slug(trade.seller_agent_id),
                "price": trade.price,
                "currency": Currency::Credit,
                "status": trade.status,
            });
            match event_type {
                EventType::TradeProposed => data["terms"] = json!(trade.terms),
                EventType::TradeDelivered => {
                    data["delivery_verified"] = json!(trade.delivery_verified);
                }
                EventType::TradeCompleted => {
                    data["fee"] = json!(trade.fee);
                    data["resolution"] = json!(trade.resolution);
                }
                EventType::TradeCancelled => {
                    data["reason"] = json!(trade.cancellation_reason);
                    data["resolution"] = json!(trade.resolution);
                }
                EventType::TradeDisputed => data["reason"] = json!(trade.dispute_reason),
                _ => {}
            }
            data
        });
    }
}
