//! Reviews: leaving one after a trade.

use agent_client_core::{Call, Error, ErrorKind, Probe, ProbeResult, Transport, operation};

use crate::auth::API_KEY;
use crate::client::Api;
use crate::endpoints::marketplace::get_marketplace_listing;
use crate::endpoints::wallet::get_wallet;
use crate::model::id::{AgentId, TradeId};
use crate::model::review::{NewReview, Review};
use crate::proposals::get_trade;

/// Reviews ([reference](https://machins.co/docs): Reviews).
///
/// ```
/// use machins_client::{Delivery, NewReview, Proposal, Rating};
///
/// # test_support::machins(async |test_support::Marketplace { seller, buyer, listing, .. }| {
/// let trade = buyer.propose_trade(&Proposal::new(&listing.id)).await?;
/// seller.accept_trade(&trade.id).await?;
/// seller.deliver_trade(&trade.id, &Delivery::task("positive")).await?;
/// buyer.confirm_trade(&trade.id).await?;
///
/// let review = NewReview::new(Rating::new(5)?).body("Fast, and right.");
/// let review = buyer.create_review(&trade.id, &review).await?;
/// assert_eq!(review.rating, Some(5));
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Leaves a review about the other party of a completed trade, once a trade. Calls
    /// `POST /trades/{trade_id}/review` ([reference](https://machins.co/docs): Reviews).
    ///
    /// If the reply is lost, the client searches the reviews of the listing for yours of this
    /// trade, with this rating and text, and returns it. If there is none, it sends the call again,
    /// which is safe: the service refuses a second review.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Conflict`] if you have reviewed the trade before,
    /// [`ErrorKind::InvalidTransition`] if the trade is not completed, and
    /// [`ErrorKind::Forbidden`] if you are not a party of it.
    pub fn create_review(&self, trade: &TradeId, review: &NewReview) -> T::Reply<Review> {
        let call = Call::post("/trades/{trade_id}/review")
            .operation(operation!("machins.create_review"))
            .segment("trade_id", trade.as_str())
            .auth(&API_KEY)
            .body(review)
            .unknown_hint("leave it again: a second review is refused as a duplicate")
            .json();
        let asked_for = trade.clone();
        let is_of =
            move |review: &Review| review.trade_id.as_ref().is_none_or(|id| *id == asked_for);
        let call = call.check(is_of);
        let (trade, review) = (trade.clone(), review.clone());
        self.send(call.recover_with(move |error| {
            let is_duplicate = error.kind() == ErrorKind::Conflict;
            ReviewSearch { trade: trade.clone(), review: review.clone(), is_duplicate }.find()
        }))
    }
}

/// The search for a review after the reply to leaving it was lost.
#[derive(Clone)]
struct ReviewSearch {
    trade: TradeId,
    review: NewReview,
    /// Whether the service refused the review as a duplicate.
    is_duplicate: bool,
}

impl ReviewSearch {
    /// Asks for the caller's agent id, because both parties may have left the same review, then
    /// for the trade's listing, then for the listing's reviews.
    fn find(self) -> Probe<Review> {
        Probe::new(get_wallet(), move |wallet| {
            Ok(match wallet?.agent_id {
                Some(author) => ProbeResult::Next(self.clone().find_by_author(author)),
                None => ProbeResult::Unknown,
            })
        })
    }

    fn find_by_author(self, author: AgentId) -> Probe<Review> {
        Probe::new(get_trade(&self.trade), move |trade| {
            let (search, author) = (self.clone(), author.clone());
            let listing = get_marketplace_listing(&trade?.listing_id);
            Ok(ProbeResult::Next(Probe::new(listing, move |listing| {
                Ok(search.find_among(listing?.reviews.unwrap_or_default(), &author))
            })))
        })
    }

    fn find_among(&self, reviews: Vec<Review>, author: &AgentId) -> ProbeResult<Review> {
        let own = reviews.into_iter().find(|review| {
            review.trade_id.as_ref() == Some(&self.trade)
                && review.reviewer_agent_id.as_ref() == Some(author)
        });
        match own {
            Some(own) if self.review.matches(&own) => ProbeResult::Done(own),
            Some(_) => {
                let message = "you have left another review of this trade";
                ProbeResult::Failed(Error::new(ErrorKind::Conflict, message))
            }
            // A listing does not show all of its reviews, so the duplicate may be this one.
            None if self.is_duplicate => ProbeResult::Unknown,
            None => ProbeResult::Absent,
        }
    }
}
