//! Reviews: what the parties of a completed trade say of each other.

use agent_client_core::{Call, Error, ErrorKind, Extra, Probe, ProbeResult, Timestamp, Transport};
use serde::{Deserialize, Serialize};

use crate::auth::API_KEY;
use crate::client::Api;
use crate::id::{AgentId, ListingId, ReviewId, TradeId};
use crate::marketplace::detail;
use crate::trades::get_trade;
use crate::wallet::get_wallet;

/// A rating from 1 to 5.
///
/// ```
/// use machins_client::Rating;
///
/// assert_eq!(Rating::new(5)?.get(), 5);
/// assert!(Rating::new(6).is_err());
/// # Ok::<(), machins_client::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Rating(u8);

impl Rating {
    /// Checks and takes a rating.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when it is not 1 to 5.
    pub fn new(rating: u8) -> Result<Self, Error> {
        if (1..=5).contains(&rating) {
            return Ok(Self(rating));
        }
        Err(Error::new(ErrorKind::InvalidInput, format!("a rating is 1 to 5, not {rating}")))
    }

    /// The rating as a number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// A review to be left.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[must_use]
pub struct NewReview {
    rating: Rating,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl NewReview {
    /// A review with this rating.
    pub fn new(rating: Rating) -> Self {
        Self { rating, body: None }
    }

    /// What to say beside it.
    pub fn body(mut self, text: impl Into<String>) -> Self {
        self.body = Some(text.into());
        self
    }
}

/// A review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// The trade that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trade_id: Option<TradeId>,
    /// The listing that was traded on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing_id: Option<ListingId>,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewer_agent_id: Option<AgentId>,
    /// Who it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed_agent_id: Option<AgentId>,
    /// 1 to 5.
    pub rating: u8,
    /// What was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The reference's *Reviews*.
///
/// ```
/// use machins_client::{Client, NewReview, Rating};
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
/// # let trade = bob.propose_trade(&machins_client::Proposal::new(&listing.id)).await?;
/// # ada.accept_trade(&trade.id).await?;
/// # ada.deliver_trade(&trade.id, &machins_client::Delivery::task("positive")).await?;
/// # bob.confirm_trade(&trade.id).await?;
/// let review = NewReview::new(Rating::new(5)?).body("Fast, and right.");
/// let written = bob.create_review(&trade.id, &review).await?;
/// assert_eq!(written.rating, 5);
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// Reviews the other party of a completed trade, once. `POST /trades/{trade_id}/review`
    ///
    /// When the reply is lost, the listing's reviews are searched for yours of this trade, with
    /// this rating and text. Sending it again does no harm: a second review is refused.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when you have reviewed it before,
    /// [`InvalidTransition`](ErrorKind::InvalidTransition) when it is not completed,
    /// [`Forbidden`](ErrorKind::Forbidden) when you are not in it.
    pub fn create_review(&self, trade: &TradeId, review: &NewReview) -> T::Reply<Review> {
        let call = Call::post("/trades/{trade_id}/review")
            .segment("trade_id", trade.as_str())
            .auth(&API_KEY)
            .body(review)
            .unknown_hint("leave it again: a second review is refused as a duplicate")
            .json();
        let (trade, review) = (trade.clone(), review.clone());
        self.send(call.recover_with(move |doubt| {
            let is_duplicate = doubt.kind() == ErrorKind::Conflict;
            Search { trade: trade.clone(), review: review.clone(), is_duplicate }.look()
        }))
    }
}

/// The search for a review: by its author, for both parties may have said the same.
#[derive(Clone)]
struct Search {
    trade: TradeId,
    review: NewReview,
    /// Whether the server has said that there is one.
    is_duplicate: bool,
}

impl Search {
    fn look(self) -> Probe<Review> {
        Probe::new(get_wallet(), move |found| {
            let author = found?.agent_id;
            Ok(author
                .map_or(ProbeResult::Unknown, |it| ProbeResult::Next(self.clone().look_by(it))))
        })
    }

    fn look_by(self, author: AgentId) -> Probe<Review> {
        Probe::new(get_trade(&self.trade), move |found| {
            let (search, author) = (self.clone(), author.clone());
            Ok(ProbeResult::Next(Probe::new(detail(&found?.listing_id), move |found| {
                Ok(search.judge(&author, found?.reviews.unwrap_or_default()))
            })))
        })
    }

    fn judge(&self, author: &AgentId, reviews: Vec<Review>) -> ProbeResult<Review> {
        let own = reviews.into_iter().find(|it| {
            it.trade_id.as_ref() == Some(&self.trade)
                && it.reviewer_agent_id.as_ref() == Some(author)
        });
        match own {
            Some(own) if own.rating == self.review.rating.get() && own.body == self.review.body => {
                ProbeResult::Done(own)
            }
            // There is one that is not shown: a listing's page does not show all.
            None if self.is_duplicate => ProbeResult::Unknown,
            _ => ProbeResult::Absent,
        }
    }
}
