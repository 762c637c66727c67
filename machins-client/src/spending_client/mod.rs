//! A client that spends only what a policy allows.

mod bounties;
mod control;
mod purchases;
mod snapshot;

use std::fmt;
use std::sync::Arc;

use agent_client_core::{Error, ErrorKind, Transport};

use self::bounties::{bounty_of, is_created};
use self::control::Control;
use crate::client::Api;
use crate::endpoints::listings::{create_listing, update_listing};
use crate::model::id::{ListingId, TradeId};
use crate::model::listing::{Listing, ListingUpdate, NewListing};
use crate::model::trade::{Proposal, Trade};
use crate::once::create_listing_once;
use crate::proposals::sent_before;
use crate::spending::decision::{LimitStatus, PolicyDecision};
use crate::spending::journal::{Approval, ApprovalState};
use crate::spending::policy::SpendingPolicy;
use crate::spending::store::SpendingStore;

/// A client whose calls that spend credits are made only if a [`SpendingPolicy`] allows them.
///
/// What is spent is read from the service each time: the wallet, its transactions, and the trades.
/// What is under way on this machine is recorded in a [`SpendingStore`] before it is sent, so that
/// many processes at once, or one that crashes, stay within the limits together.
///
/// ```
/// use machins_client::{
///     ErrorKind, MemoryIntentStore, MemorySpendingStore, Money, Proposal, SpendingClient,
///     SpendingPolicy,
/// };
///
/// # test_support::machins(async |test_support::Marketplace { server, listing, .. }| {
/// # let key = server.create_agent(machins_mock::NewAgent::new().slug("eve"))?.api_key;
/// # let builder = machins_client::Client::builder()
/// #     .api_key(machins_client::ApiKey::new(&key)?)
/// #     .base_url(server.machins_base_url());
/// # let client = builder.intent_store(MemoryIntentStore::new()).build()?;
/// let policy = SpendingPolicy::new().max_per_day(Money::credits(80));
/// // Without a store, what is under way is recorded beside the config file.
/// let client = SpendingClient::new(&client, policy).store(MemorySpendingStore::new());
/// let proposal = Proposal::new(&listing.id);
/// client.propose_trade_once("order-1", &proposal).await?;
/// let error = client.propose_trade_once("order-2", &proposal).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Policy);
/// # Ok(()) });
/// ```
#[derive(Clone)]
#[must_use]
pub struct SpendingClient<T> {
    client: Api<T>,
    control: Arc<Control>,
}

impl<T: Transport> SpendingClient<T> {
    /// Creates a client that spends only what this policy allows.
    pub fn new(client: &Api<T>, policy: SpendingPolicy) -> Self {
        Self { client: client.clone(), control: Arc::new(Control::new(policy)) }
    }

    /// Adds a policy, which must allow a purchase as well.
    pub fn and(self, policy: SpendingPolicy) -> Self {
        self.with(|control| control.policies.push(policy))
    }

    /// Sets where purchases under way are recorded. The default is
    /// [`FileSpendingStore::in_config_folder`](crate::FileSpendingStore::in_config_folder).
    pub fn store(self, store: impl SpendingStore) -> Self {
        self.with(|control| control.store = Some(Arc::new(store)))
    }

    /// Sets a function that asks a person about a purchase that needs approval. It returns whether
    /// the purchase is approved. Without it, such a purchase returns
    /// [`ErrorKind::ApprovalNeeded`] until it is approved by
    /// [`decide_approval`](Self::decide_approval).
    ///
    /// ```
    /// use machins_client::{Client, Money, SpendingClient, SpendingPolicy};
    ///
    /// # fn main() -> Result<(), machins_client::Error> {
    /// # async fn ask_on_the_phone(_: String) -> bool { false }
    /// let policy = SpendingPolicy::new().approval_above(Money::credits(20));
    /// let client = SpendingClient::new(&Client::builder().build()?, policy)
    ///     .approve_with(|purchase| ask_on_the_phone(format!("Buy for {}?", purchase.amount())));
    /// # Ok(()) }
    /// ```
    pub fn approve_with<F>(self, ask: impl Fn(Approval) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        self.with(|control| {
            control.approver = Some(Arc::new(move |approval| Box::pin(ask(approval))));
        })
    }

    fn with(self, change: impl FnOnce(&mut Control)) -> Self {
        let mut control = (*self.control).clone();
        change(&mut control);
        Self { client: self.client, control: Arc::new(control) }
    }

    /// Returns the client without the policy, for calls that spend nothing.
    pub fn client(&self) -> &Api<T> {
        &self.client
    }

    /// Returns the policies, all of which must allow a purchase.
    pub fn policies(&self) -> &[SpendingPolicy] {
        &self.control.policies
    }

    /// Whether one of the policies limits anything.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        !self.control.limits_nothing()
    }

    /// Proposes a trade once for this key, as
    /// [`Api::propose_trade_once`](crate::Api::propose_trade_once) does, if the policy allows it. A
    /// key that has led to a trade returns that trade, whatever the policy says now. On a request you
    /// are the seller, and the policy is not asked.
    ///
    /// A listing whose price is raised between the decision and the proposal leads to a trade that
    /// the policy may not allow. It is then cancelled if its credits are held already, and this
    /// method returns [`ErrorKind::Policy`] and names it; so do later calls while the trade is open.
    /// If it cannot be decided whether the raised price is allowed, it counts as not allowed.
    ///
    /// # Errors
    /// Returns the errors of [`Api::propose_trade_once`](crate::Api::propose_trade_once), and:
    /// - [`ErrorKind::Policy`] if the policy refuses the purchase. The message names the rule and
    ///   what remains.
    /// - [`ErrorKind::ApprovalNeeded`] if a person must approve it first. The message names the id.
    /// - [`ErrorKind::Storage`] if the purchase cannot be recorded. Nothing was sent, unless the message
    ///   names a trade: then an earlier call has proposed it, and its record cannot be read.
    pub fn propose_trade_once(&self, key: &str, proposal: &Proposal) -> T::Reply<Trade> {
        let (client, control) = (self.client.asynchronous(), Arc::clone(&self.control));
        let (key, proposal) = (key.to_owned(), proposal.clone());
        self.client.transport().run(async move { control.propose(&client, &key, proposal).await })
    }

    /// Returns the key with which a person was asked to approve this proposal. `None` if nobody was
    /// asked, or if the key has led to a trade.
    ///
    /// It is for programs that make up a key for each purchase: with the same key, the proposal is the
    /// purchase that the person was asked about.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Storage`] if a record cannot be read.
    pub fn asked_key(&self, proposal: &Proposal) -> T::Reply<Option<String>> {
        let (client, control) = (self.client.asynchronous(), Arc::clone(&self.control));
        let proposal = proposal.clone();
        self.client.transport().run(async move { control.asked_key(&client, &proposal).await })
    }

    /// Accepts a proposal as [`Api::accept_trade`](crate::Api::accept_trade) does. If you are the
    /// buyer, because the listing is a request, only if the policy allows the purchase.
    ///
    /// # Errors
    /// Returns the errors of [`Api::accept_trade`](crate::Api::accept_trade), and those of the policy
    /// as [`propose_trade_once`](Self::propose_trade_once) does.
    pub fn accept_trade(&self, id: &TradeId) -> T::Reply<Trade> {
        let (client, control) = (self.client.asynchronous(), Arc::clone(&self.control));
        let id = id.clone();
        self.client.transport().run(async move { control.accept(&client, &id).await })
    }

    /// Confirms a delivery as [`Api::confirm_trade`](crate::Api::confirm_trade) does, if the policy
    /// allows it: not above the limit on one trade, and only verified if it says so.
    ///
    /// # Errors
    /// Returns the errors of [`Api::confirm_trade`](crate::Api::confirm_trade), and
    /// [`ErrorKind::Policy`] if the policy refuses it.
    pub fn confirm_trade(&self, id: &TradeId) -> T::Reply<Trade> {
        let (client, control) = (self.client.asynchronous(), Arc::clone(&self.control));
        let id = id.clone();
        self.client.transport().run(async move { control.confirm(&client, &id).await })
    }

    /// Creates a listing as [`Api::create_listing`](crate::Api::create_listing) does. A request whose
    /// price is held as a bounty must be within the policy. A request that accepts by itself is
    /// refused, because nothing could limit what it spends.
    ///
    /// # Errors
    /// Returns the errors of [`Api::create_listing`](crate::Api::create_listing), and
    /// [`ErrorKind::Policy`] if the policy refuses it.
    pub fn create_listing(&self, listing: &NewListing) -> T::Reply<Listing> {
        let (client, control) = (self.client.asynchronous(), Arc::clone(&self.control));
        let listing = listing.clone();
        self.client.transport().run(async move {
            let bounty = bounty_of(&control, &listing)?;
            let call = |until| client.send(sent_before(until, create_listing(&listing)));
            control.holding(&client, bounty, call).await
        })
    }

    /// Creates a listing once for this key, as
    /// [`Api::create_listing_once`](crate::Api::create_listing_once) does, under the conditions of
    /// [`create_listing`](Self::create_listing).
    ///
    /// # Errors
    /// Returns the errors of [`Api::create_listing_once`](crate::Api::create_listing_once), and
    /// [`ErrorKind::Policy`] if the policy refuses it.
    pub fn create_listing_once(&self, key: &str, listing: &NewListing) -> T::Reply<Listing> {
        let (client, control) = (self.client.asynchronous(), Arc::clone(&self.control));
        let (key, listing) = (key.to_owned(), listing.clone());
        self.client.transport().run(async move {
            let bounty = bounty_of(&control, &listing)?;
            // What was created before holds its bounty already.
            let bounty = match bounty {
                Some(_) if is_created(&client, &key, &listing).await? => None,
                bounty => bounty,
            };
            let call = |until| create_listing_once(client.clone(), &key, listing, until);
            control.holding(&client, bounty, call).await
        })
    }

    /// Changes a listing as [`Api::update_listing`](crate::Api::update_listing) does. A request whose
    /// bounty would rise must be within the policy, and none may begin to accept by itself.
    ///
    /// # Errors
    /// Returns the errors of [`Api::update_listing`](crate::Api::update_listing), and
    /// [`ErrorKind::Policy`] if the policy refuses it.
    pub fn update_listing(&self, id: &ListingId, update: &ListingUpdate) -> T::Reply<Listing> {
        let (client, control) = (self.client.asynchronous(), Arc::clone(&self.control));
        let (id, update) = (id.clone(), update.clone());
        self.client.transport().run(async move {
            let bounty = control.raised_bounty(&client, &id, &update).await?;
            let call = |until| client.send(sent_before(until, update_listing(&id, &update)));
            control.holding(&client, bounty, call).await
        })
    }

    /// Decides whether the listing could be bought now. Nothing is recorded.
    ///
    /// # Errors
    /// Returns the errors of
    /// [`Api::get_marketplace_listing`](crate::Api::get_marketplace_listing) and of the calls that
    /// read the wallet and the trades.
    pub fn decide(&self, listing: &ListingId) -> T::Reply<PolicyDecision> {
        let (client, control) = (self.client.asynchronous(), Arc::clone(&self.control));
        let listing = listing.clone();
        self.client.transport().run(async move { control.preview(&client, &listing).await })
    }

    /// Returns what each limit leaves to be spent. If there are several policies, a rule may occur
    /// several times, and the least counts.
    ///
    /// # Errors
    /// Returns the errors of the calls that read the wallet and the trades.
    pub fn remaining(&self) -> T::Reply<Vec<LimitStatus>> {
        let (client, control) = (self.client.asynchronous(), Arc::clone(&self.control));
        self.client.transport().run(async move { control.remaining(&client).await })
    }

    /// Returns the purchases that need approval, those that were decided on lately included.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Storage`] if the record cannot be read.
    pub fn list_approvals(&self) -> T::Reply<Vec<Approval>> {
        let (client, control) = (self.client.asynchronous(), Arc::clone(&self.control));
        self.client.transport().run(async move { control.approvals(&client).await })
    }

    /// Approves or denies a purchase. An approval holds for 24 hours, for this purchase alone, up to
    /// its price. Call it only for a person.
    ///
    /// # Errors
    /// Returns [`ErrorKind::NotFound`] if there is no such question, and [`ErrorKind::Storage`] if
    /// the record cannot be read or written.
    pub fn decide_approval(&self, id: &str, is_approved: bool) -> T::Reply<Approval> {
        let (client, control) = (self.client.asynchronous(), Arc::clone(&self.control));
        let id = id.to_owned();
        let state = if is_approved { ApprovalState::Approved } else { ApprovalState::Denied };
        self.client.transport().run(async move {
            let decided = control.decide_approval(&client, &id, state).await?;
            let message = format!("no purchase with the id {id:?} waits for approval");
            decided.ok_or_else(|| Error::new(ErrorKind::NotFound, message))
        })
    }
}

impl<T: fmt::Debug> fmt::Debug for SpendingClient<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policies = &self.control.policies;
        f.debug_struct("SpendingClient")
            .field("client", &self.client)
            .field("policies", policies)
            .finish()
    }
}
