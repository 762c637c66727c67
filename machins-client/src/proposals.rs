//! Proposing a trade so that there is never a second one.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use agent_client_core::{Call, Document, Error, ErrorKind, Probe, ProbeResult, operation};

use crate::auth::API_KEY;
use crate::client::Client;
use crate::intent::record::{Intent, IntentState, Subject, check_key, hash, milliseconds, moment};
use crate::intent::store::{IntentLock, IntentStore, StoreFuture};
use crate::model::id::TradeId;
use crate::model::page::Page;
use crate::model::query::PageQuery;
use crate::model::trade::{Proposal, Trade, TradeQuery};
use crate::pager::Pager;
use crate::refusal::is_refused;

/// The page size of the search for a proposal: the maximum that the service allows.
const SEARCH_PAGE_SIZE: u32 = 200;
/// The number of trades that are searched before the outcome counts as unknown.
const MOST_SEARCHED: u64 = 10_000;
/// The shortest and the longest wait between two searches.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a client remembers a reference that it has sent.
const REMEMBERED_FOR: Duration = Duration::from_secs(60 * 60);

pub(crate) fn list_trades(query: &TradeQuery) -> Call<Page<Trade>> {
    Call::get("/trades")
        .operation(operation!("machins.list_trades"))
        .auth(&API_KEY)
        .query(query)
        .json()
}

pub(crate) fn get_trade(id: &TradeId) -> Call<Trade> {
    let call = Call::get("/trades/{id}")
        .operation(operation!("machins.get_trade"))
        .segment("id", id.as_str())
        .auth(&API_KEY)
        .json();
    only(id, call)
}

/// Believes only a reply that is about this trade.
pub(crate) fn only(id: &TradeId, call: Call<Trade>) -> Call<Trade> {
    let id = id.clone();
    call.check(move |trade: &Trade| trade.id == id)
}

/// Proposes a trade whose metadata has this reference. If the outcome is unknown, the trade is
/// searched for.
pub(crate) fn propose(proposal: &Proposal, reference: Document) -> Call<Trade> {
    let listing = proposal.listing_id().clone();
    let (asked_for, own) = (listing.clone(), reference.clone());
    Call::post("/trades")
        .operation(operation!("machins.propose_trade"))
        .auth(&API_KEY)
        .body(proposal)
        .unknown_hint("the trade may have been proposed: look through your trades")
        .json()
        .check(move |trade: &Trade| {
            trade.listing_id == asked_for && trade.reference().is_none_or(|shown| shown == own)
        })
        .recover_with(move |_| {
            let (listing, reference) = (listing.clone(), reference.clone());
            find(Arc::new(move |trade| trade.is_of(&listing, &reference)), 0)
        })
}

type IsIt = Arc<dyn Fn(&Trade) -> bool + Send + Sync>;

/// Searches the agent's trades for a proposal, page after page.
fn find(is_it: IsIt, offset: u64) -> Probe<Trade> {
    let query = TradeQuery::new().offset(offset).limit(SEARCH_PAGE_SIZE);
    Probe::new(list_trades(&query), move |page| {
        let page = page?;
        let next = page.next_offset(offset, SEARCH_PAGE_SIZE);
        let proposed = page.items.into_iter().find(|trade| is_it(trade));
        Ok(match (proposed, next) {
            (Some(trade), _) => ProbeResult::Done(trade),
            (None, Some(offset)) => ProbeResult::Next(find(Arc::clone(&is_it), offset)),
            // Not found does not mean absent: the proposal may still be on its way, and a second
            // one would be a second trade.
            (None, None) => ProbeResult::Unknown,
        })
    })
}

/// What is asked before a proposal is sent, each time that one is.
pub(crate) trait BeforeSending: fmt::Debug + Send + Sync {
    /// Returns an error if the proposal of this intent must not be sent. `sending` says by when it is
    /// sent.
    fn allow<'a>(
        &'a self,
        client: &'a Client,
        intent: &'a Intent,
        proposal: &'a Proposal,
        sending: Sending,
    ) -> StoreFuture<'a, ()>;
}

/// A proposal that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending {
    /// How long the call may still take.
    pub(crate) left: Duration,
    /// The time by which it has been sent.
    pub(crate) until_ms: u64,
}

/// One call that proposes a trade unless it has been proposed already.
pub(crate) struct Once {
    client: Client,
    store: Arc<dyn IntentStore>,
    intent: Intent,
    proposal: Proposal,
    reference: Document,
    /// Whether the key is one of the caller's, which leads to its trade for good, rather than a
    /// client reference.
    is_kept: bool,
    before_sending: Option<Arc<dyn BeforeSending>>,
    start: Instant,
}

/// What stands for the client's agent, to which the clients of others have no access.
pub(crate) fn agent(client: &Client) -> Result<String, Error> {
    let api_key = client.transport().credential(&API_KEY)?;
    Ok(hash(&["agent", api_key.as_ref().map_or("", |key| key.expose())]))
}

/// Returns what is left of the time of a call that began at this moment on the client's clock.
pub(crate) fn time_left(client: &Client, start: Instant) -> Result<Duration, Error> {
    let left = Some(client.transport().time_left(start)).filter(|left| !left.is_zero());
    left.ok_or_else(|| {
        let message = "the call's time limit passed; make it again in the same way";
        Error::new(ErrorKind::TimedOut, message)
    })
}

/// Fails once this time has passed, by which it was recorded that a call had been sent. A process that
/// was stopped meanwhile must not send it: nobody expects it any more.
pub(crate) fn check_time(until_ms: u64) -> Result<(), Error> {
    if milliseconds(SystemTime::now()) <= until_ms {
        return Ok(());
    }
    let message = "the call's time limit passed before it was sent; make it again in the same way";
    Err(Error::new(ErrorKind::TimedOut, message))
}

/// A call that is sent before this time, or not at all.
pub(crate) fn sent_before<R>(until_ms: Option<u64>, call: Call<R>) -> Call<R> {
    match until_ms {
        Some(until_ms) => call.only_while(move || check_time(until_ms)),
        None => call,
    }
}

/// A proposal that may have been sent.
struct Doubt {
    /// When it had been sent for the last time.
    ended: SystemTime,
    /// How long it must be searched for in vain before it counts as lost, from this moment on the
    /// client's clock.
    wait: Duration,
    from: Instant,
}

impl Once {
    /// Proposes a trade once for a key that the client's store records.
    pub(crate) async fn by_key(
        client: Client,
        key: String,
        proposal: Proposal,
    ) -> Result<Trade, Error> {
        Self::with_key(client, &key, proposal)?.run().await
    }

    /// Asks before a proposal is sent.
    pub(crate) fn asking(self, before_sending: Arc<dyn BeforeSending>) -> Self {
        Self { before_sending: Some(before_sending), ..self }
    }

    pub(crate) fn intent(&self) -> &Intent {
        &self.intent
    }

    pub(crate) fn with_key(client: Client, key: &str, proposal: Proposal) -> Result<Self, Error> {
        check_key(key)?;
        let store = Arc::clone(client.proposing().store()?);
        Self::new(client, store, key, proposal, true)
    }

    /// Proposes a trade once for the client reference in the proposal, as far as this client knows.
    pub(crate) async fn by_reference(client: Client, proposal: Proposal) -> Result<Trade, Error> {
        let references = &client.proposing().references;
        references.forget_before(SystemTime::now() - REMEMBERED_FOR);
        let store = Arc::new(references.clone());
        let reference = proposal.reference().map(Document::to_string).unwrap_or_default();
        let agent = agent(&client)?;
        let key = hash(&[&agent, proposal.listing_id().as_str(), &reference]);
        Self::new(client, store, &key, proposal, false)?.run().await
    }

    fn new(
        client: Client,
        store: Arc<dyn IntentStore>,
        key: &str,
        proposal: Proposal,
        is_kept: bool,
    ) -> Result<Self, Error> {
        let start = client.transport().clock().now();
        let base_url = client.transport().base_url().to_string();
        let intent =
            Intent::new(key, base_url, agent(&client)?, Subject::trade(&proposal), &proposal)?;
        let (proposal, reference) = proposal.with_reference_or(intent.reference());
        let before_sending = None;
        Ok(Self { client, store, intent, proposal, reference, is_kept, before_sending, start })
    }

    pub(crate) async fn run(self) -> Result<Trade, Error> {
        let mut lock = self.store.lock(self.intent.key(), self.time_left()?).await?;
        let known = lock.read().await?;
        // What this client has not sent yet, another one may have, but only under a key.
        let mut may_exist = self.is_kept || known.is_some();
        let mut doubt = None;
        if let Some(known) = known {
            if self.is_kept {
                if let Err(another) = known.check_same(&self.intent) {
                    return self.by_former_api_key(&mut *lock, &known, another).await;
                }
            }
            match (&known.state, known.trade_id()) {
                (IntentState::Done, Some(trade_id)) => match self.known(trade_id).await {
                    // A client reference is free again when its trade is gone.
                    Err(error) if !self.is_kept && error.kind() == ErrorKind::StaleIntent => {}
                    known => return known,
                },
                (IntentState::Done, None) => doubt = Some(self.doubt_since(SystemTime::now())),
                (IntentState::Sent { until_ms }, _) => {
                    doubt = Some(self.resume(&mut *lock, *until_ms).await?);
                }
            }
        }
        // The error of a proposal that this call has sent.
        let mut unknown: Option<Error> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let searched =
                if may_exist { self.search(&self.reference).await } else { Ok(Found::Nothing) };
            let found = match (searched, unknown.take()) {
                (Ok(found), error) => {
                    unknown = error;
                    found
                }
                (Err(_), Some(error)) | (Err(error), None) => return Err(error),
            };
            may_exist = true;
            if let Found::Trade(trade) = found {
                return Ok(self.finish(&mut *lock, *trade).await);
            }
            if let Some(doubt) = &doubt {
                let passed = self.clock_now().saturating_duration_since(doubt.from);
                let left = doubt.wait.saturating_sub(passed);
                let wait = pause.min(left);
                let is_in_time = self.time_left().is_ok_and(|time_left| wait < time_left);
                if !is_in_time || !matches!(found, Found::Nothing) {
                    return Err(unknown.unwrap_or_else(|| Self::still_unknown(&found, left)));
                }
                if !wait.is_zero() {
                    self.client.transport().clock().sleep(wait).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
            }
            let sent = self.send(&mut *lock, doubt.take()).await.map_err(|error| {
                // That nothing more was sent says nothing about what was.
                let unknown = unknown.take().filter(|_| error.kind() == ErrorKind::Storage);
                unknown.unwrap_or(error)
            });
            match sent? {
                Sent::Trade(trade) => return Ok(self.finish(&mut *lock, *trade).await),
                Sent::Unknown(error) if !self.is_kept => return Err(error),
                Sent::Unknown(error) => {
                    doubt = Some(self.doubt_since(SystemTime::now()));
                    unknown = Some(error);
                    pause = FIRST_PAUSE;
                }
            }
        }
    }

    /// Returns the trade of an intent of the agent that has had another API key since, or this error if it
    /// is not one: only the same agent finds the trade by its reference, as only it knows of it.
    async fn by_former_api_key(
        &self,
        lock: &mut dyn IntentLock,
        known: &Intent,
        another: Error,
    ) -> Result<Trade, Error> {
        let Some(intent) = known.for_agent_of(&self.intent) else { return Err(another) };
        let own_reference = Document::from(self.intent.reference());
        let reference = if self.reference == own_reference {
            Document::from(known.reference())
        } else {
            self.reference.clone()
        };
        match self.search(&reference).await? {
            Found::Trade(trade) => {
                // If this fails, the next call searches again.
                let _ = lock.write(&intent.done_by_trade(&trade.id)).await;
                Ok(*trade)
            }
            Found::Nothing => Err(another),
            found => Err(Self::still_unknown(&found, Duration::ZERO)),
        }
    }

    /// Takes over an intent that a call has left, which has ended: this one has its lock.
    async fn resume(&self, lock: &mut dyn IntentLock, until_ms: u64) -> Result<Doubt, Error> {
        let now = SystemTime::now();
        if milliseconds(now) < until_ms {
            lock.write(&self.sent(now)).await?;
            return Ok(self.doubt_since(now));
        }
        Ok(self.doubt_since(moment(until_ms)))
    }

    /// The doubt about a proposal that had been sent for the last time at this moment.
    fn doubt_since(&self, ended: SystemTime) -> Doubt {
        let resend_after = self.client.proposing().resend_after;
        // Zero if the system's clock was set back: then the whole time is waited for.
        let passed = SystemTime::now().duration_since(ended).unwrap_or_default();
        Doubt { ended, wait: resend_after.saturating_sub(passed), from: self.clock_now() }
    }

    /// Records that the proposal is being sent, and sends it. `doubt` is that about an earlier one,
    /// which counts as lost.
    async fn send(&self, lock: &mut dyn IntentLock, doubt: Option<Doubt>) -> Result<Sent, Error> {
        let left = self.time_left()?;
        // Without a limit, whoever takes over waits as if it had been sent until then.
        let until_ms = SystemTime::now().checked_add(left).map_or(u64::MAX, milliseconds);
        if let Some(before_sending) = &self.before_sending {
            let sending = Sending { left, until_ms };
            let asked = before_sending.allow(&self.client, &self.intent, &self.proposal, sending);
            asked.await?;
        }
        let left = self.time_left()?;
        lock.write(&self.intent.sent(until_ms)).await?;
        let is_held = lock.check();
        let call = propose(&self.proposal, self.reference.clone())
            .time_limit(left)
            .only_while(move || check_time(until_ms).and_then(|()| is_held()));
        let call = if self.is_kept {
            call.unknown_hint(
                "the trade may have been proposed: propose it again with the same key, which finds out",
            )
        } else {
            call
        };
        let error = match self.client.send(call).await {
            Ok(trade) => return Ok(Sent::Trade(Box::new(trade))),
            Err(error) => error,
        };
        if error.kind() == ErrorKind::OutcomeUnknown {
            // If this cannot be written, the record says a later moment.
            let _ = lock.write(&self.sent(SystemTime::now())).await;
            return Ok(Sent::Unknown(error));
        }
        let Some(doubt) = doubt else {
            if is_refused(&error) {
                // If this fails, the next call searches a little longer.
                let _ = lock.remove().await;
            }
            return Err(error);
        };
        // What was not sent, or was not looked at, says nothing about the earlier one.
        let is_decided = is_refused(&error) && error.status().is_some_and(|status| status != 429);
        if !is_decided {
            let _ = lock.write(&self.sent(doubt.ended)).await;
            return Err(error);
        }
        // The earlier one may have come so late that it is the reason.
        match self.search(&self.reference).await {
            Ok(Found::Trade(trade)) => Ok(Sent::Trade(trade)),
            Ok(Found::Nothing) => {
                let _ = lock.remove().await;
                Err(error)
            }
            Ok(Found::TooMany | Found::Similar(_)) | Err(_) => {
                let _ = lock.write(&self.sent(doubt.ended)).await;
                Err(error)
            }
        }
    }

    fn sent(&self, until: SystemTime) -> Intent {
        self.intent.sent(milliseconds(until))
    }

    /// Records the trade and returns it.
    async fn finish(&self, lock: &mut dyn IntentLock, trade: Trade) -> Trade {
        // If this fails, the next call finds the trade by its reference.
        let _ = lock.write(&self.intent.done_by_trade(&trade.id)).await;
        trade
    }

    /// Returns the trade that the key has led to before.
    async fn known(&self, id: &TradeId) -> Result<Trade, Error> {
        let call = get_trade(id).time_limit(self.time_left()?);
        self.client.send(call).await.map_err(|error| {
            if error.kind() != ErrorKind::NotFound {
                return error;
            }
            self.intent.stale("trade", id.as_str(), error)
        })
    }

    /// The error for a proposal of an earlier call that was not found.
    fn still_unknown(found: &Found, left: Duration) -> Error {
        let message = match found {
            Found::TooMany => "there are more trades than can be searched for it".to_owned(),
            Found::Similar(id) => format!(
                "trade {id} may be the one, but the service does not show its client reference; look at it"
            ),
            Found::Nothing | Found::Trade(_) => format!(
                "it is not found yet; propose it again in {} s, in the same way",
                left.as_secs_f32().ceil()
            ),
        };
        let message = format!("the trade may have been proposed before: {message}");
        Error::new(ErrorKind::OutcomeUnknown, message)
    }

    /// Searches the agent's trades for a proposal on the listing with this client reference.
    async fn search(&self, reference: &Document) -> Result<Found, Error> {
        let mut similar = None;
        let mut pager = Pager::new(PageQuery::new().limit(SEARCH_PAGE_SIZE));
        while let Some(page) = pager.next() {
            let limit = u64::from(page.limit.unwrap_or(SEARCH_PAGE_SIZE));
            if page.offset.unwrap_or(0) >= MOST_SEARCHED {
                return Ok(Found::TooMany);
            }
            let call = list_trades(&TradeQuery::new().at(page)).time_limit(self.time_left()?);
            let page = match self.client.send(call).await {
                // Trades contain what was delivered.
                Err(error) if error.kind() == ErrorKind::ReplyTooLarge && limit > 1 => {
                    pager.limit(limit / 2);
                    continue;
                }
                page => page?,
            };
            for trade in pager.take(page, |trade| trade.id.as_str()) {
                if trade.is_of(self.proposal.listing_id(), reference) {
                    return Ok(Found::Trade(Box::new(trade)));
                }
                if trade.may_be_of(&self.proposal) {
                    similar = Some(trade.id);
                }
            }
        }
        Ok(match similar {
            Some(id) => Found::Similar(id),
            None if pager.is_complete() => Found::Nothing,
            // The service counts more trades than it lists.
            None => Found::TooMany,
        })
    }

    fn clock_now(&self) -> Instant {
        self.client.transport().clock().now()
    }

    /// Returns what is left of the call's time.
    fn time_left(&self) -> Result<Duration, Error> {
        time_left(&self.client, self.start)
    }
}

/// What a search has found.
enum Found {
    Trade(Box<Trade>),
    Nothing,
    /// A trade that may be it, whose reference the service does not show.
    Similar(TradeId),
    /// More trades than can be searched, and not this one among the first.
    TooMany,
}

/// What became of a proposal that was sent.
enum Sent {
    Trade(Box<Trade>),
    Unknown(Error),
}
