//! Deciding about what is about to be spent, and recording it before it is.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use agent_client_core::{Document, Error, ErrorKind, lock};

use super::snapshot::Snapshot;
use crate::client::Client;
use crate::intent::record::{Intent, hash, milliseconds};
use crate::intent::store::StoreFuture;
use crate::model::id::{ListingId, TradeId};
use crate::model::listing::{ListingUpdate, NewListing, Side};
use crate::model::money::Money;
use crate::model::trade::{Proposal, Trade};
use crate::model::trade_status::TradeStatus;
use crate::proposals::{BeforeSending, Once, Sending, agent};
use crate::spending::commitment::{Commitment, Purchase};
use crate::spending::decision::{LimitStatus, PolicyDecision, PolicyRefusal, PolicyRule};
use crate::spending::file::FileSpendingStore;
use crate::spending::journal::{Approval, ApprovalState, Reservation, SpendingJournal};
use crate::spending::policy::SpendingPolicy;
use crate::spending::store::{SpendingLock, SpendingStore};

/// How many characters of a text are recorded for people.
const TEXT_KEPT: usize = 200;

type Approver = dyn Fn(Approval) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync;

/// The policies, and what they need to be kept.
#[derive(Clone)]
pub(super) struct Control {
    pub(super) policies: Vec<SpendingPolicy>,
    pub(super) store: Option<Arc<dyn SpendingStore>>,
    default_store: Arc<OnceLock<Arc<dyn SpendingStore>>>,
    pub(super) approver: Option<Arc<Approver>>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("policies", &self.policies).finish_non_exhaustive()
    }
}

/// A purchase that is decided on.
struct Wanted<'a> {
    /// What it is recognised by.
    reference: &'a str,
    client_reference: Option<&'a str>,
    listing_id: &'a ListingId,
    title: &'a str,
    terms: Option<&'a str>,
    purchase: &'a Purchase,
}

/// What was decided about a purchase.
enum Decided {
    /// It is recorded and may be made.
    Reserved,
    /// A person is to be asked.
    Ask(Approval),
}

impl Control {
    pub(super) fn new(policy: SpendingPolicy) -> Self {
        let default_store = Arc::default();
        Self { policies: vec![policy], store: None, default_store, approver: None }
    }

    pub(super) fn limits_nothing(&self) -> bool {
        self.policies.iter().all(SpendingPolicy::is_empty)
    }

    fn store(&self) -> Result<&Arc<dyn SpendingStore>, Error> {
        if let Some(store) = self.store.as_ref().or_else(|| self.default_store.get()) {
            return Ok(store);
        }
        let store = FileSpendingStore::in_config_folder()?;
        Ok(self.default_store.get_or_init(|| Arc::new(store)))
    }

    async fn lock(
        &self,
        client: &Client,
        patience: Duration,
    ) -> Result<(Box<dyn SpendingLock>, SpendingJournal), Error> {
        let base_url = client.transport().base_url().to_string();
        let account = hash(&["spending", &base_url, &agent(client)?]);
        let mut lock = self.store()?.lock(&account, patience).await?;
        let mut journal = lock.read().await?;
        journal.prune(SystemTime::now(), client.proposing().resend_after);
        Ok((lock, journal))
    }

    /// What is spent or under way, without the purchase of this reference or trade.
    async fn spent(
        &self,
        client: &Client,
        journal: &SpendingJournal,
        without: &str,
    ) -> Result<Vec<Commitment>, Error> {
        let now = SystemTime::now();
        let mut snapshot = Snapshot::read(client, now).await?;
        if self.policies.iter().any(SpendingPolicy::limits_types) {
            snapshot.read_types(client, journal, now).await?;
        }
        Ok(snapshot.commitments(journal, without))
    }

    /// The first decision that is not to allow, a refusal before a question.
    fn decide(&self, decide: impl Fn(&SpendingPolicy) -> PolicyDecision) -> PolicyDecision {
        let mut answer = PolicyDecision::Allowed;
        for policy in &self.policies {
            match decide(policy) {
                PolicyDecision::Allowed => {}
                refused @ PolicyDecision::Refused(_) => return refused,
                PolicyDecision::NeedsApproval { above } => {
                    answer = PolicyDecision::NeedsApproval { above };
                }
            }
        }
        answer
    }

    /// Decides about a purchase within the time of the call, and records it if it may be made.
    async fn decide_once(
        &self,
        client: &Client,
        wanted: &Wanted<'_>,
        sending: Sending,
    ) -> Result<Decided, Error> {
        let decided = self.decide_and_record(client, wanted, sending);
        tokio::time::timeout(sending.left, decided).await.unwrap_or_else(|_| {
            let message = "what was spent could not be read in time; nothing was sent";
            Err(Error::new(ErrorKind::TimedOut, message))
        })
    }

    async fn decide_and_record(
        &self,
        client: &Client,
        wanted: &Wanted<'_>,
        sending: Sending,
    ) -> Result<Decided, Error> {
        let (mut lock, mut journal) = self.lock(client, sending.left).await?;
        let spent = self.spent(client, &journal, wanted.reference).await?;
        let now = SystemTime::now();
        let Purchase { amount, seller, listing_type, .. } = wanted.purchase;
        match self.decide(|policy| policy.decide(wanted.purchase, &spent, now)) {
            PolicyDecision::Allowed => {}
            PolicyDecision::Refused(refusal) => return Err(refusal.into()),
            PolicyDecision::NeedsApproval { above } => {
                let known = journal.approval(wanted.reference, *amount).cloned();
                match known.as_ref().map(Approval::state) {
                    Some(ApprovalState::Approved) => {}
                    Some(ApprovalState::Denied) => return Err(denied(known.as_ref())),
                    Some(ApprovalState::Pending) | None => {
                        let approval = known.unwrap_or_else(|| wanted.question(now));
                        journal.ask(approval.clone());
                        lock.write(&journal).await?;
                        if self.approver.is_some() {
                            return Ok(Decided::Ask(approval));
                        }
                        return Err(approval_needed(&approval, above));
                    }
                }
            }
        }
        journal.reserve(Reservation {
            reference: wanted.reference.to_owned(),
            client_reference: wanted.client_reference.map(Into::into),
            listing_id: Some(wanted.listing_id.clone()),
            seller: seller.clone(),
            listing_type: Some(listing_type.clone()),
            amount: *amount,
            reserved_at_ms: milliseconds(now),
            until_ms: sending.until_ms,
            trade_id: None,
        });
        lock.write(&journal).await?;
        Ok(Decided::Reserved)
    }

    /// Asks a person, and records the answer.
    async fn ask(&self, client: &Client, approval: Approval) -> Result<(), Error> {
        let Some(approver) = &self.approver else { return Ok(()) };
        let id = approval.id.clone();
        let is_approved = approver(approval).await;
        let state = if is_approved { ApprovalState::Approved } else { ApprovalState::Denied };
        self.decide_approval(client, &id, state).await.map(drop)
    }

    pub(super) async fn propose(
        self: &Arc<Self>,
        client: &Client,
        key: &str,
        proposal: Proposal,
    ) -> Result<Trade, Error> {
        if self.limits_nothing() {
            return client.propose_trade_once(key, &proposal).await;
        }
        let asking = Arc::new(Asking { control: Arc::clone(self), reserved: Mutex::default() });
        let before_sending: Arc<dyn BeforeSending> = Arc::clone(&asking) as _;
        let once = Once::with_key(client.clone(), key, proposal)?.asking(before_sending);
        let reference = once.intent().reference().to_owned();
        match once.run().await {
            Ok(trade) => self.settle(client, &reference, trade).await,
            Err(error) => {
                let is_refused =
                    matches!(error.status(), Some(300..=499)) || error.kind() == ErrorKind::NotSent;
                // If an earlier one may be on its way, or this fails, the record lapses by itself.
                if is_refused && *lock(&asking.reserved) == 1 {
                    let _ = self.release(client, &reference).await;
                }
                Err(error)
            }
        }
    }

    async fn release(&self, client: &Client, reference: &str) -> Result<(), Error> {
        let (mut lock, mut journal) = self.lock(client, client.transport().timeout()).await?;
        journal.release(reference);
        lock.write(&journal).await
    }

    /// Records what a purchase led to. A trade that costs more than was decided on is given up.
    async fn settle(&self, client: &Client, reference: &str, trade: Trade) -> Result<Trade, Error> {
        // The trade exists, so that what cannot be recorded must not hide it.
        let Ok((mut lock, mut journal)) = self.lock(client, client.transport().timeout()).await
        else {
            return Ok(trade);
        };
        let Some(reservation) = journal.reservation_mut(reference) else { return Ok(trade) };
        if reservation.trade_id.is_some() {
            return Ok(trade);
        }
        let decided_on = reservation.amount;
        reservation.trade_id = Some(trade.id.clone());
        reservation.amount = trade.price;
        let reservation = reservation.clone();
        let _ = lock.write(&journal).await;
        if trade.price <= decided_on {
            return Ok(trade);
        }
        let spent = self.spent(client, &journal, trade.id.as_str()).await?;
        drop(lock);
        let purchase = Purchase {
            seller: reservation.seller,
            ..Purchase::new(trade.price, reservation.listing_type.unwrap_or_else(|| "".into()))
        };
        let now = SystemTime::now();
        let refusal = match self.decide(|policy| policy.decide_amount(&purchase, &spent, now)) {
            PolicyDecision::Allowed => return Ok(trade),
            PolicyDecision::Refused(refusal) => refusal,
            PolicyDecision::NeedsApproval { above } => PolicyRefusal {
                rule: PolicyRule::ApprovalAbove,
                remaining: None,
                why: format!("trades above {above} need approval"),
            },
        };
        let (id, price) = (&trade.id, trade.price);
        let became = match trade.status {
            TradeStatus::EscrowHeld => {
                match client.cancel_trade(id, Some("the price was raised")).await {
                    Ok(_) => "it was cancelled",
                    Err(_) => "it could not be cancelled: cancel or dispute it",
                }
            }
            TradeStatus::Proposed => "cancel it as soon as it is accepted",
            _ => "cancel or dispute it",
        };
        let message = format!(
            "the price was raised from {decided_on} to {price} meanwhile, so that trade {id} is not within the policy; {became}. {refusal}"
        );
        Err(Error::new(ErrorKind::Policy, message))
    }

    pub(super) async fn accept(
        self: &Arc<Self>,
        client: &Client,
        id: &TradeId,
    ) -> Result<Trade, Error> {
        if self.limits_nothing() {
            return client.accept_trade(id).await;
        }
        let (trade, wallet) = (client.get_trade(id).await?, client.get_wallet().await?);
        // Who sells spends nothing.
        if wallet.agent_id.as_ref().is_some_and(|own| *own == trade.seller_agent_id) {
            return client.accept_trade(id).await;
        }
        let listing = client.get_listing(&trade.listing_id).await?;
        let mut purchase = Purchase::new(trade.price, listing.listing_type)
            .seller(&trade.seller_agent_id)
            .tags(listing.tags);
        self.find_seller(client, &mut purchase).await?;
        let wanted = Wanted {
            reference: id.as_str(),
            client_reference: None,
            listing_id: &trade.listing_id,
            title: &listing.title,
            terms: trade.terms.as_deref(),
            purchase: &purchase,
        };
        while let Decided::Ask(approval) =
            self.decide_once(client, &wanted, sending(client)).await?
        {
            self.ask(client, approval).await?;
        }
        let accepted = client.accept_trade(id).await;
        match &accepted {
            // If this fails, the trade is recognised by its id.
            Ok(trade) => drop(self.record_trade(client, id.as_str(), &trade.id).await),
            Err(error) if matches!(error.status(), Some(300..=499)) => {
                let _ = self.release(client, id.as_str()).await;
            }
            Err(_) => {}
        }
        accepted
    }

    async fn record_trade(
        &self,
        client: &Client,
        reference: &str,
        id: &TradeId,
    ) -> Result<(), Error> {
        let (mut lock, mut journal) = self.lock(client, client.transport().timeout()).await?;
        let Some(known) = journal.reservation_mut(reference) else { return Ok(()) };
        known.trade_id = Some(id.clone());
        lock.write(&journal).await
    }

    /// Finds the slug and the reputation of a seller who is known by the id alone.
    async fn find_seller(&self, client: &Client, purchase: &mut Purchase) -> Result<(), Error> {
        let named: Vec<&str> =
            self.policies.iter().flat_map(SpendingPolicy::named_sellers).collect();
        for name in named {
            let Ok(slug) = name.parse() else { continue };
            match client.get_agent(&slug).await {
                Ok(agent) if agent.id.is_some() && agent.id == purchase.seller => {
                    purchase.reputation = agent
                        .reputation_score
                        .as_ref()
                        .and_then(|score| score.as_str().unwrap_or(score.as_json()).parse().ok());
                    purchase.seller_slug = Some(slug);
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        purchase.is_unnamed = true;
        Ok(())
    }

    pub(super) async fn confirm(&self, client: &Client, id: &TradeId) -> Result<Trade, Error> {
        if !self.limits_nothing() {
            let trade = client.get_trade(id).await?;
            let decision = self
                .decide(|policy| policy.decide_confirmation(trade.price, trade.delivery_verified));
            if let PolicyDecision::Refused(refusal) = decision {
                return Err(refusal.into());
            }
        }
        client.confirm_trade(id).await
    }

    /// Makes a call that holds credits as a bounty, if they may be.
    pub(super) async fn holding<R>(
        &self,
        client: &Client,
        bounty: Option<(String, Money)>,
        call: impl Future<Output = Result<R, Error>>,
    ) -> Result<R, Error> {
        let Some((reference, amount)) = bounty else { return call.await };
        let sending = sending(client);
        let (mut lock, mut journal) = self.lock(client, sending.left).await?;
        let spent = self.spent(client, &journal, &reference).await?;
        let now = SystemTime::now();
        let decision = self.decide(|policy| policy.decide_bounty(amount, &spent, now));
        if let PolicyDecision::Refused(refusal) = decision {
            return Err(refusal.into());
        }
        journal.reserve(Reservation {
            reference: reference.clone(),
            client_reference: None,
            listing_id: None,
            seller: None,
            listing_type: None,
            amount,
            reserved_at_ms: milliseconds(now),
            until_ms: sending.until_ms,
            trade_id: None,
        });
        lock.write(&journal).await?;
        drop(lock);
        let held = call.await;
        let is_refused = |error: &Error| {
            matches!(error.status(), Some(300..=499)) || error.kind() == ErrorKind::NotSent
        };
        // What is held now, the wallet says. What may be held is recorded until it lapses.
        if held.as_ref().map_or_else(is_refused, |_| true) {
            let _ = self.release(client, &reference).await;
        }
        held
    }

    /// What a change of a listing holds in addition.
    pub(super) async fn raised_bounty(
        &self,
        client: &Client,
        id: &ListingId,
        update: &ListingUpdate,
    ) -> Result<Option<(String, Money)>, Error> {
        if self.limits_nothing() {
            return Ok(None);
        }
        let listing = client.get_listing(id).await?;
        if listing.side == Some(Side::Offer) {
            return Ok(None);
        }
        let accepts = listing.auto_accept == Some(true);
        if update.accepts_by_itself() || (accepts && update.new_price().is_some()) {
            return Err(accepts_by_itself());
        }
        let Some(price) = update.new_price() else { return Ok(None) };
        let rise = price - listing.price;
        let is_held = listing.bounty_held == Some(true);
        Ok((is_held && rise > Money::ZERO).then(|| (format!("bounty {id} {price}"), rise)))
    }

    pub(super) async fn preview(
        &self,
        client: &Client,
        id: &ListingId,
    ) -> Result<PolicyDecision, Error> {
        let listing = client.get_marketplace_listing(id).await?;
        let (guard, journal) = self.lock(client, client.transport().timeout()).await?;
        drop(guard);
        let spent = self.spent(client, &journal, "").await?;
        let purchase = Purchase::from(&listing);
        Ok(self.decide(|policy| policy.decide(&purchase, &spent, SystemTime::now())))
    }

    pub(super) async fn remaining(&self, client: &Client) -> Result<Vec<LimitStatus>, Error> {
        let (guard, journal) = self.lock(client, client.transport().timeout()).await?;
        drop(guard);
        let spent = self.spent(client, &journal, "").await?;
        let now = SystemTime::now();
        Ok(self.policies.iter().flat_map(|policy| policy.remaining(&spent, now)).collect())
    }

    pub(super) async fn approvals(&self, client: &Client) -> Result<Vec<Approval>, Error> {
        let (_lock, journal) = self.lock(client, client.transport().timeout()).await?;
        Ok(journal.approvals)
    }

    /// Records a decision, and returns what was decided on. `None` if there is no such question.
    pub(super) async fn decide_approval(
        &self,
        client: &Client,
        id: &str,
        state: ApprovalState,
    ) -> Result<Option<Approval>, Error> {
        let (mut lock, mut journal) = self.lock(client, client.transport().timeout()).await?;
        let Some(approval) = journal.approvals.iter_mut().find(|known| known.id == id) else {
            return Ok(None);
        };
        approval.state = state;
        approval.decided_at_ms = Some(milliseconds(SystemTime::now()));
        let approval = approval.clone();
        lock.write(&journal).await?;
        Ok(Some(approval))
    }
}

/// Asks the policy before a proposal is sent.
#[derive(Debug)]
struct Asking {
    control: Arc<Control>,
    /// How often a proposal was allowed.
    reserved: Mutex<u32>,
}

impl BeforeSending for Asking {
    fn allow<'a>(
        &'a self,
        client: &'a Client,
        intent: &'a Intent,
        proposal: &'a Proposal,
        sending: Sending,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            loop {
                let listing = client.get_marketplace_listing(proposal.listing_id()).await?;
                // Who proposes on a request sells.
                if listing.side == Some(Side::Request) {
                    return Ok(());
                }
                let purchase = Purchase::from(&listing);
                let wanted = Wanted {
                    reference: intent.reference(),
                    client_reference: proposal.reference().map(Document::as_json),
                    listing_id: &listing.id,
                    title: &listing.title,
                    terms: proposal.terms_text(),
                    purchase: &purchase,
                };
                match self.control.decide_once(client, &wanted, sending).await? {
                    Decided::Reserved => break,
                    // Meanwhile the price may change.
                    Decided::Ask(approval) => self.control.ask(client, approval).await?,
                }
            }
            *lock(&self.reserved) += 1;
            Ok(())
        })
    }
}

impl Wanted<'_> {
    fn question(&self, now: SystemTime) -> Approval {
        let kept = |text: &str| text.chars().take(TEXT_KEPT).collect::<String>();
        // With the price, so that an id approves only what was shown with it.
        let amount = self.purchase.amount.to_string();
        Approval {
            id: hash(&["approval", self.reference, &amount])[..12].to_owned(),
            reference: self.reference.to_owned(),
            listing_id: self.listing_id.clone(),
            title: kept(self.title),
            seller: self.purchase.seller.clone(),
            terms: self.terms.map(kept),
            amount: self.purchase.amount,
            state: ApprovalState::Pending,
            asked_at_ms: milliseconds(now),
            decided_at_ms: None,
        }
    }
}

fn sending(client: &Client) -> Sending {
    let left = client.transport().timeout();
    let until_ms = SystemTime::now().checked_add(left).map_or(u64::MAX, milliseconds);
    Sending { left, until_ms }
}

/// The credits that a new listing holds, and what the holding is recognised by.
pub(super) fn bounty_of(
    control: &Control,
    listing: &NewListing,
) -> Result<Option<(String, Money)>, Error> {
    if control.limits_nothing() || !listing.is_request() {
        return Ok(None);
    }
    if listing.accepts_by_itself() {
        return Err(accepts_by_itself());
    }
    let reference = format!("bounty {}", listing.slug());
    Ok(listing.bounty_amount().map(|amount| (reference, amount)))
}

fn accepts_by_itself() -> Error {
    let message = "the spending policy refuses it: a request that accepts by itself (auto_accept) could spend any amount";
    Error::new(ErrorKind::Policy, message)
}

fn approval_needed(approval: &Approval, above: Money) -> Error {
    let Approval { id, amount, .. } = approval;
    let message = format!(
        "the spending policy demands approval by a person above {above} (approval_above), and the price is {amount}: approval {id} is pending; ask the owner of this machine, then try again in the same way"
    );
    Error::new(ErrorKind::ApprovalNeeded, message)
}

fn denied(approval: Option<&Approval>) -> Error {
    let id = approval.map(Approval::id).unwrap_or_default();
    let message = format!(
        "the spending policy refuses it (approval_above): a person has denied it, approval {id}"
    );
    Error::new(ErrorKind::Policy, message)
}
