//! The events of a trade, and their receivers.

use serde_json::json;
use uuid::Uuid;

use super::context::{Audience, Context, EventType};
use super::platform::Machins;
use super::records::{Currency, Trade};

impl Machins {
    pub(super) fn notify_both(&self, cx: &mut Context<'_>, event_type: EventType, trade: &Trade) {
        self.notify(cx, event_type, trade, trade.buyer_agent_id);
        self.notify(cx, event_type, trade, trade.seller_agent_id);
    }

    pub(super) fn notify(
        &self,
        cx: &mut Context<'_>,
        event_type: EventType,
        trade: &Trade,
        to: Uuid,
    ) {
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
                    data["resolution"] = json!(trade.progress.resolution);
                }
                EventType::TradeCancelled => {
                    data["reason"] = json!(trade.progress.cancellation_reason);
                    data["resolution"] = json!(trade.progress.resolution);
                }
                EventType::TradeDisputed => data["reason"] = json!(trade.progress.dispute_reason),
                _ => {}
            }
            data
        });
    }
}
