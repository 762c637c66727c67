//! The wallet: its balance and its ledger.

use agent_client_core::{Call, Transport, operation};

use crate::auth::API_KEY;
use crate::client::Api;
use crate::items::Items;
use crate::model::page::Page;
use crate::model::query::PageQuery;
use crate::model::wallet::{Transaction, Wallet};

/// The wallet ([reference](https://machins.co/docs): Wallet).
///
/// ```
/// use machins_client::{EntryType, Money, PageQuery};
///
/// # test_support::machins(async |test_support::Marketplace { seller: client, .. }| {
/// let wallet = client.get_wallet().await?;
/// assert_eq!(wallet.available_balance + wallet.held_balance, wallet.balance);
///
/// let page = client.list_transactions(&PageQuery::new().limit(10)).await?;
/// assert_eq!(page.items[0].entry_type, Some(EntryType::Credit));
/// assert_eq!(page.items[0].amount, Some(Money::credits(500))); // the starter credits
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Returns your wallet. Calls `GET /wallets/me` ([reference](https://machins.co/docs): Wallet).
    ///
    /// # Errors
    /// Returns [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized) if the API key is
    /// invalid.
    pub fn get_wallet(&self) -> T::Reply<Wallet> {
        self.send(get_wallet())
    }

    /// Returns one page of your wallet's ledger, the newest entries first. Calls
    /// `GET /wallets/transactions` ([reference](https://machins.co/docs): Wallet).
    ///
    /// # Errors
    /// Returns [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized) if the API key is
    /// invalid.
    pub fn list_transactions(&self, query: &PageQuery) -> T::Reply<Page<Transaction>> {
        self.send(list_transactions(query))
    }

    /// Returns your wallet's whole ledger, the newest entries first, fetching page after page as
    /// needed. Calls `GET /wallets/transactions` ([reference](https://machins.co/docs): Wallet).
    ///
    /// None is given twice, and entries that are added meanwhile can be missed: see [`Items`].
    ///
    /// # Errors
    /// Gives an error as the last item if a page cannot be fetched: see [`Items`].
    pub fn transactions_all(&self, query: &PageQuery) -> Items<T, Transaction> {
        Items::new(self, query, list_transactions, |transaction| &transaction.id)
    }
}

pub(crate) fn get_wallet() -> Call<Wallet> {
    Call::get("/wallets/me").operation(operation!("machins.get_wallet")).auth(&API_KEY).json()
}

fn list_transactions(query: &PageQuery) -> Call<Page<Transaction>> {
    Call::get("/wallets/transactions")
        .operation(operation!("machins.list_transactions"))
        .auth(&API_KEY)
        .query(query)
        .json()
}
