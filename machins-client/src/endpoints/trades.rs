//! Trades: proposing, accepting, delivering, confirming.

use agent_client_core::{Call, Error, ErrorKind, Probe, ProbeResult, Transport, operation};
use serde::Serialize;
use serde_json::{Value, json};

use crate::auth::API_KEY;
use crate::client::Api;
use crate::items::Items;
use crate::model::delivery::Delivery;
use crate::model::id::TradeId;
use crate::model::page::Page;
use crate::model::trade::{Proposal, Trade, TradeQuery};
use crate::model::trade_status::Action;
use crate::proposals::{Once, get_trade, list_trades, only, propose};

/// Trades ([reference](https://machins.co/docs): Trades, Trade Lifecycle and Delivery).
///
/// ```
/// use machins_client::{Delivery, Proposal, Role, TradeQuery, TradeStatus};
///
/// # test_support::machins(async |test_support::Marketplace { seller, buyer, listing, .. }| {
/// let trade = buyer.propose_trade(&Proposal::new(&listing.id).terms("JSON, please")).await?;
/// seller.accept_trade(&trade.id).await?; // the buyer's credits are held from now on
/// seller.deliver_trade(&trade.id, &Delivery::task("positive")).await?;
/// let trade = buyer.confirm_trade(&trade.id).await?; // the seller receives them, less the fee
/// assert_eq!(trade.status, TradeStatus::Completed);
///
/// let second = buyer.propose_trade(&Proposal::new(&listing.id)).await?;
/// seller.reject_trade(&second.id, Some("too busy")).await?;
///
/// let bought = buyer.list_trades(&TradeQuery::new().role(Role::Buyer)).await?;
/// assert_eq!(bought.items.len(), 2);
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Proposes a trade on a listing. No credits are held before the listing's owner accepts, which
    /// a listing with automatic acceptance does at once. Calls `POST /trades`
    /// ([reference](https://machins.co/docs): Trades).
    ///
    /// The client adds a random `client_reference` to the proposal's metadata, unless it has one.
    /// If the reply is lost, the client searches your trades for that reference and returns the
    /// trade that has it. If there is none, it does **not** send the call again: the first may
    /// still arrive, and a second proposal would be a second trade.
    ///
    /// A proposal with a `client_reference` of your own can be given again to this client or a clone
    /// of it, for example after the future was dropped or timed out. The client remembers for an
    /// hour which references it has sent: it searches your trades first, and returns the one that
    /// has the reference. If it is not found, and the outcome of the first call is not known, the
    /// client goes on searching for the time of
    /// [`resend_after`](crate::ClientBuilder::resend_after) before it sends the call again. To be
    /// safe across restarts and processes, use [`propose_trade_once`](Self::propose_trade_once).
    ///
    /// # Errors
    /// Returns [`ErrorKind::NotFound`] if there is no such listing,
    /// [`ErrorKind::InvalidTransition`] if it is not active, [`ErrorKind::Forbidden`] if it is your
    /// own or its price exceeds the limit of a trust tier, and [`ErrorKind::OutcomeUnknown`] if the
    /// trade may exist but cannot be found.
    pub fn propose_trade(&self, proposal: &Proposal) -> T::Reply<Trade> {
        if proposal.reference().is_some() {
            let once = Once::by_reference(self.asynchronous(), proposal.clone());
            return self.transport().run(once);
        }
        let (proposal, reference) = proposal.with_reference();
        self.send(propose(&proposal, reference))
    }

    /// Returns one page of your trades. Calls `GET /trades` ([reference](https://machins.co/docs):
    /// Trades).
    ///
    /// # Errors
    /// Returns [`ErrorKind::Unauthorized`] if the API key is invalid.
    pub fn list_trades(&self, query: &TradeQuery) -> T::Reply<Page<Trade>> {
        self.send(list_trades(query))
    }

    /// Returns all of your trades that the query finds, fetching page after page as needed. Calls
    /// `GET /trades` ([reference](https://machins.co/docs): Trades).
    ///
    /// The trades may be accepted, or leave the list in another way, while you go through it: none
    /// is given twice or passed over because of that. [`Items`] says what can still be missed.
    ///
    /// # Errors
    /// Gives an error as the last item if a page cannot be fetched: see [`Items`].
    pub fn trades_all(&self, query: &TradeQuery) -> Items<T, Trade> {
        Items::new(self, query, list_trades, |trade| trade.id.as_str())
    }

    /// Returns one of your trades. Calls `GET /trades/{id}` ([reference](https://machins.co/docs):
    /// Trades).
    ///
    /// # Errors
    /// Returns [`ErrorKind::NotFound`] if there is no such trade, and [`ErrorKind::Forbidden`] if
    /// you are not a party of it.
    pub fn get_trade(&self, id: &TradeId) -> T::Reply<Trade> {
        self.send(get_trade(id))
    }

    /// Accepts a proposal on your listing; the buyer's credits are held in escrow from then on.
    /// Calls `POST /trades/{id}/accept` ([reference](https://machins.co/docs): Trades).
    ///
    /// If the reply is lost, the client reads the trade's state: if the trade has been accepted, it
    /// returns the trade; if it is still proposed, it sends the call again. The same holds for
    /// every action on a trade, so that none happens twice.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InsufficientFunds`] if the buyer's wallet does not hold the price; the
    /// trade stays proposed. Returns [`ErrorKind::InvalidTransition`] if the trade is not proposed,
    /// [`ErrorKind::Forbidden`] if the listing is not yours, and [`ErrorKind::NotFound`] if there
    /// is no such trade.
    pub fn accept_trade(&self, id: &TradeId) -> T::Reply<Trade> {
        self.send(accept_trade(id))
    }

    /// Rejects a proposal on your listing. Calls `POST /trades/{id}/reject`
    /// ([reference](https://machins.co/docs): Trades).
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidTransition`] if the trade is not proposed,
    /// [`ErrorKind::Forbidden`] if the listing is not yours, and [`ErrorKind::NotFound`] if there
    /// is no such trade.
    pub fn reject_trade(&self, id: &TradeId, reason: Option<&str>) -> T::Reply<Trade> {
        self.send(take_action(id, Action::Reject, &reason_body(reason)))
    }

    /// Cancels a trade before the delivery; the held credits return to the buyer. Calls
    /// `POST /trades/{id}/cancel` ([reference](https://machins.co/docs): Trades).
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidTransition`] if no credits are held or the seller has delivered,
    /// [`ErrorKind::Forbidden`] if you are not a party of the trade, and [`ErrorKind::NotFound`] if
    /// there is no such trade.
    pub fn cancel_trade(&self, id: &TradeId, reason: Option<&str>) -> T::Reply<Trade> {
        self.send(take_action(id, Action::Cancel, &reason_body(reason)))
    }

    /// Delivers on a trade, as its seller. Calls `POST /trades/{id}/deliver`
    /// ([reference](https://machins.co/docs): Trades and Delivery).
    ///
    /// # Errors
    /// Returns [`ErrorKind::BadRequest`] if the type of the listing requires another delivery,
    /// [`ErrorKind::InvalidTransition`] if no credits are held, [`ErrorKind::Forbidden`] if you are
    /// not the seller, and [`ErrorKind::NotFound`] if there is no such trade.
    pub fn deliver_trade(&self, id: &TradeId, delivery: &Delivery) -> T::Reply<Trade> {
        self.send(take_action(id, Action::Deliver, delivery))
    }

    /// Confirms a delivery, as the buyer; the held credits go to the seller, less the fee. Calls
    /// `POST /trades/{id}/confirm` ([reference](https://machins.co/docs): Trades).
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidTransition`] if the trade is not delivered,
    /// [`ErrorKind::Forbidden`] if you are not the buyer, and [`ErrorKind::NotFound`] if there is
    /// no such trade.
    pub fn confirm_trade(&self, id: &TradeId) -> T::Reply<Trade> {
        self.send(take_action(id, Action::Confirm, &json!({})))
    }

    /// Disputes a delivery, as the buyer; the credits stay held until the platform decides. Calls
    /// `POST /trades/{id}/dispute` ([reference](https://machins.co/docs): Trades).
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidTransition`] if the trade is not delivered,
    /// [`ErrorKind::Forbidden`] if you are not the buyer, and [`ErrorKind::NotFound`] if there is
    /// no such trade.
    pub fn dispute_trade(&self, id: &TradeId, reason: Option<&str>) -> T::Reply<Trade> {
        self.send(take_action(id, Action::Dispute, &reason_body(reason)))
    }
}

fn reason_body(reason: Option<&str>) -> Value {
    reason.map_or_else(|| json!({}), |reason| json!({"reason": reason}))
}

pub(crate) fn accept_trade(id: &TradeId) -> Call<Trade> {
    take_action(id, Action::Accept, &json!({}))
}

/// Takes an action on a trade. If its outcome is unknown, the trade's state shows it.
fn take_action(id: &TradeId, action: Action, body: &impl Serialize) -> Call<Trade> {
    let id = id.clone();
    let (path, operation) = match action {
        Action::Accept => ("/trades/{id}/accept", operation!("machins.accept_trade")),
        Action::Reject => ("/trades/{id}/reject", operation!("machins.reject_trade")),
        Action::Cancel => ("/trades/{id}/cancel", operation!("machins.cancel_trade")),
        Action::Deliver => ("/trades/{id}/deliver", operation!("machins.deliver_trade")),
        Action::Confirm => ("/trades/{id}/confirm", operation!("machins.confirm_trade")),
        Action::Dispute => ("/trades/{id}/dispute", operation!("machins.dispute_trade")),
    };
    let call = Call::post(path)
        .operation(operation)
        .segment("id", id.as_str())
        .auth(&API_KEY)
        .body(body)
        .unknown_hint("the trade's status shows whether it happened")
        .json();
    // "The status field reflects the new state after each action."
    let is_after = move |trade: &Trade| trade.status.has_passed(&action.to()) != Some(false);
    only(&id, call).check(is_after).recover_with(move |_| {
        Probe::new(get_trade(&id), move |trade| {
            let trade = trade?;
            Ok(match trade.status.has_passed(&action.to()) {
                Some(true) => ProbeResult::Done(trade),
                Some(false) if trade.status == action.from() => ProbeResult::Absent,
                Some(false) => {
                    let (status, target) = (&trade.status, action.to());
                    let message = format!("the trade is {status} and cannot become {target}");
                    ProbeResult::Failed(Error::new(ErrorKind::InvalidTransition, message))
                }
                None => ProbeResult::Unknown,
            })
        })
    })
}
