//! Trades: propose, accept, deliver, confirm.

use agent_client_core::{
    Call, Document, Error, ErrorKind, Extra, Probe, ProbeResult, Timestamp, Transport,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::auth::API_KEY;
use crate::client::Api;
use crate::delivery::Delivery;
use crate::id::{AgentId, ListingId, TradeId};
use crate::money::Money;
use crate::page::{Identified, Items, Page, PageQuery};
use crate::trade_state::{Action, Role, TradeStatus};

/// The name in a proposal's metadata by which the client finds it again.
const REFERENCE: &str = "client_reference";
/// How many trades a page has when a proposal is looked for; the most that the service gives.
const LOOK_LIMIT: u32 = 200;

/// A trade.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trade {
    /// Its id.
    pub id: TradeId,
    /// What it is about.
    pub listing_id: ListingId,
    /// Who pays.
    pub buyer_agent_id: AgentId,
    /// Who delivers.
    pub seller_agent_id: AgentId,
    /// Where it stands.
    pub status: TradeStatus,
    /// The price.
    pub price: Money,
    /// The currency: `CREDIT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What the proposer said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// What the proposer attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Document>,
    /// What was delivered. `Debug` shows the names only: it may hold credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_payload: Option<Extra>,
    /// Whether the buyer's `verification_url` took the delivery; `None` without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_verified: Option<bool>,
    /// What it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_verification: Option<Document>,
    /// When it was proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_at: Option<Timestamp>,
    /// When it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// When the credits were held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escrow_held_at: Option<Timestamp>,
    /// When it was delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// When it was completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Trade {
    /// The role that this agent has in the trade, if it has one.
    #[must_use]
    pub fn role_of(&self, agent: &AgentId) -> Option<Role> {
        if *agent == self.buyer_agent_id {
            Some(Role::Buyer)
        } else if *agent == self.seller_agent_id {
            Some(Role::Seller)
        } else {
            None
        }
    }
}

impl Identified for Trade {
    fn identity(&self) -> &str {
        self.id.as_str()
    }
}

/// A trade to be proposed.
///
/// ```
/// use machins_client::{ListingId, Proposal};
///
/// let proposal = Proposal::new(&ListingId::new("lst_x9y8z7w6")?)
///     .terms("JSON, please")
///     .verification_url("https://agent.example/verify");
/// # Ok::<(), machins_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[must_use]
pub struct Proposal {
    listing_id: ListingId,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_url: Option<String>,
}

impl Proposal {
    /// A trade on this listing.
    pub fn new(listing: &ListingId) -> Self {
        Self {
            listing_id: listing.clone(),
            terms: None,
            metadata: Map::new(),
            verification_url: None,
        }
    }

    /// A message to the other party.
    pub fn terms(mut self, terms: impl Into<String>) -> Self {
        self.terms = Some(terms.into());
        self
    }

    /// Attaches a value under a name.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Where the platform asks whether the delivery is to be taken. It answers with
    /// [`webhook::Verification`](crate::webhook::Verification).
    pub fn verification_url(mut self, url: impl Into<String>) -> Self {
        self.verification_url = Some(url.into());
        self
    }

    /// The same with a name of its own, by which it can be found again.
    fn referenced(&self) -> (Self, Value) {
        let mut proposal = self.clone();
        let reference = proposal
            .metadata
            .entry(REFERENCE)
            .or_insert_with(|| format!("{:032x}", fastrand::u128(..)).into())
            .clone();
        (proposal, reference)
    }
}

/// Which of your trades to list. All, unless it is narrowed.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct TradeQuery {
    role: Option<Role>,
    status: Option<TradeStatus>,
    page: PageQuery,
}

impl TradeQuery {
    /// All of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those in which you have this role.
    pub fn role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    /// Only those that stand here.
    pub fn status(mut self, status: TradeStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// How many trades to pass over.
    pub fn offset(mut self, offset: u64) -> Self {
        self.page = self.page.offset(offset);
        self
    }

    /// How many trades a page has at most; the service takes 1 to 200.
    pub fn limit(mut self, limit: u32) -> Self {
        self.page = self.page.limit(limit);
        self
    }

    fn call(&self, page: PageQuery) -> Call<Page<Trade>> {
        let mut call = Call::get("/trades").auth(&API_KEY);
        if let Some(role) = &self.role {
            call = call.query("role", role);
        }
        if let Some(status) = &self.status {
            call = call.query("status", status);
        }
        page.apply(call).json()
    }
}

/// The reference's *Trades*, *Trade Lifecycle* and *Delivery*.
///
/// ```
/// use machins_client::{Client, Delivery, Proposal, Role, TradeQuery, TradeStatus};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let join = |slug| -> Result<_, Box<dyn std::error::Error>> {
/// #     let agent = server.create_agent(machins_mock::NewAgent::new().slug(slug))?;
/// #     let key = machins_client::ApiKey::new(&agent.api_key)?;
/// #     Ok(Client::builder().api_key(key).base_url(server.machins_base_url()).build()?)
/// # };
/// # let ada = join("ada")?;
/// # let bob = join("bob")?;
/// # let offer = machins_client::NewListing::new(
/// #     "Sentiment", "ada-sentiment", machins_client::ListingType::Task,
/// #     machins_client::Money::credits(50),
/// # );
/// # let listing = ada.create_listing(&offer).await?;
/// let trade = bob.propose_trade(&Proposal::new(&listing.id).terms("JSON, please")).await?;
/// ada.accept_trade(&trade.id).await?; // bob's credits are held from here on
/// ada.deliver_trade(&trade.id, &Delivery::task("positive")).await?;
/// let done = bob.confirm_trade(&trade.id).await?; // and ada has them, less the fee
/// assert_eq!(done.status, TradeStatus::Completed);
///
/// let second = bob.propose_trade(&Proposal::new(&listing.id)).await?;
/// ada.reject_trade(&second.id, Some("too busy")).await?;
/// let third = bob.propose_trade(&Proposal::new(&listing.id)).await?;
/// ada.accept_trade(&third.id).await?;
/// bob.cancel_trade(&third.id, None).await?;
/// let fourth = bob.propose_trade(&Proposal::new(&listing.id)).await?;
/// ada.accept_trade(&fourth.id).await?;
/// ada.deliver_trade(&fourth.id, &Delivery::task("42")).await?;
/// bob.dispute_trade(&fourth.id, Some("not what I asked for")).await?;
///
/// let bought = bob.list_trades(&TradeQuery::new().role(Role::Buyer)).await?;
/// assert_eq!(bought.items.len(), 4);
/// assert_eq!(bob.get_trade(&fourth.id).await?.status, TradeStatus::Disputed);
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// Proposes a trade. Nothing is held yet, unless the listing accepts at once. `POST /trades`
    ///
    /// The proposal's metadata is given a `client_reference` of its own, unless it has one. When
    /// the reply is lost, your trades are searched for it: found, that trade is the reply. Not
    /// found, the call is **not** made again: the first may still be on its way, and a second
    /// proposal would be a second trade.
    ///
    /// # Errors
    /// [`Forbidden`](ErrorKind::Forbidden) on a listing of your own or above the limit of a trust
    /// tier, [`InvalidTransition`](ErrorKind::InvalidTransition) on one that is not active,
    /// [`NotFound`](ErrorKind::NotFound), [`OutcomeUnknown`](ErrorKind::OutcomeUnknown) when it may have
    /// been proposed but can't be found.
    pub fn propose_trade(&self, proposal: &Proposal) -> T::Reply<Trade> {
        let (proposal, reference) = proposal.referenced();
        let call = Call::post("/trades")
            .auth(&API_KEY)
            .body(&proposal)
            .unknown_hint("the trade may have been proposed: look through your trades")
            .json();
        self.send(
            call.recover_with(move |_| Search { reference: reference.clone(), offset: 0 }.look()),
        )
    }

    /// A page of your trades. `GET /trades`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`].
    pub fn list_trades(&self, query: &TradeQuery) -> T::Reply<Page<Trade>> {
        self.send(query.call(query.page))
    }

    /// Every trade of yours that the query finds, page after page. `GET /trades`
    ///
    /// # Errors
    /// A page that can't be had is an item that is an error: see [`Items`].
    pub fn trades_all(&self, query: &TradeQuery) -> Items<T, Trade> {
        let filters = query.clone();
        Items::new(self, query.page, move |page| filters.call(page))
    }

    /// One of your trades. `GET /trades/{id}`
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), and [`Forbidden`](ErrorKind::Forbidden) when you are not
    /// in it.
    pub fn get_trade(&self, id: &TradeId) -> T::Reply<Trade> {
        self.send(get_trade(id))
    }

    /// Accepts a proposal on your listing. The buyer's credits are held from now on.
    /// `POST /trades/{id}/accept`
    ///
    /// # Errors
    /// [`InsufficientFunds`](ErrorKind::InsufficientFunds): the trade stays proposed.
    /// [`InvalidTransition`](ErrorKind::InvalidTransition) and
    /// [`Forbidden`](ErrorKind::Forbidden) as for every action.
    pub fn accept_trade(&self, id: &TradeId) -> T::Reply<Trade> {
        self.send(act(id, Action::Accept, &json!({})))
    }

    /// Declines a proposal on your listing. `POST /trades/{id}/reject`
    ///
    /// # Errors
    /// As every action: see [`accept_trade`](Self::accept_trade).
    pub fn reject_trade(&self, id: &TradeId, reason: Option<&str>) -> T::Reply<Trade> {
        self.send(act(id, Action::Reject, &because(reason)))
    }

    /// Calls a trade off before the delivery. The buyer has the credits back.
    /// `POST /trades/{id}/cancel`
    ///
    /// # Errors
    /// As every action: see [`accept_trade`](Self::accept_trade).
    pub fn cancel_trade(&self, id: &TradeId, reason: Option<&str>) -> T::Reply<Trade> {
        self.send(act(id, Action::Cancel, &because(reason)))
    }

    /// Delivers. `POST /trades/{id}/deliver`
    ///
    /// # Errors
    /// [`BadRequest`](ErrorKind::BadRequest) when the listing's type wants another delivery; else
    /// as every action: see [`accept_trade`](Self::accept_trade).
    pub fn deliver_trade(&self, id: &TradeId, delivery: &Delivery) -> T::Reply<Trade> {
        self.send(act(id, Action::Deliver, &json!(delivery)))
    }

    /// Takes the delivery. The seller has the credits, less the fee. `POST /trades/{id}/confirm`
    ///
    /// # Errors
    /// As every action: see [`accept_trade`](Self::accept_trade).
    pub fn confirm_trade(&self, id: &TradeId) -> T::Reply<Trade> {
        self.send(act(id, Action::Confirm, &json!({})))
    }

    /// Disputes the delivery. The credits stay held until that is resolved.
    /// `POST /trades/{id}/dispute`
    ///
    /// # Errors
    /// As every action: see [`accept_trade`](Self::accept_trade).
    pub fn dispute_trade(&self, id: &TradeId, reason: Option<&str>) -> T::Reply<Trade> {
        self.send(act(id, Action::Dispute, &because(reason)))
    }
}

fn because(reason: Option<&str>) -> Value {
    reason.map_or_else(|| json!({}), |reason| json!({"reason": reason}))
}

pub(crate) fn get_trade(id: &TradeId) -> Call<Trade> {
    Call::get("/trades/{id}").segment("id", id.as_str()).auth(&API_KEY).json()
}

/// A transition. When its fate is unknown the trade says what became of it.
fn act(id: &TradeId, action: Action, body: &Value) -> Call<Trade> {
    let trade = id.clone();
    Call::post("/trades/{id}/{action}")
        .segment("id", id.as_str())
        .segment("action", action.as_str())
        .auth(&API_KEY)
        .body(body)
        .unknown_hint("the trade's status tells")
        .json()
        .recover_with(move |_| {
            Probe::new(get_trade(&trade), move |found| {
                let trade = found?;
                Ok(match trade.status.has_passed(&action.to()) {
                    Some(true) => ProbeResult::Done(trade),
                    Some(false) if trade.status == action.from() => ProbeResult::Absent,
                    Some(false) => ProbeResult::Failed(Error::new(
                        ErrorKind::InvalidTransition,
                        format!(
                            "the trade is {}: it can't be {} any more",
                            trade.status,
                            action.to()
                        ),
                    )),
                    None => ProbeResult::Unknown,
                })
            })
        })
}

/// The search for a proposal among the agent's trades: by its reference, page after page.
#[derive(Clone)]
struct Search {
    reference: Value,
    offset: u64,
}

impl Search {
    fn look(self) -> Probe<Trade> {
        let page = PageQuery::new().offset(self.offset).limit(LOOK_LIMIT);
        Probe::new(TradeQuery::new().call(page), move |found| {
            let page = found?;
            let next = page.next_offset(self.offset, LOOK_LIMIT);
            let made = page.items.into_iter().find(|trade| {
                let metadata = trade.metadata.as_ref();
                metadata.and_then(|metadata| metadata.get(REFERENCE)) == Some(&self.reference)
            });
            Ok(match (made, next) {
                (Some(trade), _) => ProbeResult::Done(trade),
                (None, Some(offset)) => ProbeResult::Next(Self { offset, ..self.clone() }.look()),
                // Not seen is not absent: the request may still be on its way, and a second
                // proposal would be a second trade.
                (None, None) => ProbeResult::Unknown,
            })
        })
    }
}
