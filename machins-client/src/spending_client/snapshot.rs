//! What the service says about an agent's spending, and what that comes to with the journal.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::SystemTime;

use agent_client_core::{Error, ErrorKind, Timestamp};

use crate::client::Client;
use crate::intent::record::moment;
use crate::model::id::{AgentId, ListingId, TradeId};
use crate::model::listing::{Listing, ListingType, Side};
use crate::model::money::Money;
use crate::model::query::PageQuery;
use crate::model::trade::{Trade, TradeQuery};
use crate::model::trade_status::{Role, TradeStatus};
use crate::model::wallet::{EntryType, Transaction, Wallet};
use crate::pager::Pager;
use crate::spending::commitment::{Commitment, day};
use crate::spending::journal::{Reservation, SpendingJournal};

/// The page size of what is read: the maximum that the service allows.
const PAGE: u32 = 200;
/// The number of trades or transactions that are read before the spending counts as unknown.
const MOST_READ: u64 = 20_000;

/// How often everything is read before the wallet counts as never at rest.
const MOST_TRIES: u32 = 10;

/// What the service says.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) agent: Option<AgentId>,
    held: Money,
    /// What is held for the request whose proposal is decided on.
    bounty: Money,
    trades: BTreeMap<String, Bought>,
    transactions: Vec<Entry>,
    types: HashMap<ListingId, ListingType>,
}

/// A trade that the agent pays for, and its price.
#[derive(Debug)]
struct Bought {
    trade: Trade,
    price: Money,
}

/// A transaction and its amount.
#[derive(Debug)]
struct Entry {
    transaction: Transaction,
    amount: Money,
}

impl Snapshot {
    /// Reads what is needed to know what was spent this month and what is under way.
    ///
    /// `request` is the request on which a proposal is to be accepted: its bounty becomes the escrow
    /// of the trade. What is held for bounties is what the wallet holds beyond the trades, so that both
    /// must be of one moment: otherwise a trade that was accepted meanwhile would hide a bounty.
    pub(super) async fn read(
        client: &Client,
        now: SystemTime,
        request: Option<&ListingId>,
    ) -> Result<Self, Error> {
        for _ in 0..MOST_TRIES {
            let wallet = client.get_wallet().await?;
            let (held, version) = (wallet.held_balance, wallet.version);
            if held < Money::ZERO {
                return Err(unsaid("what the wallet holds"));
            }
            let mut snapshot = Self::read_trading(client, wallet, now).await?;
            if held == Money::ZERO {
                return Ok(snapshot);
            }
            if let Some(request) = request {
                let listing = client.get_listing(request).await?;
                let is_held = listing.bounty_held == Some(true);
                snapshot.bounty = if is_held { listing.price } else { Money::ZERO };
            }
            let wallet = client.get_wallet().await?;
            if (wallet.held_balance, wallet.version) == (held, version) {
                return Ok(snapshot);
            }
        }
        let message = "the wallet changed each time that what was spent was read; nothing was sent";
        Err(Error::new(ErrorKind::TimedOut, message))
    }

    async fn read_trading(client: &Client, wallet: Wallet, now: SystemTime) -> Result<Self, Error> {
        let mut snapshot =
            Self { agent: wallet.agent_id, held: wallet.held_balance, ..Self::default() };
        let is_whole = snapshot.read_trades(client, None, now).await?;
        if !is_whole {
            // Those under way may be older than a month.
            for status in [
                TradeStatus::Proposed,
                TradeStatus::EscrowHeld,
                TradeStatus::Delivered,
                TradeStatus::Disputed,
            ] {
                snapshot.read_trades(client, Some(status), now).await?;
            }
        }
        snapshot.drop_bids(client).await?;
        snapshot.read_transactions(client, now).await?;
        snapshot.read_unknown_trades(client).await?;
        Ok(snapshot)
    }

    /// Reads the trades of one status, or of all: then only those of this month. Returns whether all
    /// were read.
    async fn read_trades(
        &mut self,
        client: &Client,
        status: Option<TradeStatus>,
        now: SystemTime,
    ) -> Result<bool, Error> {
        let mut pager = Pager::new(PageQuery::new().limit(PAGE));
        while let Some(page) = pager.next() {
            if page.offset.unwrap_or(0) >= MOST_READ {
                return Err(too_many("trades"));
            }
            let filter = TradeQuery::new().role(Role::Buyer);
            let filter = match &status {
                Some(status) => filter.status(status.clone()),
                None => filter,
            };
            let page = client.list_trades(&filter.at(page)).await?;
            let is_over =
                status.is_none() && ends_before_month(page.items.iter().map(proposed_at), now);
            for trade in pager.take(page, |trade| trade.id.as_str()) {
                let buyer = trade.buyer_agent_id.as_ref();
                let is_other =
                    buyer.zip(self.agent.as_ref()).is_some_and(|(buyer, own)| buyer != own);
                if !is_other {
                    self.add(trade)?;
                }
            }
            if is_over && pager.next().is_some() {
                return Ok(false);
            }
        }
        if pager.is_complete() { Ok(true) } else { Err(not_all("trades")) }
    }

    fn add(&mut self, trade: Trade) -> Result<(), Error> {
        let price = match trade.price.filter(|price| *price >= Money::ZERO) {
            Some(price) => price,
            None if is_free(&trade, None) => Money::ZERO,
            None => return Err(unsaid(&format!("what trade {} costs", trade.id))),
        };
        self.trades.insert(trade.id.to_string(), Bought { trade, price });
        Ok(())
    }

    /// Leaves out what others propose on the agent's own requests. It is spent when the agent accepts
    /// it; until then, strangers would use up the limits.
    async fn drop_bids(&mut self, client: &Client) -> Result<(), Error> {
        let is_open = |bought: &Bought| bought.trade.status == TradeStatus::Proposed;
        if !self.trades.values().any(is_open) {
            return Ok(());
        }
        let is_decided_on = |listing: &Listing| {
            listing.side == Some(Side::Request) && listing.auto_accept != Some(true)
        };
        let requests: HashSet<ListingId> = client
            .list_listings()
            .await?
            .into_iter()
            .filter(is_decided_on)
            .map(|listing| listing.id)
            .collect();
        self.trades
            .retain(|_, bought| !is_open(bought) || !requests.contains(&bought.trade.listing_id));
        Ok(())
    }

    async fn read_transactions(&mut self, client: &Client, now: SystemTime) -> Result<(), Error> {
        let mut pager = Pager::new(PageQuery::new().limit(PAGE));
        while let Some(page) = pager.next() {
            if page.offset.unwrap_or(0) >= MOST_READ {
                return Err(too_many("transactions"));
            }
            let page = client.list_transactions(&page).await?;
            let times = page.items.iter().map(|entry| time(entry.created_at.as_ref()));
            let is_over = ends_before_month(times, now);
            for transaction in pager.take(page, |entry| entry.id.as_str()) {
                let Some(amount) = transaction.amount else {
                    return Err(unsaid(&format!("the amount of transaction {}", transaction.id)));
                };
                self.transactions.push(Entry { transaction, amount });
            }
            if is_over {
                return Ok(());
            }
        }
        if pager.is_complete() { Ok(()) } else { Err(not_all("transactions")) }
    }

    /// Reads older trades that were paid this month, so that they count when they were made.
    async fn read_unknown_trades(&mut self, client: &Client) -> Result<(), Error> {
        let net = self.net_by_reference();
        let unknown = net.iter().filter(|(reference, net)| {
            net.is_trade && net.left > Money::ZERO && !self.trades.contains_key(*reference)
        });
        let ids: Vec<String> = unknown.map(|(reference, _)| reference.clone()).collect();
        for id in ids {
            let Ok(id) = TradeId::new(&id) else { continue };
            match client.get_trade(&id).await {
                Ok(trade) => self.add(trade)?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads the types of the listings of those trades whose type is not recorded.
    pub(super) async fn read_types(
        &mut self,
        client: &Client,
        journal: &SpendingJournal,
        now: SystemTime,
    ) -> Result<(), Error> {
        let recorded: HashSet<_> =
            journal.reservations.iter().filter_map(|known| known.trade_id.as_ref()).collect();
        let listings: HashSet<ListingId> = self
            .trades
            .values()
            .map(|bought| &bought.trade)
            .filter(|trade| !recorded.contains(&trade.id) && !is_before_month(held_at(trade), now))
            .map(|trade| trade.listing_id.clone())
            .collect();
        for listing in listings {
            match client.get_marketplace_listing(&listing).await {
                Ok(found) => drop(self.types.insert(listing, found.listing_type)),
                // One that is not public any more: its trades count for every type.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What is spent or under way, without the trade of this id or the reservation of this purchase.
    /// A trade of the same client reference counts: the caller may use one for several purchases.
    pub(super) fn commitments(
        &self,
        journal: &SpendingJournal,
        without: &str,
        may_be_open: impl Fn(&Reservation) -> bool,
    ) -> Vec<Commitment> {
        let net = self.net_by_reference();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut all = Vec::new();
        let mut held = Money::ZERO;
        for (id, bought) in &self.trades {
            let trade = &bought.trade;
            let reference = trade.reference().map(|reference| reference.as_json().to_owned());
            let is_sent = |known: &&Reservation| {
                known.trade_id.is_none()
                    && (known.reference == *id
                        || reference.is_some()
                            && known.client_reference == reference
                            && known.listing_id.as_ref() == Some(&trade.listing_id))
            };
            let mut reservations = journal.reservations.iter();
            let recorded = reservations
                .find(|known| known.trade_id.as_ref() == Some(&trade.id))
                .or_else(|| journal.reservations.iter().find(is_sent));
            if let Some(recorded) = recorded {
                seen.insert(&recorded.reference);
            }
            if is_held(&trade.status) {
                held += bought.price;
            }
            if id != without && !is_free(trade, net.get(id)) {
                all.push(self.commitment(bought, recorded));
            }
        }
        for known in &journal.reservations {
            let is_this = known.reference == without
                || known.trade_id.as_ref().is_some_and(|id| id.as_str() == without);
            if !is_this && !seen.contains(known.reference.as_str()) {
                all.extend(reserved(known, may_be_open(known)));
            }
        }
        // Bounties, for example.
        let other = self.held - held - self.bounty;
        if other > Money::ZERO {
            all.push(Commitment::open(other, None));
        }
        for (reference, net) in &net {
            if !self.trades.contains_key(reference) && net.left > Money::ZERO {
                all.push(Commitment::settled(net.left, net.last));
            }
        }
        all
    }

    fn commitment(&self, bought: &Bought, recorded: Option<&Reservation>) -> Commitment {
        let trade = &bought.trade;
        // A list that says less than was decided on is not believed.
        let price = recorded.map_or(bought.price, |recorded| recorded.amount.max(bought.price));
        // What a clock of the service says is not trusted alone: the later time counts.
        let recorded_at = recorded.map(reserved_at);
        let at = match held_at(trade) {
            // A proposal may be accepted at any moment.
            _ if trade.status == TradeStatus::Proposed => None,
            None => None,
            Some(at) => Some(recorded_at.map_or(at, |recorded| recorded.max(at))),
        };
        let is_settled = matches!(trade.status, TradeStatus::Completed | TradeStatus::Resolved);
        let commitment =
            if is_settled { Commitment::settled(price, at) } else { Commitment::open(price, at) };
        let commitment = match &trade.seller_agent_id {
            Some(seller) => commitment.seller(seller),
            None => commitment,
        };
        let listing_type = recorded.and_then(|recorded| recorded.listing_type.as_ref());
        match listing_type.or_else(|| self.types.get(&trade.listing_id)) {
            Some(listing_type) => commitment.listing_type(listing_type.clone()),
            None => commitment,
        }
    }

    /// What left the wallet this month for each thing that the transactions refer to.
    fn net_by_reference(&self) -> BTreeMap<String, Net> {
        let mut all: BTreeMap<String, Net> = BTreeMap::new();
        for Entry { transaction, amount } in &self.transactions {
            // What refers to the agent itself, such as a deposit, makes up for nothing else.
            let of_something = |reference: &&String| {
                !reference.trim().is_empty()
                    && self.agent.as_ref().is_none_or(|own| own.as_str() != reference.as_str())
            };
            let reference = transaction.reference_id.as_ref().filter(of_something);
            let reference = reference.unwrap_or(&transaction.id);
            let net = all.entry(reference.clone()).or_default();
            net.is_trade |= transaction.reference_type.as_deref() == Some("trade");
            match transaction.entry_type {
                Some(EntryType::Credit) if *amount >= Money::ZERO => net.left -= *amount,
                // A direction that is not known counts as leaving, whatever the sign.
                _ if *amount >= Money::ZERO => net.left += *amount,
                _ => net.left -= *amount,
            }
            let at = time(transaction.created_at.as_ref());
            net.last = if net.is_seen { net.last.and_then(|last| Some(last.max(at?))) } else { at };
            net.is_seen = true;
        }
        all
    }
}

/// What left the wallet for one thing.
#[derive(Debug, Default)]
struct Net {
    left: Money,
    is_trade: bool,
    is_seen: bool,
    /// The time of the last transaction. `None` if that of one is not known.
    last: Option<SystemTime>,
}

/// Credits that are set aside, or went to a trade that the service does not show: not yet, or because
/// it is over. `None` if they have come to nothing.
fn reserved(known: &Reservation, is_open: bool) -> Option<Commitment> {
    let at = known.trade_id.as_ref().map(|_| reserved_at(known));
    let mut commitment = match at {
        None if is_open => Commitment::open(known.amount, None),
        None => return None,
        Some(_) if is_open => Commitment::open(known.amount, at),
        Some(_) => Commitment::settled(known.amount, at),
    };
    commitment.seller.clone_from(&known.seller);
    commitment.listing_type.clone_from(&known.listing_type);
    Some(commitment)
}

fn reserved_at(known: &Reservation) -> SystemTime {
    moment(known.reserved_at_ms)
}

fn is_held(status: &TradeStatus) -> bool {
    matches!(status, TradeStatus::EscrowHeld | TradeStatus::Delivered | TradeStatus::Disputed)
}

/// Whether a trade costs nothing.
fn is_free(trade: &Trade, net: Option<&Net>) -> bool {
    match trade.status {
        TradeStatus::Rejected | TradeStatus::Cancelled => true,
        // The status does not say for whom it was resolved, but the wallet does.
        TradeStatus::Resolved => net.is_some_and(|net| net.left <= Money::ZERO),
        _ => false,
    }
}

fn time(timestamp: Option<&Timestamp>) -> Option<SystemTime> {
    timestamp.and_then(Timestamp::time)
}

fn proposed_at(trade: &Trade) -> Option<SystemTime> {
    time(trade.proposed_at.as_ref().or(trade.created_at.as_ref()))
}

/// When the credits of a trade were held, as far as is known.
fn held_at(trade: &Trade) -> Option<SystemTime> {
    let held = trade.escrow_held_at.as_ref().or(trade.accepted_at.as_ref());
    time(held).or_else(|| proposed_at(trade))
}

fn is_before_month(at: Option<SystemTime>, now: SystemTime) -> bool {
    at.is_some_and(|at| day(at) < day(now).first_of_month())
}

/// Whether a page leads back to before this month, so that the next ones are older. The service lists
/// the newest first; if it does not, every page is read.
fn ends_before_month(times: impl Iterator<Item = Option<SystemTime>>, now: SystemTime) -> bool {
    let times: Vec<_> = times.collect();
    !times.is_empty()
        && times.iter().all(|at| is_before_month(*at, now))
        && times.is_sorted_by(|newer, older| newer >= older)
}

fn unsaid(what: &str) -> Error {
    let message = format!(
        "the service does not say {what}, so that it is not known what was spent; nothing is bought under a spending policy"
    );
    Error::new(ErrorKind::Policy, message)
}

fn not_all(what: &str) -> Error {
    let message = format!(
        "the service counts more {what} than it lists, so that it is not known what was spent; nothing is bought under a spending policy"
    );
    Error::new(ErrorKind::Policy, message)
}

fn too_many(what: &str) -> Error {
    let message = format!(
        "more than {MOST_READ} {what} would have to be read to know what was spent, so that nothing is bought under a spending policy"
    );
    Error::new(ErrorKind::Policy, message)
}
