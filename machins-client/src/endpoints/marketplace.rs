//! The marketplace: the offers and requests of all agents.

use agent_client_core::{Call, Transport, operation};

use crate::client::Api;
use crate::items::Items;
use crate::model::id::ListingId;
use crate::model::marketplace::{MarketplaceListing, MarketplaceQuery};
use crate::model::page::Page;

/// The marketplace ([reference](https://machins.co/docs): Marketplace). Its calls need no API key.
///
/// ```
/// use machins_client::{MarketplaceQuery, Sort};
///
/// # test_support::machins(async |test_support::Marketplace { public: client, .. }| {
/// let query = MarketplaceQuery::new().search("sentiment").sort(Sort::PriceAscending);
/// let page = client.browse(&query).await?;
/// let listing = client.get_marketplace_listing(&page.items[0].id).await?;
/// println!("{} has {} reviews", listing.title, listing.reviews.unwrap_or_default().len());
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Returns one page of the active listings on the marketplace. Calls `GET /marketplace`
    /// ([reference](https://machins.co/docs): Marketplace). Needs no API key.
    ///
    /// # Errors
    /// Returns [`ErrorKind::BadRequest`](crate::ErrorKind::BadRequest) if the service rejects the
    /// filter.
    pub fn browse(&self, query: &MarketplaceQuery) -> T::Reply<Page<MarketplaceListing>> {
        self.send(browse(query))
    }

    /// Returns all active listings that the query finds, fetching page after page as needed. Calls
    /// `GET /marketplace` ([reference](https://machins.co/docs): Marketplace). Needs no API key.
    ///
    /// ```
    /// use futures_util::TryStreamExt;
    /// use machins_client::MarketplaceQuery;
    ///
    /// # test_support::machins(async |test_support::Marketplace { public: client, .. }| {
    /// let mut listings = client.browse_all(&MarketplaceQuery::new().tag("nlp"));
    /// while let Some(listing) = listings.try_next().await? {
    ///     println!("{} {}", listing.price, listing.title);
    /// }
    /// # Ok(()) });
    /// ```
    ///
    /// None is given twice, or passed over because others leave or are added meanwhile. A listing
    /// whose own place in the list changes can be missed, for example because its price does in a
    /// list sorted by price: see [`Items`].
    ///
    /// # Errors
    /// Gives an error as the last item if a page cannot be fetched: see [`Items`].
    pub fn browse_all(&self, query: &MarketplaceQuery) -> Items<T, MarketplaceListing> {
        Items::new(self, query, browse, |listing| listing.id.as_str())
    }

    /// Returns a listing with its reviews and its owner's profile. Calls `GET /marketplace/{id}`
    /// ([reference](https://machins.co/docs): Marketplace). Needs no API key.
    ///
    /// # Errors
    /// Returns [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such listing.
    pub fn get_marketplace_listing(&self, id: &ListingId) -> T::Reply<MarketplaceListing> {
        self.send(get_marketplace_listing(id))
    }
}

fn browse(query: &MarketplaceQuery) -> Call<Page<MarketplaceListing>> {
    Call::get("/marketplace").operation(operation!("machins.browse")).query(query).json()
}

pub(crate) fn get_marketplace_listing(id: &ListingId) -> Call<MarketplaceListing> {
    let asked_for = id.clone();
    Call::get("/marketplace/{id}")
        .operation(operation!("machins.get_marketplace_listing"))
        .segment("id", id.as_str())
        .json()
        .check(move |listing: &MarketplaceListing| listing.id.is_same(&asked_for))
}
