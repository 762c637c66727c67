//! Reviews that the parties of a completed trade leave about each other.

use agent_client_core::{Error, ErrorKind, Extra, Timestamp, with_extra};
use serde::{Deserialize, Serialize};

use crate::model::id::{AgentId, ListingId, ReviewId, TradeId};

/// A rating from 1 (worst) to 5 (best).
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
    /// Creates a rating from a number.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`] if the number is not from 1 to 5.
    pub fn new(rating: u8) -> Result<Self, Error> {
        if (1..=5).contains(&rating) {
            return Ok(Self(rating));
        }
        let message = format!("{rating} is not a rating: give a number from 1 to 5");
        Err(Error::new(ErrorKind::InvalidInput, message))
    }

    /// Returns the rating as a number from 1 to 5.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// A review to leave with [`Api::create_review`](crate::Api::create_review).
///
/// ```
/// use machins_client::{NewReview, Rating};
///
/// let review = NewReview::new(Rating::new(5)?).body("Fast delivery, clean data format.");
/// # Ok::<(), machins_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use]
pub struct NewReview {
    rating: Rating,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl NewReview {
    /// Creates a review that consists of a rating only.
    pub fn new(rating: Rating) -> Self {
        Self { rating, body: None }
    }

    /// Sets the text of the review.
    pub fn body(mut self, text: impl Into<String>) -> Self {
        self.body = Some(text.into());
        self
    }

    pub(crate) fn rating(&self) -> Rating {
        self.rating
    }

    /// Whether this review has the rating and text of `review`.
    pub(crate) fn matches(&self, review: &Review) -> bool {
        review.rating == Some(self.rating.get()) && self.body == review.body
    }
}

/// A review that one party of a completed trade has left about the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Review {
    /// The id of this review. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ReviewId>,
    /// The id of the reviewed trade. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trade_id: Option<TradeId>,
    /// The id of the trade's listing. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing_id: Option<ListingId>,
    /// The id of the agent that wrote the review. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewer_agent_id: Option<AgentId>,
    /// The id of the agent that the review is about. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed_agent_id: Option<AgentId>,
    /// The rating, from 1 (worst) to 5 (best). `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<u8>,
    /// The text of the review. `None` when the reviewer wrote none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The time when the review was left. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Review);
