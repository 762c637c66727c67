//! A double-entry ledger: the entries of every transaction sum to zero, and so do all balances.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Time;
use crate::machins::context::Context;
use crate::machins::error::{Error, ErrorCode, Result};
use crate::machins::money::Money;

/// An account. The issuance is the source of all credits, and the only account below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Account {
    Issuance,
    Fees,
    Available(Uuid),
    Held(Uuid),
}

/// The reason for a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Category {
    StarterCredits,
    EscrowHold,
    EscrowRelease,
    EscrowRefund,
    BountyHold,
    BountyRelease,
}

/// The type of what a transaction refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReferenceType {
    Agent,
    Listing,
    Trade,
}

/// The reason for a transaction, and what it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cause {
    pub(crate) category: Category,
    pub(crate) reference_type: ReferenceType,
    pub(crate) reference_id: Uuid,
}

/// A transaction, whose entries sum to zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) id: Uuid,
    #[serde(flatten)]
    pub(crate) cause: Cause,
    pub(crate) created_at: Time,
    pub(crate) entries: Vec<Entry>,
}

/// The change of one account in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: Uuid,
    pub(crate) account: Account,
    /// The change of the balance, which is negative for a debit.
    pub(crate) amount: Money,
    pub(crate) balance_after: Money,
}

/// All transactions of a world, and the resulting balances.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Transaction>", into = "Vec<Transaction>")]
pub(crate) struct Ledger {
    transactions: Vec<Transaction>,
    balances: HashMap<Account, Money>,
    statements: HashMap<Uuid, Statement>,
}

/// Where an entry is in the ledger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EntryIndex {
    /// The index in the list of transactions.
    transaction: usize,
    /// The index in the entries of the transaction.
    entry: usize,
}

/// The entries of one agent.
#[derive(Debug, Clone, Default, PartialEq)]
struct Statement {
    /// The number of transactions that changed the agent's wallet.
    version: u64,
    entries: Vec<EntryIndex>,
}

/// A ledger entry, as its agent sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LedgerEntry {
    id: Uuid,
    /// The id of the transaction, which is the same for all its entries.
    transaction_id: Uuid,
    entry_type: EntryType,
    /// The account of the agent that the entry changes.
    account: AgentAccount,
    amount: Money,
    /// The balance of the account after the entry.
    balance_after: Money,
    category: Category,
    reference_type: ReferenceType,
    reference_id: Uuid,
    description: &'static str,
    created_at: Time,
}

/// The direction of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum EntryType {
    /// Decreases the balance.
    Debit,
    /// Increases the balance.
    Credit,
}

/// An account of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum AgentAccount {
    Available,
    Held,
}

impl Category {
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::StarterCredits => "Starter credits",
            Self::EscrowHold => "Held in escrow for a trade",
            Self::EscrowRelease => "Escrow released to the seller, less the platform's fee",
            Self::EscrowRefund => "Escrow returned to the buyer",
            Self::BountyHold => "Held as a request's bounty",
            Self::BountyRelease => "Bounty returned",
        }
    }
}

impl Account {
    pub(crate) const fn agent(self) -> Option<Uuid> {
        match self {
            Self::Available(agent) | Self::Held(agent) => Some(agent),
            Self::Issuance | Self::Fees => None,
        }
    }
}

impl Ledger {
    /// Posts a transaction: each account changes by its amount, in this order.
    ///
    /// Nothing changes if an account would fall below zero.
    pub(crate) fn post(
        &mut self,
        cx: &mut Context<'_>,
        cause: Cause,
        moves: &[(Account, Money)],
    ) -> Result<Uuid> {
        let mut entries: Vec<Entry> = Vec::with_capacity(moves.len());
        for &(account, amount) in moves {
            let earlier = entries.iter().rev().find(|entry| entry.account == account);
            let before = earlier.map_or_else(|| self.balance(account), |entry| entry.balance_after);
            let balance_after = before.plus(amount);
            if balance_after.is_negative() && account != Account::Issuance {
                return Err(insufficient(before, amount.negated()));
            }
            entries.push(Entry { id: cx.random.uuid(), account, amount, balance_after });
        }
        let id = cx.random.uuid();
        self.apply(Transaction { id, cause, created_at: cx.now, entries });
        Ok(id)
    }

    fn apply(&mut self, transaction: Transaction) {
        let sum = transaction.entries.iter().fold(Money::ZERO, |sum, entry| sum.plus(entry.amount));
        debug_assert_eq!(sum, Money::ZERO, "a transaction is balanced");
        let index = self.transactions.len();
        let mut agents: Vec<Uuid> = Vec::with_capacity(2);
        for (number, entry) in transaction.entries.iter().enumerate() {
            self.balances.insert(entry.account, entry.balance_after);
            if let Some(agent) = entry.account.agent() {
                let statement = self.statements.entry(agent).or_default();
                statement.entries.push(EntryIndex { transaction: index, entry: number });
                if !agents.contains(&agent) {
                    statement.version += 1;
                    agents.push(agent);
                }
            }
        }
        self.transactions.push(transaction);
    }

    /// Returns all transactions, oldest first.
    pub(crate) fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// Returns the number of transactions.
    pub(crate) fn len(&self) -> usize {
        self.transactions.len()
    }

    pub(crate) fn balance(&self, account: Account) -> Money {
        self.balances.get(&account).copied().unwrap_or_default()
    }

    /// Returns the number of transactions that changed an agent's wallet.
    pub(crate) fn version(&self, agent: Uuid) -> u64 {
        self.statements.get(&agent).map_or(0, |statement| statement.version)
    }

    /// Returns an agent's entries, oldest first.
    pub(crate) fn statement(&self, agent: Uuid) -> &[EntryIndex] {
        self.statements.get(&agent).map_or(&[], |statement| &statement.entries)
    }

    pub(crate) fn entry(&self, index: EntryIndex) -> LedgerEntry {
        let transaction = &self.transactions[index.transaction];
        LedgerEntry::new(transaction, &transaction.entries[index.entry])
    }

    /// Returns the trades whose sellers were paid, in that order.
    pub(crate) fn releases(&self) -> impl Iterator<Item = Uuid> {
        let causes = self.transactions.iter().map(|transaction| transaction.cause);
        causes
            .filter(|cause| cause.category == Category::EscrowRelease)
            .map(|cause| cause.reference_id)
    }

    /// Returns every account that was ever used.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (Account, Money)> {
        self.balances.iter().map(|(account, balance)| (*account, *balance))
    }

    /// Returns the sum of all balances: zero, unless credits were made or lost.
    pub(crate) fn total(&self) -> Money {
        self.balances.values().fold(Money::ZERO, |sum, balance| sum.plus(*balance))
    }
}

fn insufficient(available: Money, needed: Money) -> Error {
    let message = format!("{needed} credits are needed and {available} are available");
    Error::new(ErrorCode::InsufficientFunds, message)
        .detail("required", needed.to_string())
        .detail("available", available.to_string())
}

impl LedgerEntry {
    fn new(transaction: &Transaction, entry: &Entry) -> Self {
        let &Transaction { id, cause, created_at, .. } = transaction;
        let debit = entry.amount.is_negative();
        let held = matches!(entry.account, Account::Held(_));
        Self {
            id: entry.id,
            transaction_id: id,
            entry_type: if debit { EntryType::Debit } else { EntryType::Credit },
            account: if held { AgentAccount::Held } else { AgentAccount::Available },
            amount: entry.amount.abs(),
            balance_after: entry.balance_after,
            category: cause.category,
            reference_type: cause.reference_type,
            reference_id: cause.reference_id,
            description: cause.category.description(),
            created_at,
        }
    }
}

impl From<Ledger> for Vec<Transaction> {
    fn from(ledger: Ledger) -> Self {
        ledger.transactions
    }
}

/// Checks every sum and every balance of stored transactions.
impl TryFrom<Vec<Transaction>> for Ledger {
    type Error = &'static str;

    fn try_from(transactions: Vec<Transaction>) -> std::result::Result<Self, Self::Error> {
        /// No amount may come near the ends of its type: 10^13 credits.
        const MOST: Money = Money::credits(10_000_000_000_000);
        let mut ledger = Self::default();
        for transaction in transactions {
            let mut sum = Money::ZERO;
            let mut balances: HashMap<Account, Money> = HashMap::new();
            for &Entry { account, amount, balance_after, .. } in &transaction.entries {
                let before =
                    balances.get(&account).copied().unwrap_or_else(|| ledger.balance(account));
                if amount.abs() > MOST || balance_after.abs() > MOST {
                    return Err("an amount in the ledger is too large");
                }
                if before.plus(amount) != balance_after {
                    return Err("a balance in the ledger is not the sum of its entries");
                }
                if balance_after.is_negative() && account != Account::Issuance {
                    return Err("an account in the ledger is below zero");
                }
                sum = sum.plus(amount);
                balances.insert(account, balance_after);
            }
            if sum != Money::ZERO {
                return Err("a transaction in the ledger is not balanced");
            }
            ledger.apply(transaction);
        }
        Ok(ledger)
    }
}
