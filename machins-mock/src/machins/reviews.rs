//! Reviews, which the parties of a completed trade write about each other.

use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::context::Context;
use super::error::{Error, Result};
use super::input;
use super::platform::Machins;
use super::records::{Review, TradeStatus, rating};

const MAX_BODY: usize = 5_000;

/// A review to create.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct NewReview {
    /// 1 to 5.
    rating: i64,
    body: Option<String>,
}

impl Machins {
    pub(crate) fn review(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        trade_id: &str,
        new: NewReview,
    ) -> Result<Review> {
        let trade = &self.trades[self.trade_index(trade_id)?];
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

    /// Adds a review to every index.
    pub(crate) fn add_review(&mut self, review: Review) {
        self.reviewed.insert((review.trade_id, review.reviewer_agent_id));
        if let Some(listing) = self.listings.get_mut(&review.listing_id) {
            listing.reviews.push(review.id);
        }
        if let Some(agent) = self.agents.get_mut(&review.reviewed_agent_id) {
            agent.record.rated(&review);
        }
        self.reviews.insert(review.id, review);
    }
}
