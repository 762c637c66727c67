//! All trades.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::part::{Order, Part, contains};
use crate::machins::error::Result;
use crate::machins::platform::Machins;
use crate::machins::records::{Trade, TradeStatus};
use crate::machins::trades::TradeReply;

/// Which trades are returned; all of them by default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "InspectedTradesQuery")]
pub(crate) struct TradesQuery {
    /// Returns only trades with this status.
    status: Option<TradeStatus>,
    /// Returns only trades of the agent with this slug.
    agent: Option<String>,
    /// Returns only trades of the listing with this id.
    listing: Option<String>,
    /// Returns only trades with this text in their id, the title of their listing or a slug.
    search: Option<String>,
    /// The order; `oldest` by default.
    sort: Option<Order>,
    /// The number of trades to skip; 0 by default.
    offset: Option<usize>,
    /// The maximum number of trades; all by default.
    limit: Option<usize>,
}

/// A trade, and the names of what it refers to.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedTrade {
    #[serde(flatten)]
    trade: TradeReply,
    listing_title: Option<String>,
    buyer_agent_slug: Option<String>,
    seller_agent_slug: Option<String>,
}

/// Trades of all agents.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedTrades {
    trades: Vec<InspectedTrade>,
    /// The number of trades that match, whatever the limit.
    total: usize,
}

impl Machins {
    pub(crate) fn inspect_trades(&self, query: &TradesQuery) -> InspectedTrades {
        let agent = query.agent.as_deref().map(|slug| self.agent_slugs.get(slug).copied());
        let listing = query.listing.as_deref().map(|id| id.parse::<Uuid>().ok());
        let of_agent = |trade: &Trade, id: Option<Uuid>| {
            id.is_some_and(|id| id == trade.buyer_agent_id || id == trade.seller_agent_id)
        };
        let found = self.trades.values().filter(|trade| {
            query.status.is_none_or(|status| status == trade.status)
                && agent.is_none_or(|id| of_agent(trade, id))
                && listing.is_none_or(|id| id == Some(trade.listing_id))
                && query.search.as_deref().is_none_or(|text| self.trade_names(trade, text))
        });
        let order = query.sort.unwrap_or_default();
        let part = Part { order, offset: query.offset, limit: query.limit };
        let (trades, total) = part.cut(found, |trade| self.inspected(trade));
        InspectedTrades { trades, total }
    }

    pub(crate) fn inspect_trade(&self, id: &str) -> Result<InspectedTrade> {
        Ok(self.inspected(&self.trades[self.trade_index(id)?]))
    }

    fn inspected(&self, trade: &Trade) -> InspectedTrade {
        let slug = |id: Uuid| self.agents.get(&id).map(|agent| agent.slug.clone());
        InspectedTrade {
            listing_title: self.listings.get(&trade.listing_id).map(|one| one.title.clone()),
            buyer_agent_slug: slug(trade.buyer_agent_id),
            seller_agent_slug: slug(trade.seller_agent_id),
            trade: TradeReply::from(trade),
        }
    }

    /// Returns whether a text is part of the trade's id, of the title of its listing or of a slug.
    fn trade_names(&self, trade: &Trade, text: &str) -> bool {
        let title = self.listings.get(&trade.listing_id).map(|listing| &*listing.title);
        let parties = [trade.buyer_agent_id, trade.seller_agent_id];
        let slugs = parties.iter().filter_map(|id| self.agents.get(id)).map(|one| &*one.slug);
        contains(&trade.id.to_string(), text)
            || title.into_iter().chain(slugs).any(|name| contains(name, text))
    }
}
