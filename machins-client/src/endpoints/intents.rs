//! Proposing a trade once for a key, and the keys that were used.

use std::time::Duration;

use agent_client_core::Transport;

use crate::client::Api;
use crate::intent::record::{Intent, check_key};
use crate::model::trade::{Proposal, Trade};
use crate::proposals::Once;

/// How long forgetting a key waits for a call that works on it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Trades that are proposed once for a key.
impl<T: Transport> Api<T> {
    /// Proposes a trade once for this key, and returns that trade however often it is called: after
    /// a crash, by many processes at once, or after the reply was lost. Calls `GET /trades` and
    /// `POST /trades` ([reference](https://machins.co/docs): Trades).
    ///
    /// The key names your intent, such as `order-42`. The client locks it, searches your trades for
    /// the one of this key, records on disk that it is about to propose, proposes, and records the
    /// trade. If an earlier call may have sent the proposal and the trade is not found, the client
    /// goes on searching for 30 s ([`resend_after`](crate::ClientBuilder::resend_after)) before it
    /// sends the proposal again. A call that was dropped or has failed can be repeated with the same
    /// key and proposal at any time.
    ///
    /// The records are kept in an [`IntentStore`](crate::IntentStore), which is a folder of this
    /// machine by default: set another with
    /// [`ClientBuilder::intent_store`](crate::ClientBuilder::intent_store) if several machines use
    /// the same keys. A key belongs to one proposal, one base URL and one agent.
    ///
    /// The trade is recognised by a `client_reference` in its metadata, which is made from the key,
    /// the base URL, the API key and the proposal, but shows none of them. If the proposal has one
    /// already, that one is used.
    ///
    /// ```
    /// use machins_client::{MemoryIntentStore, Proposal};
    ///
    /// # test_support::machins(async |test_support::Marketplace { server, buyer: agent, listing, .. }| {
    /// # let _ = agent;
    /// # let key = server.create_agent(machins_mock::NewAgent::new().slug("eve"))?.api_key;
    /// # let builder = machins_client::Client::builder()
    /// #     .api_key(machins_client::ApiKey::new(&key)?)
    /// #     .base_url(server.machins_base_url());
    /// // Without this line, the intents are recorded beside the config file.
    /// let client = builder.intent_store(MemoryIntentStore::new()).build()?;
    /// let proposal = Proposal::new(&listing.id).terms("JSON, please");
    /// let trade = client.propose_trade_once("order-42", &proposal).await?;
    /// // Again, perhaps after a restart:
    /// let same = client.propose_trade_once("order-42", &proposal).await?;
    /// assert_eq!(trade.id, same.id);
    /// # Ok(()) });
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`propose_trade`](Self::propose_trade), and:
    /// - [`ErrorKind::IdempotencyConflict`](crate::ErrorKind::IdempotencyConflict) if the key was
    ///   used for anything else; the message says for what.
    /// - [`ErrorKind::StaleIntent`](crate::ErrorKind::StaleIntent) if the service does not know the
    ///   trade that the key has led to: see [`forget_intent`](Self::forget_intent).
    /// - [`ErrorKind::Storage`](crate::ErrorKind::Storage) if the record cannot be locked, read or
    ///   written. Nothing was sent.
    /// - [`ErrorKind::OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) if the client's
    ///   [`timeout`](crate::ClientOptions::timeout) has passed and the trade may exist. Calling
    ///   again with the same key is safe.
    /// - [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) if another call was working on the key
    ///   all the time.
    pub fn propose_trade_once(&self, key: &str, proposal: &Proposal) -> T::Reply<Trade> {
        let (key, proposal) = (key.to_owned(), proposal.clone());
        self.transport().run(Once::by_key(self.asynchronous(), key, proposal))
    }

    /// Returns what the keys of [`propose_trade_once`](Self::propose_trade_once) were used for,
    /// oldest first. Nothing is sent.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Storage`](crate::ErrorKind::Storage) if an intent cannot be read.
    pub fn list_intents(&self) -> T::Reply<Vec<Intent>> {
        let client = self.asynchronous();
        self.transport().run(async move {
            let mut intents = client.proposing().store()?.list().await?;
            intents.sort_by_key(Intent::created_at);
            Ok(intents)
        })
    }

    /// Returns what a key was used for, or `None` if it was not used. Waits for a call that works on
    /// the key. Nothing is sent.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Storage`](crate::ErrorKind::Storage) if the intent cannot be read, and
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) if a call works on the key for longer than
    /// the client's [`timeout`](crate::ClientOptions::timeout).
    pub fn get_intent(&self, key: &str) -> T::Reply<Option<Intent>> {
        let (client, key) = (self.asynchronous(), key.to_owned());
        self.transport().run(async move {
            check_key(&key)?;
            let patience = client.transport().timeout();
            client.proposing().store()?.lock(&key, patience).await?.read().await
        })
    }

    /// Forgets what a key was used for, and returns it, or `None` if the key was not used. Nothing
    /// is sent, and a trade of the key is left as it is: the key still leads to it if it is given
    /// again with the same proposal.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Storage`](crate::ErrorKind::Storage) if the intent cannot be read or
    /// removed, and [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut) if a call works on the key.
    pub fn forget_intent(&self, key: &str) -> T::Reply<Option<Intent>> {
        let (client, key) = (self.asynchronous(), key.to_owned());
        self.transport().run(async move {
            check_key(&key)?;
            let patience = client.transport().timeout().min(PATIENCE);
            let mut lock = client.proposing().store()?.lock(&key, patience).await?;
            let intent = lock.read().await?;
            if intent.is_some() {
                lock.remove().await?;
            }
            Ok(intent)
        })
    }
}
