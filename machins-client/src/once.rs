//! Creating a listing or leaving a review so that there is never a second one.
//!
//! The service itself refuses a second listing with the same slug, and a second review of the same
//! trade, so that a request whose outcome is unknown can be sent again at once. What is missing
//! there is the memory of what a key was used for.

use std::sync::Arc;
use std::time::SystemTime;

use agent_client_core::{CallOptions, Error, ErrorKind, Transport};
use serde::Serialize;

use crate::client::{Api, Client};
use crate::endpoints::listings::create_listing;
use crate::intent::record::{Intent, Subject, check_key, milliseconds};
use crate::model::id::TradeId;
use crate::model::listing::{Listing, NewListing};
use crate::model::review::{NewReview, Review};
use crate::proposals::{agent, sent_before, time_left};
use crate::refusal::is_refused;

/// Listings and reviews that are created once for a key.
impl<T: Transport> Api<T> {
    /// Creates a listing once for this key, and returns that listing however often it is called:
    /// after a crash, by many processes at once, or after the reply was lost. Calls `GET /listings`
    /// and `POST /listings` ([reference](https://machins.co/docs): Listings).
    ///
    /// The key is recorded as for [`propose_trade_once`](Self::propose_trade_once), and belongs to
    /// one listing, one base URL and one agent. A listing that was changed or deactivated since is
    /// returned as it is now.
    ///
    /// # Errors
    /// Returns the errors of [`create_listing`](Self::create_listing), and
    /// [`ErrorKind::IdempotencyConflict`], [`ErrorKind::StaleIntent`], [`ErrorKind::Storage`] and
    /// [`ErrorKind::TimedOut`] as [`propose_trade_once`](Self::propose_trade_once) does.
    pub fn create_listing_once(&self, key: &str, listing: &NewListing) -> T::Reply<Listing> {
        let (client, key, listing) = (self.asynchronous(), key.to_owned(), listing.clone());
        self.transport().run(async move { create_listing_once(client, &key, listing, None).await })
    }

    /// Leaves a review once for this key, and returns that review however often it is called: after
    /// a crash, by many processes at once, or after the reply was lost. Calls
    /// `POST /trades/{trade_id}/review` ([reference](https://machins.co/docs): Reviews).
    ///
    /// The key is recorded as for [`propose_trade_once`](Self::propose_trade_once), and belongs to
    /// one review, one base URL and one agent.
    ///
    /// # Errors
    /// Returns the errors of [`create_review`](Self::create_review), and
    /// [`ErrorKind::IdempotencyConflict`], [`ErrorKind::Storage`] and [`ErrorKind::TimedOut`] as
    /// [`propose_trade_once`](Self::propose_trade_once) does. Returns
    /// [`ErrorKind::OutcomeUnknown`] if an earlier call with the key may have left the review that
    /// the service refuses to take again, and the listing does not show it.
    pub fn create_review_once(
        &self,
        key: &str,
        trade: &TradeId,
        review: &NewReview,
    ) -> T::Reply<Review> {
        let rating = review.rating().get();
        let subject = Subject::Review { trade_id: trade.clone(), rating, review: None };
        let (client, key) = (self.asynchronous(), key.to_owned());
        let review = NewReviewOnce { trade: trade.clone(), review: review.clone() };
        self.transport().run(async move { once(client, &key, subject, review).await })
    }
}

/// What can be created only once, because the service refuses a second one.
trait Creation: Send + Sync {
    /// The request as the service is sent it.
    type Request: Serialize + Sync;
    type Created: Send;

    fn request(&self) -> &Self::Request;

    /// Returns what the intent has led to, or `None` if that has to be searched for.
    fn known(
        &self,
        client: &Client,
        intent: &Intent,
    ) -> impl Future<Output = Result<Option<Self::Created>, Error>> + Send;

    /// Searches for what an earlier call may have created.
    fn search(
        &self,
        client: &Client,
    ) -> impl Future<Output = Result<Option<Self::Created>, Error>> + Send;

    fn create(&self, client: &Client) -> impl Future<Output = Result<Self::Created, Error>> + Send;

    /// The error of a creation that the service refused as a duplicate, though an earlier call may
    /// have been the first one.
    fn duplicate(&self, error: Error) -> Error;

    /// What is recorded.
    fn subject(&self, created: &Self::Created) -> Subject;
}

async fn once<C: Creation>(
    client: Client,
    key: &str,
    subject: Subject,
    creation: C,
) -> Result<C::Created, Error> {
    check_key(key)?;
    let start = client.transport().clock().now();
    let base_url = client.transport().base_url().to_string();
    let intent = Intent::new(key, base_url, agent(&client)?, subject, creation.request())?;
    let store = Arc::clone(client.proposing().store()?);
    let mut lock = store.lock(key, time_left(&client, start)?).await?;
    let known = lock.read().await?;
    let client = client.with(CallOptions::new().timeout(time_left(&client, start)?));
    if let Some(known) = &known {
        known.check_same(&intent)?;
        let created = if known.is_done() { creation.known(&client, known).await? } else { None };
        let created = match created {
            Some(created) => return Ok(created),
            None => creation.search(&client).await?,
        };
        if let Some(created) = created {
            // If this fails, the next call searches again.
            let _ = lock.write(&intent.done(creation.subject(&created))).await;
            return Ok(created);
        }
    }
    lock.write(&intent.sent(milliseconds(SystemTime::now()))).await?;
    let created = match creation.create(&client).await {
        Ok(created) => created,
        Err(error) if known.is_some() && error.kind() == ErrorKind::Conflict => {
            // What the earlier call sent may have arrived after the search.
            creation.search(&client).await?.ok_or_else(|| creation.duplicate(error))?
        }
        Err(error) => {
            if is_refused(&error) && known.is_none() {
                // It had no effect. A record that stays makes the next call search first.
                let _ = lock.remove().await;
            }
            return Err(error);
        }
    };
    let _ = lock.write(&intent.done(creation.subject(&created))).await;
    Ok(created)
}

/// Creates a listing once for this key. It is sent before `until_ms` or not at all.
pub(crate) async fn create_listing_once(
    client: Client,
    key: &str,
    listing: NewListing,
    until_ms: Option<u64>,
) -> Result<Listing, Error> {
    let subject = Subject::Listing { slug: listing.slug().to_owned(), listing_id: None };
    once(client, key, subject, NewListingOnce { listing, until_ms }).await
}

struct NewListingOnce {
    listing: NewListing,
    until_ms: Option<u64>,
}

impl Creation for NewListingOnce {
    type Request = NewListing;
    type Created = Listing;

    fn request(&self) -> &NewListing {
        &self.listing
    }

    async fn known(&self, client: &Client, intent: &Intent) -> Result<Option<Listing>, Error> {
        let Some(id) = intent.listing_id() else { return Ok(None) };
        match client.get_listing(id).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(intent.stale("listing", id.as_str(), error))
            }
            listing => listing.map(Some),
        }
    }

    async fn search(&self, client: &Client) -> Result<Option<Listing>, Error> {
        let listings = client.list_listings().await?;
        Ok(listings.into_iter().find(|listing| self.listing.describes(listing)))
    }

    async fn create(&self, client: &Client) -> Result<Listing, Error> {
        client.send(sent_before(self.until_ms, create_listing(&self.listing))).await
    }

    fn duplicate(&self, error: Error) -> Error {
        error
    }

    fn subject(&self, created: &Listing) -> Subject {
        Subject::Listing {
            slug: self.listing.slug().to_owned(),
            listing_id: Some(created.id.clone()),
        }
    }
}

struct NewReviewOnce {
    trade: TradeId,
    review: NewReview,
}

impl Creation for NewReviewOnce {
    type Request = NewReview;
    type Created = Review;

    fn request(&self) -> &NewReview {
        &self.review
    }

    async fn known(&self, _: &Client, intent: &Intent) -> Result<Option<Review>, Error> {
        Ok(intent.review().cloned())
    }

    async fn search(&self, client: &Client) -> Result<Option<Review>, Error> {
        let Some(author) = client.get_wallet().await?.agent_id else { return Ok(None) };
        let trade = client.get_trade(&self.trade).await?;
        let listing = match client.get_marketplace_listing(&trade.listing_id).await {
            // It is not public any more.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            listing => listing?,
        };
        Ok(listing.reviews.unwrap_or_default().into_iter().find(|review| {
            review.trade_id.as_ref() == Some(&self.trade)
                && review.reviewer_agent_id.as_ref() == Some(&author)
                && self.review.matches(review)
        }))
    }

    async fn create(&self, client: &Client) -> Result<Review, Error> {
        client.create_review(&self.trade, &self.review).await
    }

    fn duplicate(&self, error: Error) -> Error {
        let message = "the trade is reviewed already, perhaps by an earlier call with this key: the listing does not show the review; look at it on the website";
        Error::new(ErrorKind::OutcomeUnknown, message).with_source(error)
    }

    fn subject(&self, created: &Review) -> Subject {
        Subject::Review {
            trade_id: self.trade.clone(),
            rating: self.review.rating().get(),
            review: Some(Box::new(created.clone())),
        }
    }
}
