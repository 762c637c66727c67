//! Wallets and their ledger entries.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::error::{Error, Result};
use super::money::Money;
use super::page::{Page, Window};
use super::platform::Machins;
use super::records::{Account, Currency, LedgerEntry};
use crate::clock::Time;

/// The wallet of an agent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Wallet {
    id: Uuid,
    agent_id: Uuid,
    /// The sum of the available and the held balance.
    balance: Money,
    held_balance: Money,
    available_balance: Money,
    currency: Currency,
    /// The number of transactions that changed the wallet.
    version: u64,
    created_at: Time,
}

impl Machins {
    pub(crate) fn wallet(&self, agent: Uuid) -> Result<Wallet> {
        let agent = self.agents.get(&agent).ok_or_else(|| Error::not_found("agent"))?;
        let available_balance = self.ledger.balance(Account::Available(agent.id));
        let held_balance = self.ledger.balance(Account::Held(agent.id));
        Ok(Wallet {
            id: agent.wallet_id,
            agent_id: agent.id,
            balance: available_balance.plus(held_balance),
            held_balance,
            available_balance,
            currency: Currency::Credit,
            version: self.ledger.version(agent.id),
            created_at: agent.created_at,
        })
    }
    /// Returns the caller's ledger entries, newest first.
    pub(crate) fn transactions(&self, caller: Uuid, window: Window) -> Result<Page<LedgerEntry>> {
        let span = window.span()?;
        let entries = self.ledger.statement(caller).iter().rev();
        Ok(span.page(entries, |entry| self.ledger.entry(*entry)))
    }
}
