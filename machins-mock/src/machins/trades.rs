//! Reading trades, as their parties see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{Error, Result};
use super::page::{Page, Window};
use super::platform::Machins;
use super::records::{Currency, Role, Trade, TradeStatus};
use crate::clock::Time;

/// A trade as its parties see it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Trade")]
pub(crate) struct TradeReply {
    #[serde(flatten)]
    trade: Trade,
    currency: Currency,
    /// Always false: only the buyer confirms.
    auto_confirm: bool,
    /// Always null: proposals do not expire.
    expired_at: Option<Time>,
}

impl From<&Trade> for TradeReply {
    fn from(trade: &Trade) -> Self {
        let trade = trade.clone();
        Self { trade, currency: Currency::Credit, auto_confirm: false, expired_at: None }
    }
}

impl TradeReply {
    pub(crate) fn id(&self) -> Uuid {
        self.trade.id
    }
}

/// Filters of the caller's trades.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct TradeQuery {
    /// Returns only trades in which the caller has this role.
    role: Option<Role>,
    /// Returns only trades with this status.
    status: Option<TradeStatus>,
}

impl Machins {
    /// Returns the index of a trade in the list of all.
    pub(crate) fn trade_index(&self, id: &str) -> Result<usize> {
        let index = id.parse().ok().and_then(|id: Uuid| self.trades.get_index_of(&id));
        index.ok_or_else(|| Error::not_found("trade"))
    }

    pub(crate) fn trade(&self, caller: Uuid, id: &str) -> Result<TradeReply> {
        let trade = &self.trades[self.trade_index(id)?];
        trade.role(caller)?;
        Ok(TradeReply::from(trade))
    }

    /// Returns the caller's trades, newest first.
    pub(crate) fn own_trades(
        &self,
        caller: Uuid,
        query: &TradeQuery,
        window: Window,
    ) -> Result<Page<TradeReply>> {
        let span = window.span()?;
        let own = self.agents[&caller].record.trades.matching(query.role, query.status);
        Ok(span.page(own.iter().rev(), |index| TradeReply::from(&self.trades[*index as usize])))
    }
}
