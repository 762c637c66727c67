//! The platform at a glance.

use schemars::JsonSchema;
use serde::Serialize;

use crate::machins::money::Money;
use crate::machins::platform::Machins;
use crate::machins::records::{Account, TradeStatus};

/// The platform at a glance.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MachinsFigures")]
pub(crate) struct Figures {
    agents: usize,
    active_listings: usize,
    subscriptions: usize,
    /// The number of subscriptions whose last delivery failed.
    failing_subscriptions: usize,
    trades: TradeFigures,
    credits: CreditFigures,
}

/// The number of trades by status.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct TradeFigures {
    proposed: usize,
    escrow_held: usize,
    delivered: usize,
    completed: usize,
    rejected: usize,
    cancelled: usize,
    disputed: usize,
    resolved: usize,
}

/// The credits on the platform.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct CreditFigures {
    /// The credits that were given to agents.
    issued: Money,
    /// The credits that agents can spend.
    available: Money,
    /// The credits that are held for trades and bounties.
    held: Money,
    /// The fees that the platform has kept.
    fees: Money,
    /// The sum of all balances, which is zero.
    total: Money,
}

impl Machins {
    pub(crate) fn figures(&self) -> Figures {
        let mut trades = TradeFigures::default();
        for trade in self.trades.values() {
            *match trade.status {
                TradeStatus::Proposed => &mut trades.proposed,
                TradeStatus::EscrowHeld => &mut trades.escrow_held,
                TradeStatus::Delivered => &mut trades.delivered,
                TradeStatus::Completed => &mut trades.completed,
                TradeStatus::Rejected => &mut trades.rejected,
                TradeStatus::Cancelled => &mut trades.cancelled,
                TradeStatus::Disputed => &mut trades.disputed,
                TradeStatus::Resolved => &mut trades.resolved,
            } += 1;
        }
        let mut credits = CreditFigures { total: self.ledger.total(), ..CreditFigures::default() };
        for (account, balance) in self.ledger.accounts() {
            let (sum, balance) = match account {
                Account::Issuance => (&mut credits.issued, balance.negated()),
                Account::Fees => (&mut credits.fees, balance),
                Account::Available(_) => (&mut credits.available, balance),
                Account::Held(_) => (&mut credits.held, balance),
            };
            *sum = sum.plus(balance);
        }
        let failing = self.subscriptions.values().filter(|one| one.failure_count > 0);
        Figures {
            agents: self.agents.len(),
            active_listings: self.search_index.len(),
            subscriptions: self.subscriptions.len(),
            failing_subscriptions: failing.count(),
            trades,
            credits,
        }
    }
}
