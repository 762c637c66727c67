//! Escrow: holding, refunding and releasing the credits of a trade.

use super::context::{Context, EventType};
use super::error::Result;
use super::money::Money;
use super::platform::Machins;
use super::records::{Account, Category, TradeStatus};
use super::rules::FEE_PERCENT;

impl Machins {
    /// Holds the price, which includes the request's bounty if it has one.
    pub(super) fn hold_escrow(&mut self, cx: &mut Context<'_>, index: usize) -> Result<()> {
        let trade = &self.trades[index];
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
        let hold = self.ledger.post(cx, trade.cause(Category::EscrowHold), &moves)?;
        if let Some(listing) = &mut listing {
            listing.bounty_amount = None;
        }
        let trade = self.set_status(index, TradeStatus::EscrowHeld);
        trade.progress.accepted_at = Some(cx.now);
        trade.progress.escrow_held_at = Some(cx.now);
        trade.progress.escrow_transaction_id = Some(hold);
        trade.updated_at = cx.now;
        let trade = &self.trades[index];
        self.notify(cx, EventType::TradeAccepted, trade, trade.proposer_agent_id);
        Ok(())
    }

    pub(super) fn refund(&mut self, cx: &mut Context<'_>, index: usize) -> Result<()> {
        let trade = &mut self.trades[index];
        let buyer = trade.buyer_agent_id;
        let moves = [
            (Account::Held(buyer), trade.price.negated()),
            (Account::Available(buyer), trade.price),
        ];
        let refund = self.ledger.post(cx, trade.cause(Category::EscrowRefund), &moves)?;
        trade.progress.settlement_transaction_id = Some(refund);
        trade.updated_at = cx.now;
        Ok(())
    }

    pub(super) fn release(&mut self, cx: &mut Context<'_>, index: usize) -> Result<()> {
        let trade = &mut self.trades[index];
        let fee = trade.price.percent(FEE_PERCENT);
        let moves = [
            (Account::Held(trade.buyer_agent_id), trade.price.negated()),
            (Account::Available(trade.seller_agent_id), trade.price.minus(fee)),
            (Account::Fees, fee),
        ];
        let release = self.ledger.post(cx, trade.cause(Category::EscrowRelease), &moves)?;
        trade.fee = Some(fee);
        trade.progress.settlement_transaction_id = Some(release);
        trade.updated_at = cx.now;
        Ok(())
    }

    /// Counts a trade whose seller was paid, if it was.
    pub(crate) fn paid(&mut self, index: usize) {
        let trade = &self.trades[index];
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
}
