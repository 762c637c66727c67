//! Buying within the policy.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use agent_client_core::{Document, Error, ErrorKind, lock};

use super::control::{Control, Decided, Wanted, sending};
use crate::client::Client;
use crate::endpoints::trades::accept_trade;
use crate::intent::record::Intent;
use crate::intent::store::StoreFuture;
use crate::model::id::{AgentId, TradeId};
use crate::model::listing::Side;
use crate::model::money::Money;
use crate::model::trade::{Proposal, Trade};
use crate::model::trade_status::TradeStatus;
use crate::proposals::{BeforeSending, Once, Sending, sent_before};
use crate::refusal::is_refused;
use crate::spending::commitment::{Commitment, Purchase, reputation};
use crate::spending::decision::{PolicyDecision, PolicyRefusal, PolicyRule};
use crate::spending::policy::SpendingPolicy;

/// Asks the policy before a proposal is sent.
#[derive(Debug)]
struct Asking {
    control: Arc<Control>,
    asked: Mutex<Asked>,
}

/// What was asked for one call.
#[derive(Debug, Clone, Default)]
struct Asked {
    /// How often a proposal was about to be sent.
    times: u32,
    /// What was allowed for the last one.
    allowed: Option<Allowed>,
}

/// What was allowed before a proposal was sent.
#[derive(Debug, Clone)]
enum Allowed {
    /// To buy for this price.
    Buying(Money),
    /// To sell to the owner of the request, who is unknown if the service does not say.
    Selling(Option<AgentId>),
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
            let times = lock(&self.asked).times + 1;
            *lock(&self.asked) = Asked { times, allowed: None };
            loop {
                let listing = client.get_marketplace_listing(proposal.listing_id()).await?;
                if listing.side == Some(Side::Request) {
                    lock(&self.asked).allowed = Some(Allowed::Selling(listing.seller_agent_id));
                    return Ok(());
                }
                let purchase = Purchase::from(&listing);
                let wanted = Wanted {
                    reference: intent.reference(),
                    key: Some(intent.key()),
                    client_reference: proposal.reference().map(Document::as_json),
                    listing_id: &listing.id,
                    is_on_request: false,
                    title: &listing.title,
                    terms: proposal.terms_text(),
                    purchase: &purchase,
                };
                match self.control.decide_once(client, &wanted, sending).await? {
                    Decided::Reserved => {
                        lock(&self.asked).allowed = Some(Allowed::Buying(purchase.amount));
                        return Ok(());
                    }
                    // Meanwhile the price may change.
                    Decided::Ask(approval) => self.control.ask(client, *approval).await?,
                }
            }
        })
    }
}

impl Control {
    pub(super) async fn propose(
        self: &Arc<Self>,
        client: &Client,
        key: &str,
        proposal: Proposal,
    ) -> Result<Trade, Error> {
        if self.limits_nothing() {
            return client.propose_trade_once(key, &proposal).await;
        }
        let asking = Arc::new(Asking { control: Arc::clone(self), asked: Mutex::default() });
        let before_sending: Arc<dyn BeforeSending> = Arc::clone(&asking) as _;
        let once = Once::with_key(client.clone(), key, proposal)?.asking(before_sending);
        let reference = once.intent().reference().to_owned();
        let proposed = once.run().await;
        let asked = lock(&asking.asked).clone();
        match proposed {
            Ok(trade) => {
                let allowed = match asked.allowed {
                    None => None,
                    Some(Allowed::Buying(price)) => Some(price),
                    Some(Allowed::Selling(buyer)) => {
                        if is_sold(client, &trade, buyer).await {
                            return Ok(trade);
                        }
                        // The request has become an offer meanwhile.
                        Some(Money::ZERO)
                    }
                };
                self.settle(client, &reference, allowed, trade).await
            }
            Err(error) => {
                // If an earlier one may be on its way, or this fails, the record lapses by itself.
                if is_refused(&error) && asked.times == 1 && asked.allowed.is_some() {
                    let _ = self.release(client, &reference).await;
                }
                Err(error)
            }
        }
    }

    /// The key with which this proposal was asked about, if it has led to nothing yet.
    pub(super) async fn asked_key(
        &self,
        client: &Client,
        proposal: &Proposal,
    ) -> Result<Option<String>, Error> {
        for approval in self.approvals(client).await? {
            let Some(key) = approval.key else { continue };
            let once = Once::with_key(client.clone(), &key, proposal.clone())?;
            let is_this = once.intent().reference() == approval.reference;
            if is_this && !client.get_intent(&key).await?.is_some_and(|known| known.is_done()) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Records what a purchase led to. A trade that costs more than was decided on is given up, unless
    /// the policy allows its price too. `allowed` is what this call has decided on: it is `None` if an
    /// earlier call has proposed the trade.
    async fn settle(
        &self,
        client: &Client,
        reference: &str,
        allowed: Option<Money>,
        trade: Trade,
    ) -> Result<Trade, Error> {
        let is_over = matches!(
            trade.status,
            TradeStatus::Rejected
                | TradeStatus::Cancelled
                | TradeStatus::Completed
                | TradeStatus::Resolved
        );
        let price = match trade.price {
            Some(price) => price,
            None if is_over => return Ok(trade),
            None => {
                let cause = "the service does not say what it costs";
                return Err(give_up(client, &trade, cause, "").await);
            }
        };
        let locked = self.lock(client, client.transport().timeout()).await;
        let (mut lock, mut journal) = match (locked, allowed) {
            (Ok(locked), _) => locked,
            (Err(_), Some(allowed)) if price <= allowed => return Ok(trade),
            (Err(error), Some(allowed)) => {
                let raised = raised(allowed, price);
                return Err(give_up(client, &trade, &raised, &error.to_string()).await);
            }
            (Err(_), None) if is_over => return Ok(trade),
            (Err(error), None) => return Err(not_compared(&trade.id, price, error)),
        };
        let Some(reservation) = journal.reservation_mut(reference, &trade.id) else {
            return match allowed.filter(|allowed| price > *allowed) {
                Some(allowed) => {
                    let why = "what was allowed for it is not recorded";
                    Err(give_up(client, &trade, &raised(allowed, price), why).await)
                }
                None => Ok(trade),
            };
        };
        // Until a higher price is allowed, later calls compare it with this amount again.
        let decided_on = reservation.amount;
        reservation.trade_id = Some(trade.id.clone());
        if price <= decided_on {
            reservation.amount = price;
        }
        let listing_type = reservation.listing_type.clone().unwrap_or_else(|| "".into());
        let seller = reservation.seller.clone();
        let is_other =
            seller.is_some() && trade.seller_agent_id.is_some() && seller != trade.seller_agent_id;
        let purchase = Purchase { seller, ..Purchase::new(price, listing_type) };
        // The trade exists: that it cannot be recorded is no reason to hide it.
        let _ = lock.write(&journal).await;
        if is_other && !is_over {
            drop(lock);
            let cause = "the seller is another than the one that was decided on";
            return Err(give_up(client, &trade, cause, "").await);
        }
        if price <= decided_on || is_over {
            return Ok(trade);
        }
        let refusal = match self.spent(client, &journal, trade.id.as_str(), None).await {
            Ok(spent) => self.refusal_of(&purchase, &spent),
            Err(error) => Some(format!("what was spent could not be read: {error}")),
        };
        let Some(refusal) = refusal else {
            if let Some(reservation) = journal.reservation_mut(reference, &trade.id) {
                reservation.amount = price;
            }
            let _ = lock.write(&journal).await;
            return Ok(trade);
        };
        drop(lock);
        Err(give_up(client, &trade, &raised(decided_on, price), &refusal).await)
    }

    /// Why the amount of a purchase that was made is not allowed, or `None` if it is.
    fn refusal_of(&self, purchase: &Purchase, spent: &[Commitment]) -> Option<String> {
        let now = SystemTime::now();
        match self.decide(|policy| policy.decide_amount(purchase, spent, now)) {
            PolicyDecision::Allowed => None,
            PolicyDecision::Refused(refusal) => Some(refusal.to_string()),
            PolicyDecision::NeedsApproval { above } => {
                let why = format!("trades above {above} need approval");
                let rule = PolicyRule::ApprovalAbove;
                Some(PolicyRefusal { rule, remaining: None, why }.to_string())
            }
        }
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
        // The seller spends nothing.
        if wallet.agent_id.is_some() && wallet.agent_id == trade.seller_agent_id {
            return client.accept_trade(id).await;
        }
        let Some(price) = trade.price else {
            let message = format!(
                "the service does not say what trade {id} costs, so that it is not accepted under a spending policy"
            );
            return Err(Error::new(ErrorKind::Policy, message));
        };
        let listing = client.get_listing(&trade.listing_id).await?;
        let mut purchase = Purchase {
            seller: trade.seller_agent_id,
            ..Purchase::new(price, listing.listing_type).tags(listing.tags)
        };
        self.find_seller(client, &mut purchase).await?;
        let wanted = Wanted {
            reference: id.as_str(),
            key: None,
            client_reference: None,
            listing_id: &trade.listing_id,
            is_on_request: true,
            title: &listing.title,
            terms: trade.terms.as_deref(),
            purchase: &purchase,
        };
        let until_ms = loop {
            let sending = sending(client);
            match self.decide_once(client, &wanted, sending).await? {
                Decided::Reserved => break sending.until_ms,
                Decided::Ask(approval) => self.ask(client, *approval).await?,
            }
        };
        // Later, what was set aside for it may have been given to others.
        let accepted = client.send(sent_before(Some(until_ms), accept_trade(id))).await;
        match &accepted {
            // If this fails, the trade is recognised by its id.
            Ok(trade) => drop(self.record_trade(client, id.as_str(), &trade.id).await),
            Err(error) if is_refused(error) => {
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
        let Some(known) = journal.reservation_mut(reference, id) else { return Ok(()) };
        known.trade_id = Some(id.clone());
        lock.write(&journal).await
    }

    /// Finds the slug and the reputation of a seller who is known by the id alone.
    async fn find_seller(&self, client: &Client, purchase: &mut Purchase) -> Result<(), Error> {
        let named: Vec<&str> =
            self.policies.iter().flat_map(SpendingPolicy::named_sellers).collect();
        let mut is_unnamed = true;
        for name in named {
            let Ok(slug) = name.parse() else { continue };
            match client.get_agent(&slug).await {
                Ok(agent) if agent.id.is_some() && agent.id == purchase.seller => {
                    purchase.reputation = agent.reputation_score.as_ref().and_then(reputation);
                    purchase.seller_slug = Some(slug);
                    return Ok(());
                }
                // One whose id is not shown may be the seller.
                Ok(agent) => is_unnamed &= agent.id.is_some(),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        purchase.is_unnamed = is_unnamed;
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
}

/// Whether the caller sells in a trade on a request: to its owner, if that one is known.
async fn is_sold(client: &Client, trade: &Trade, owner: Option<AgentId>) -> bool {
    if let (Some(owner), Some(buyer)) = (owner, &trade.buyer_agent_id) {
        return *buyer == owner;
    }
    let own = client.get_wallet().await.ok().and_then(|wallet| wallet.agent_id);
    own.is_some() && own == trade.seller_agent_id
}

fn raised(decided_on: Money, price: Money) -> String {
    format!("the price was raised from {decided_on} to {price} meanwhile")
}

/// Cancels a trade that costs more than was decided on, or an unknown amount, if its credits are held, and
/// returns the error that names it.
async fn give_up(client: &Client, trade: &Trade, cause: &str, why: &str) -> Error {
    let id = &trade.id;
    let became = match trade.status {
        TradeStatus::EscrowHeld => {
            match client.cancel_trade(id, Some("it is not within the buyer's policy")).await {
                Ok(trade) if trade.status == TradeStatus::Cancelled => "it was cancelled",
                _ => "it could not be cancelled: cancel or dispute it",
            }
        }
        TradeStatus::Proposed => "cancel it as soon as it is accepted",
        _ => "cancel or dispute it",
    };
    let message = format!("{cause}, so that trade {id} is not within the policy; {became}. {why}");
    Error::new(ErrorKind::Policy, message.trim_end())
}

/// The error for a trade of an earlier call whose record cannot be read.
fn not_compared(id: &TradeId, price: Money, error: Error) -> Error {
    let message = format!(
        "trade {id} was proposed before for {price}, and what was allowed for it cannot be read: {}; try again in the same way",
        error.message()
    );
    Error::new(error.kind(), message).with_source(error)
}
