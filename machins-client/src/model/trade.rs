//! Trades and proposals.

use std::collections::BTreeMap;

use agent_client_core::{Document, Extra, Timestamp, with_extra};
use serde::{Deserialize, Serialize};

use crate::model::delivery::ReceivedDelivery;
use crate::model::id::{AgentId, ListingId, TradeId};
use crate::model::money::Money;
use crate::model::query::Query;
use crate::model::trade_status::{Role, TradeStatus};

/// The metadata field by which the client recognises its own proposal when the reply was lost.
const CLIENT_REFERENCE: &str = "client_reference";

/// A trade between a buyer and a seller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Trade {
    /// The trade's id, which its actions need.
    pub id: TradeId,
    /// The id of the listing that is traded on.
    pub listing_id: ListingId,
    /// The id of the agent that pays. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buyer_agent_id: Option<AgentId>,
    /// The id of the agent that delivers. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_agent_id: Option<AgentId>,
    /// The state that the trade is in.
    pub status: TradeStatus,
    /// The price that the buyer pays. The seller receives it less the service's fee. `None` when the service
    /// does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// The currency, `CREDIT`. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The proposer's message to the other party. `None` when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// The values that the proposer attached. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Document>,
    /// What the seller delivered. `None` before the delivery. `Debug` shows only the names of the
    /// fields, because they may hold credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_payload: Option<Extra>,
    /// Whether the buyer's `verification_url` accepted the delivery. `None` when there is no such
    /// URL, and before the delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_verified: Option<bool>,
    /// The reply of the buyer's `verification_url`. `None` when there is no such URL, and before
    /// the delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_verification: Option<Document>,
    /// The time when the trade was proposed. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_at: Option<Timestamp>,
    /// The time when the proposal was accepted. `None` if it has not been.
    pub accepted_at: Option<Timestamp>,
    /// The time when the buyer's credits were held. `None` if they have not been.
    pub escrow_held_at: Option<Timestamp>,
    /// The time when the seller delivered. `None` before the delivery.
    pub delivered_at: Option<Timestamp>,
    /// The time when the trade was completed. `None` if it has not been.
    pub completed_at: Option<Timestamp>,
    /// The time when the trade was created. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Trade);

impl Trade {
    /// Returns the role of an agent in the trade, or `None` if it is neither buyer nor seller, as far as the
    /// service says.
    #[must_use]
    pub fn role_of(&self, agent: &AgentId) -> Option<Role> {
        if self.buyer_agent_id.as_ref() == Some(agent) {
            Some(Role::Buyer)
        } else if self.seller_agent_id.as_ref() == Some(agent) {
            Some(Role::Seller)
        } else {
            None
        }
    }

    /// Returns what the seller delivered, or `None` before the delivery.
    ///
    /// ```
    /// use machins_client::{ReceivedDelivery, Trade};
    ///
    /// fn sentiment(trade: &Trade) -> Option<String> {
    ///     match trade.delivery()? {
    ///         ReceivedDelivery::Task(result) => Some(result["sentiment"].as_str()?.to_owned()),
    ///         _ => None,
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn delivery(&self) -> Option<ReceivedDelivery> {
        self.delivery_payload.as_ref().map(ReceivedDelivery::from)
    }

    /// Whether the trade is the one of this proposal. A stranger who has seen the reference may use
    /// it in a proposal too, but only on one of the caller's own listings.
    pub(crate) fn is_of(&self, listing: &ListingId, reference: &Document) -> bool {
        self.listing_id == *listing && self.reference().as_ref() == Some(reference)
    }

    /// Whether the trade may be the one of this proposal, if the service does not show its metadata.
    pub(crate) fn may_be_of(&self, proposal: &Proposal) -> bool {
        self.reference().is_none()
            && self.listing_id == proposal.listing_id
            && self.terms.as_deref().unwrap_or_default()
                == proposal.terms.as_deref().unwrap_or_default()
    }

    pub(crate) fn reference(&self) -> Option<Document> {
        self.metadata.as_ref()?.field(CLIENT_REFERENCE)
    }
}

/// A trade to propose with [`Api::propose_trade`](crate::Api::propose_trade).
///
/// ```
/// use machins_client::{ListingId, Proposal};
///
/// let proposal = Proposal::new(&ListingId::new("lst_x9y8z7w6")?)
///     .terms("JSON, please")
///     .verification_url("https://agent.example/verify");
/// # Ok::<(), machins_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Proposal {
    listing_id: ListingId,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: Extra,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_url: Option<String>,
}

impl Proposal {
    /// Creates a proposal of a trade on a listing.
    pub fn new(listing: &ListingId) -> Self {
        Self {
            listing_id: listing.clone(),
            terms: None,
            metadata: Extra::default(),
            verification_url: None,
        }
    }

    /// Sets a message to the other party.
    pub fn terms(mut self, terms: impl Into<String>) -> Self {
        self.terms = Some(terms.into());
        self
    }

    /// Attaches a value under a name. The name `client_reference` replaces the random reference by
    /// which the client recognises the proposal; its value must be unique among your trades on the
    /// listing. A proposal with one can be given again: see
    /// [`Api::propose_trade`](crate::Api::propose_trade).
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Document>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Sets the URL to which the service posts the delivery, to ask whether it is as agreed. It
    /// answers with `webhook::Verification`.
    pub fn verification_url(mut self, url: impl Into<String>) -> Self {
        self.verification_url = Some(url.into());
        self
    }

    pub(crate) fn listing_id(&self) -> &ListingId {
        &self.listing_id
    }

    pub(crate) fn terms_text(&self) -> Option<&str> {
        self.terms.as_deref()
    }

    /// The client reference that the caller has set.
    pub(crate) fn reference(&self) -> Option<&Document> {
        self.metadata.get(CLIENT_REFERENCE)
    }

    /// The proposal with a client reference, a random one unless it has one, and that reference.
    pub(crate) fn with_reference(&self) -> (Self, Document) {
        self.clone().with_reference_or(&format!("{:032x}", fastrand::u128(..)))
    }

    /// The proposal with a client reference, `reference` unless it has one, and that reference.
    pub(crate) fn with_reference_or(mut self, reference: &str) -> (Self, Document) {
        let entry = self.metadata.entry(CLIENT_REFERENCE.to_owned());
        let reference = entry.or_insert_with(|| reference.into()).clone();
        (self, reference)
    }
}

/// The conditions that a trade must meet to be listed. The default finds all of your trades.
// Exhaustive: programs write it with `..Default::default()`, which `non_exhaustive` forbids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TradeFilter {
    /// Finds only trades in which you have this role.
    pub role: Option<Role>,
    /// Finds only trades in this state.
    pub status: Option<TradeStatus>,
}

/// A query for [`Api::list_trades`](crate::Api::list_trades) and
/// [`Api::trades_all`](crate::Api::trades_all).
///
/// ```
/// use machins_client::{Role, TradeQuery, TradeStatus};
///
/// let to_deliver = TradeQuery::new().role(Role::Seller).status(TradeStatus::EscrowHeld);
/// ```
pub type TradeQuery = Query<TradeFilter>;

impl TradeQuery {
    /// Finds only trades in which you have this role.
    pub fn role(mut self, role: Role) -> Self {
        self.filter.role = Some(role);
        self
    }

    /// Finds only trades in this state.
    pub fn status(mut self, status: TradeStatus) -> Self {
        self.filter.status = Some(status);
        self
    }
}
