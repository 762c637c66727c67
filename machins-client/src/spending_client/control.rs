//! Deciding about what is about to be spent, and recording it before it is.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use agent_client_core::{Error, ErrorKind};

use super::snapshot::Snapshot;
use crate::client::Client;
use crate::intent::record::{hash, milliseconds};
use crate::model::id::ListingId;
use crate::model::money::Money;
use crate::proposals::{Sending, agent};
use crate::spending::commitment::{Commitment, Purchase};
use crate::spending::decision::{LimitStatus, PolicyDecision};
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
pub(super) struct Wanted<'a> {
    /// What it is recognised by.
    pub(super) reference: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) client_reference: Option<&'a str>,
    pub(super) listing_id: &'a ListingId,
    /// Whether the listing is a request of the buyer.
    pub(super) is_on_request: bool,
    pub(super) title: &'a str,
    pub(super) terms: Option<&'a str>,
    pub(super) purchase: &'a Purchase,
}

/// What was decided about a purchase.
pub(super) enum Decided {
    /// It is recorded and may be made.
    Reserved,
    /// A person is to be asked.
    Ask(Box<Approval>),
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

    pub(super) async fn lock(
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

    /// What is spent or under way, without the purchase of this reference or trade, and without the
    /// bounty of the request on which it is made.
    pub(super) async fn spent(
        &self,
        client: &Client,
        journal: &SpendingJournal,
        without: &str,
        request: Option<&ListingId>,
    ) -> Result<Vec<Commitment>, Error> {
        let now = SystemTime::now();
        let mut snapshot = Snapshot::read(client, now, request).await?;
        if self.policies.iter().any(SpendingPolicy::limits_types) {
            snapshot.read_types(client, journal, now).await?;
        }
        let resend_after = client.proposing().resend_after;
        Ok(snapshot.commitments(journal, without, |known| known.may_be_open(now, resend_after)))
    }

    /// The first decision that is not to allow, a refusal before a question.
    pub(super) fn decide(
        &self,
        decide: impl Fn(&SpendingPolicy) -> PolicyDecision,
    ) -> PolicyDecision {
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
    pub(super) async fn decide_once(
        &self,
        client: &Client,
        wanted: &Wanted<'_>,
        sending: Sending,
    ) -> Result<Decided, Error> {
        in_time(sending.left, self.decide_and_record(client, wanted, sending)).await
    }

    async fn decide_and_record(
        &self,
        client: &Client,
        wanted: &Wanted<'_>,
        sending: Sending,
    ) -> Result<Decided, Error> {
        let (mut lock, mut journal) = self.lock(client, sending.left).await?;
        let request = wanted.is_on_request.then_some(wanted.listing_id);
        let spent = self.spent(client, &journal, wanted.reference, request).await?;
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
                            return Ok(Decided::Ask(Box::new(approval)));
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
            is_shared: false,
        });
        lock.write(&journal).await?;
        Ok(Decided::Reserved)
    }

    /// Asks a person, and records the answer.
    pub(super) async fn ask(&self, client: &Client, approval: Approval) -> Result<(), Error> {
        let Some(approver) = &self.approver else { return Ok(()) };
        let id = approval.id.clone();
        let is_approved = approver(approval).await;
        let state = if is_approved { ApprovalState::Approved } else { ApprovalState::Denied };
        self.decide_approval(client, &id, state).await.map(drop)
    }

    pub(super) async fn release(&self, client: &Client, reference: &str) -> Result<(), Error> {
        let (mut lock, mut journal) = self.lock(client, client.transport().timeout()).await?;
        journal.release(reference);
        lock.write(&journal).await
    }

    pub(super) async fn forget(&self, client: &Client, reference: &str) -> Result<(), Error> {
        let (mut lock, mut journal) = self.lock(client, client.transport().timeout()).await?;
        journal.remove(reference);
        lock.write(&journal).await
    }

    pub(super) async fn preview(
        &self,
        client: &Client,
        id: &ListingId,
    ) -> Result<PolicyDecision, Error> {
        let listing = client.get_marketplace_listing(id).await?;
        let (guard, journal) = self.lock(client, client.transport().timeout()).await?;
        drop(guard);
        let spent = self.spent(client, &journal, "", None).await?;
        let purchase = Purchase::from(&listing);
        Ok(self.decide(|policy| policy.decide(&purchase, &spent, SystemTime::now())))
    }

    pub(super) async fn remaining(&self, client: &Client) -> Result<Vec<LimitStatus>, Error> {
        let (guard, journal) = self.lock(client, client.transport().timeout()).await?;
        drop(guard);
        let spent = self.spent(client, &journal, "", None).await?;
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

impl Wanted<'_> {
    fn question(&self, now: SystemTime) -> Approval {
        let kept = |text: &str| text.chars().take(TEXT_KEPT).collect::<String>();
        // With the price, so that an id approves only what was shown with it.
        let amount = self.purchase.amount.to_string();
        Approval {
            id: hash(&["approval", self.reference, &amount])[..12].to_owned(),
            reference: self.reference.to_owned(),
            key: self.key.map(Into::into),
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

/// Ends a decision, and with it the lock, if it takes longer than this.
pub(super) async fn in_time<R>(
    left: Duration,
    decided: impl Future<Output = Result<R, Error>>,
) -> Result<R, Error> {
    tokio::time::timeout(left, decided).await.unwrap_or_else(|_| {
        let message = "what was spent could not be read in time; nothing was sent";
        Err(Error::new(ErrorKind::TimedOut, message))
    })
}

pub(super) fn sending(client: &Client) -> Sending {
    let left = client.transport().timeout();
    let until_ms = SystemTime::now().checked_add(left).map_or(u64::MAX, milliseconds);
    Sending { left, until_ms }
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
