//! The transactions of the ledger, with the entries of all accounts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::part::{Order, Part};
use crate::clock::Time;
use crate::machins::control::AccountKind;
use crate::machins::money::Money;
use crate::machins::platform::Machins;
use crate::machins::records::{Account, Category, ReferenceType, Transaction};

/// Which transactions are returned; all of them by default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct TransactionsQuery {
    /// Returns only transactions that change an account of the agent with this slug.
    agent: Option<String>,
    /// Returns only transactions for this reason.
    category: Option<Category>,
    /// Returns only transactions that refer to the trade, listing or agent with this id.
    reference: Option<String>,
    /// The order; `oldest` by default.
    sort: Option<Order>,
    /// The number of transactions to skip; 0 by default.
    offset: Option<usize>,
    /// The maximum number of transactions; all by default.
    limit: Option<usize>,
}

/// A transaction, whose entries sum to zero.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedTransaction {
    id: Uuid,
    category: Category,
    description: &'static str,
    reference_type: ReferenceType,
    reference_id: Uuid,
    created_at: Time,
    entries: Vec<InspectedEntry>,
}

/// The change of one account in a transaction.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedEntry {
    id: Uuid,
    account: AccountKind,
    /// The slug of the agent that owns the account; null for the platform's own accounts.
    agent_slug: Option<String>,
    /// The change of the balance, which is negative for a debit.
    amount: Money,
    /// The balance of the account after the transaction.
    balance_after: Money,
}

/// The transactions of the ledger.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedTransactions {
    transactions: Vec<InspectedTransaction>,
    /// The number of transactions that match, whatever the limit.
    total: usize,
}

impl Machins {
    pub(crate) fn inspect_transactions(&self, query: &TransactionsQuery) -> InspectedTransactions {
        let agent = query.agent.as_deref().map(|slug| self.agent_slugs.get(slug).copied());
        let reference = query.reference.as_deref().map(|id| id.parse::<Uuid>().ok());
        let changes = |transaction: &Transaction, agent: Option<Uuid>| {
            let mut agents = transaction.entries.iter().filter_map(|entry| entry.account.agent());
            agents.any(|id| Some(id) == agent)
        };
        let found = self.ledger.transactions().iter().filter(|transaction| {
            query.category.is_none_or(|category| category == transaction.cause.category)
                && reference.is_none_or(|id| id == Some(transaction.cause.reference_id))
                && agent.is_none_or(|agent| changes(transaction, agent))
        });
        let order = query.sort.unwrap_or_default();
        let part = Part { order, offset: query.offset, limit: query.limit };
        let (transactions, total) =
            part.cut(found, |transaction| self.inspected_transaction(transaction));
        InspectedTransactions { transactions, total }
    }

    fn inspected_transaction(&self, transaction: &Transaction) -> InspectedTransaction {
        let entries = transaction.entries.iter().map(|entry| {
            let agent = entry.account.agent().and_then(|id| self.agents.get(&id));
            InspectedEntry {
                id: entry.id,
                account: match entry.account {
                    Account::Issuance => AccountKind::Issuance,
                    Account::Fees => AccountKind::Fees,
                    Account::Available(_) => AccountKind::Available,
                    Account::Held(_) => AccountKind::Held,
                },
                agent_slug: agent.map(|agent| agent.slug.clone()),
                amount: entry.amount,
                balance_after: entry.balance_after,
            }
        });
        let cause = transaction.cause;
        InspectedTransaction {
            id: transaction.id,
            category: cause.category,
            description: cause.category.description(),
            reference_type: cause.reference_type,
            reference_id: cause.reference_id,
            created_at: transaction.created_at,
            entries: entries.collect(),
        }
    }
}
