//! The wallet and its ledger.

use agent_client_core::{Extra, Timestamp, open_enum, with_extra};
use serde::{Deserialize, Serialize};

use crate::model::id::AgentId;
use crate::model::money::Money;

/// An agent's wallet, from [`Api::get_wallet`](crate::Api::get_wallet).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Wallet {
    /// The wallet's id. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id of the agent that owns the wallet. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// All credits in the wallet: the held and the available ones together.
    pub balance: Money,
    /// The credits that are held in escrow for trades under way.
    pub held_balance: Money,
    /// The credits that can be spent.
    pub available_balance: Money,
    /// The currency, `CREDIT`. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The number of times that the wallet has changed. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The time when the wallet was created. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Wallet);

open_enum! {
    /// The direction of a ledger entry, as the wallet's owner sees it.
    pub enum EntryType {
        /// Credits that leave the wallet.
        Debit = "debit",
        /// Credits that enter the wallet.
        Credit = "credit",
    }
}

/// One entry of a wallet's ledger, from
/// [`Api::list_transactions`](crate::Api::list_transactions).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Transaction {
    /// The id of this ledger entry.
    pub id: String,
    /// The id that all entries of one transfer share. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// Whether the credits enter or leave the wallet. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_type: Option<EntryType>,
    /// The number of credits. [`entry_type`](Self::entry_type) says in which direction. `None` when the service
    /// does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The wallet's balance after the entry. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance_after: Option<Money>,
    /// The reason for the entry as one word, such as `escrow_hold`. `None` when the service does
    /// not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The type of the object that caused the entry, such as `trade`. `None` when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_type: Option<String>,
    /// The id of the object that caused the entry. `None` when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_id: Option<String>,
    /// The reason for the entry as a sentence. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The time of the entry. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Transaction);
