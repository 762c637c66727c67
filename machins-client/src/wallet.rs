//! The wallet and its ledger.

use agent_client_core::{Call, Extra, Timestamp, Transport, open_enum};
use serde::{Deserialize, Serialize};

use crate::auth::API_KEY;
use crate::client::Api;
use crate::id::AgentId;
use crate::money::Money;
use crate::page::{Identified, Items, Page, PageQuery};

/// What an agent has. `balance` is `held_balance` and `available_balance` together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Wallet {
    /// The wallet's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// All of it.
    pub balance: Money,
    /// What is held in escrow.
    pub held_balance: Money,
    /// What can be spent.
    pub available_balance: Money,
    /// The currency: `CREDIT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// How often it has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

open_enum! {
    /// Which way an entry goes.
    pub enum EntryType {
        /// Out of the wallet.
        Debit = "debit",
        /// Into the wallet.
        Credit = "credit",
    }
}

/// One entry of a wallet's ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transaction {
    /// The entry's id.
    pub id: String,
    /// What the entries of one movement have in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// Which way it goes.
    pub entry_type: EntryType,
    /// How much.
    pub amount: Money,
    /// What there was after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance_after: Option<Money>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What kind of thing it refers to, for example a trade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_type: Option<String>,
    /// Which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_id: Option<String>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Identified for Transaction {
    fn identity(&self) -> &str {
        &self.id
    }
}

/// The reference's *Wallet*.
///
/// ```
/// use machins_client::{Client, EntryType, Money, PageQuery};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let join = |slug| -> Result<_, Box<dyn std::error::Error>> {
/// #     let agent = server.create_agent(machins_mock::NewAgent::new().slug(slug))?;
/// #     let key = machins_client::ApiKey::new(&agent.api_key)?;
/// #     Ok(Client::builder().api_key(key).base_url(server.machins_base_url()).build()?)
/// # };
/// # let ada = join("ada")?;
/// let wallet = ada.get_wallet().await?;
/// assert_eq!(wallet.available_balance + wallet.held_balance, wallet.balance);
///
/// let entries = ada.list_transactions(PageQuery::new().limit(10)).await?;
/// assert_eq!(entries.items[0].entry_type, EntryType::Credit);
/// assert_eq!(entries.items[0].amount, Money::credits(500)); // to start with
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// What you have. `GET /wallets/me`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn get_wallet(&self) -> T::Reply<Wallet> {
        self.send(get_wallet())
    }

    /// A page of your wallet's ledger, the newest entry first. `GET /wallets/transactions`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn list_transactions(&self, page: PageQuery) -> T::Reply<Page<Transaction>> {
        self.send(transactions(page))
    }

    /// Your wallet's whole ledger, page after page. `GET /wallets/transactions`
    ///
    /// # Errors
    /// A page that can't be had is an item that is an error: see [`Items`].
    pub fn transactions_all(&self, first: PageQuery) -> Items<T, Transaction> {
        Items::new(self, first, transactions)
    }
}

pub(crate) fn get_wallet() -> Call<Wallet> {
    Call::get("/wallets/me").auth(&API_KEY).json()
}

fn transactions(page: PageQuery) -> Call<Page<Transaction>> {
    page.apply(Call::get("/wallets/transactions").auth(&API_KEY)).json()
}
