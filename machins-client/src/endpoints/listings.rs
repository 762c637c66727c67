//! Your own listings: creating, changing and deactivating them.

use agent_client_core::{Call, Error, ErrorKind, Method, Probe, ProbeResult, Transport, operation};

use crate::auth::API_KEY;
use crate::client::Api;
use crate::endpoints::read_undocumented;
use crate::model::id::ListingId;
use crate::model::listing::{Deactivated, Listing, ListingUpdate, NewListing};

const LISTINGS: &str = "/listings";
const LISTING: &str = "/listings/{id}";

/// Your own listings ([reference](https://machins.co/docs): Listings).
///
/// ```
/// use machins_client::{ListingType, ListingUpdate, Money, NewListing};
///
/// # test_support::machins(async |test_support::Marketplace { buyer: client, .. }| {
/// let price: Money = "45.50".parse()?;
/// let offer = NewListing::new("Labels", "cat-labels", ListingType::Data, price);
/// let listing = client.create_listing(&offer).await?;
///
/// let cheaper = ListingUpdate::new().price(Money::credits(40));
/// client.update_listing(&listing.id, &cheaper).await?;
/// assert_eq!(client.get_listing(&listing.id).await?.price, Money::credits(40));
///
/// client.deactivate_listing(&listing.id).await?;
/// assert_eq!(client.list_listings().await?[0].is_active, Some(false));
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Creates a listing. Calls `POST /listings` ([reference](https://machins.co/docs): Listings).
    ///
    /// If the reply is lost, the client searches your listings for an active one that is equal in
    /// every field that the service shows, and returns it. If there is none, it sends the call again, which is safe: a slug
    /// can be taken only once.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if the slug is taken,
    /// [`ErrorKind::BadRequest`](crate::ErrorKind::BadRequest) if the price or another field is
    /// invalid, and [`ErrorKind::InsufficientFunds`](crate::ErrorKind::InsufficientFunds) if the
    /// wallet does not hold the bounty.
    pub fn create_listing(&self, listing: &NewListing) -> T::Reply<Listing> {
        self.send(create_listing(listing))
    }

    /// Returns all of your listings, inactive ones included. Calls `GET /listings`
    /// ([reference](https://machins.co/docs): Listings).
    ///
    /// # Errors
    /// Returns [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized) if the API key is
    /// invalid.
    pub fn list_listings(&self) -> T::Reply<Vec<Listing>> {
        self.send(list_listings())
    }

    /// Returns one of your listings. Calls `GET /listings/{id}`
    /// ([reference](https://machins.co/docs): Listings).
    ///
    /// # Errors
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such listing, and
    /// [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden) if it is not yours.
    pub fn get_listing(&self, id: &ListingId) -> T::Reply<Listing> {
        self.send(get_listing(id))
    }

    /// Changes a listing and returns it as it is then. Calls `PUT /listings/{id}`
    /// ([reference](https://machins.co/docs): Listings).
    ///
    /// If the reply is lost or has no body, the client reads the listing, and returns it if it has the
    /// new values. If not, it sends the call again.
    ///
    /// # Errors
    /// Returns [`ErrorKind::BadRequest`](crate::ErrorKind::BadRequest) if a new value is invalid,
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such listing,
    /// [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden) if it is not yours, and
    /// [`ErrorKind::OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) if it may have been changed.
    pub fn update_listing(&self, id: &ListingId, update: &ListingUpdate) -> T::Reply<Listing> {
        self.send(update_listing(id, update))
    }

    /// Deactivates a listing. Trades under way are not affected. Calls `DELETE /listings/{id}`
    /// ([reference](https://machins.co/docs): Listings).
    ///
    /// # Errors
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such listing, and
    /// [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden) if it is not yours.
    pub fn deactivate_listing(&self, id: &ListingId) -> T::Reply<Deactivated> {
        let call = Call::new(Method::DELETE, LISTING)
            .operation(operation!("machins.deactivate_listing"))
            .segment("id", id.as_str());
        self.send(
            call.auth(&API_KEY)
                .decode(|reply| read_undocumented(reply).map(|reply| Deactivated { reply })),
        )
    }
}

/// Creates a listing. If its outcome is unknown, the agent's listings show it.
pub(crate) fn create_listing(listing: &NewListing) -> Call<Listing> {
    let wanted = listing.clone();
    let call = Call::post(LISTINGS)
        .operation(operation!("machins.create_listing"))
        .auth(&API_KEY)
        .body(listing)
        .json();
    let own = listing.clone();
    call.check(move |created| own.may_be(created)).recover_with(move |_| {
        let wanted = wanted.clone();
        Probe::new(list_listings(), move |listings| {
            let listings = listings?;
            let is_taken = listings.iter().any(|listing| listing.slug == wanted.slug());
            let created = listings.into_iter().find(|listing| wanted.matches(listing));
            Ok(match created {
                Some(created) => ProbeResult::Done(created),
                None if is_taken => {
                    let message =
                        format!("another listing of yours has the slug {}", wanted.slug());
                    ProbeResult::Failed(Error::new(ErrorKind::Conflict, message))
                }
                None => ProbeResult::Absent,
            })
        })
    })
}

/// Changes a listing. If its outcome is unknown, or its reply has no body, the listing shows whether it is
/// changed.
pub(crate) fn update_listing(id: &ListingId, update: &ListingUpdate) -> Call<Listing> {
    let call = Call::new(Method::PUT, LISTING)
        .operation(operation!("machins.update_listing"))
        .segment("id", id.as_str());
    let (id, update) = (id.clone(), update.clone());
    let asked_for = id.clone();
    let call = call.unknown_hint("the listing shows whether it is changed").auth(&API_KEY);
    let call = call.body(&update).json();
    let call = call.check(move |listing: &Listing| listing.id.is_same(&asked_for));
    call.recover_with(move |_| {
        let update = update.clone();
        Probe::new(get_listing(&id), move |listing| {
            let listing = listing?;
            Ok(if update.is_made_in(&listing) {
                ProbeResult::Done(listing)
            } else {
                ProbeResult::Absent
            })
        })
    })
}

fn get_listing(id: &ListingId) -> Call<Listing> {
    let asked_for = id.clone();
    Call::get(LISTING)
        .operation(operation!("machins.get_listing"))
        .segment("id", id.as_str())
        .auth(&API_KEY)
        .json()
        .check(move |listing: &Listing| listing.id.is_same(&asked_for))
}

fn list_listings() -> Call<Vec<Listing>> {
    Call::get(LISTINGS).operation(operation!("machins.list_listings")).auth(&API_KEY).json()
}
