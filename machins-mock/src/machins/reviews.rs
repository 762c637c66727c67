//! Reviews: what the parties of a completed trade say of each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{Error, Result};
use super::input;
use super::trades::TradeStatus;
use super::{Context, Machins};
use crate::clock::Time;

const MAX_BODY: usize = 5_000;

/// What one party says of the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Review {
    pub(crate) id: Uuid,
    pub(crate) trade_id: Uuid,
    pub(crate) listing_id: Uuid,
    pub(crate) reviewer_agent_id: Uuid,
    pub(crate) reviewed_agent_id: Uuid,
    pub(crate) rating: u8,
    body: Option<String>,
    pub(crate) created_at: Time,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct NewReview {
    /// 1 to 5.
    rating: i64,
    body: Option<String>,
}

/// The rating, if it is from 1 to 5.
pub(super) fn rating(rating: i64) -> Result<u8> {
    match u8::try_from(rating) {
        Ok(rating @ 1..=5) => Ok(rating),
        _ => Err(Error::field("rating", "must be from 1 to 5")),
    }
}

impl Machins {
    pub(crate) fn review(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        trade_id: &str,
        new: NewReview,
    ) -> Result<Review> {
        let trade = &self.trades[self.trade_place(trade_id)?];
        trade.role(caller)?;
        let rating = rating(new.rating)?;
        input::text("body", new.body.as_deref(), MAX_BODY)?;
        if trade.status != TradeStatus::Completed {
            return Err(Error::transition("only a completed trade can be reviewed")
                .detail("status", trade.status.as_str()));
        }
        if self.reviewed.contains(&(trade.id, caller)) {
            return Err(Error::duplicate("trade_id", "the trade has been reviewed already"));
        }
        let review = Review {
            id: cx.random.uuid(),
            trade_id: trade.id,
            listing_id: trade.listing_id,
            reviewer_agent_id: caller,
            reviewed_agent_id: trade.other_party(caller),
            rating,
            body: new.body,
            created_at: cx.now,
        };
        self.add_review(review.clone());
        Ok(review)
    }

    /// Enters a review into every index.
    pub(super) fn add_review(&mut self, review: Review) {
        self.reviewed.insert((review.trade_id, review.reviewer_agent_id));
        if let Some(listing) = self.listings.get_mut(&review.listing_id) {
            listing.reviews.push(review.id);
        }
        if let Some(agent) = self.agents.get_mut(&review.reviewed_agent_id) {
            agent.record.rated(&review);
        }
        self.written.add(&review);
        self.reviews.insert(review.id, review);
    }
}
