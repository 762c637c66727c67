//! The marketplace: active listings, filtered, sorted, page by page.

use std::cmp::Reverse;

use memchr::memmem::Finder;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::error::{Error, Result};
use super::input;
use super::money::{Money, PriceBound};
use super::page::{Page, Window};
use super::platform::Machins;
use super::records::{IndexEntry, ListingType, Side};
use super::views::{MarketplaceDetail, MarketplaceListing, PublicAgent};

const MAX_SEARCH: usize = 256;

/// The maximum number of reviews in the details of a listing.
const SHOWN_REVIEWS: usize = 100;

/// Filters of the marketplace, all of which must match, and the order of the results.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct MarketplaceQuery {
    /// The type of the listing.
    listing_type: Option<ListingType>,
    /// Whether it is an offer or a request.
    side: Option<Side>,
    /// Tags separated by commas, of which at least one must match.
    tags: Option<String>,
    /// The lowest price, this one included.
    min_price: Option<PriceBound>,
    /// The highest price, this one included.
    max_price: Option<PriceBound>,
    /// Text to find in the title or the description, ignoring case.
    search: Option<String>,
    /// The order of the results; newest first by default.
    sort: Option<Sort>,
}

/// The order of the results; by default, the newest come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    #[default]
    Newest,
    PriceAsc,
    PriceDesc,
}

impl Machins {
    /// Returns the active listings that match.
    pub(crate) fn browse(
        &self,
        query: &MarketplaceQuery,
        window: Window,
    ) -> Result<Page<MarketplaceListing>> {
        let span = window.span()?;
        input::text("search", query.search.as_deref(), MAX_SEARCH)?;
        let tags: Vec<_> = query
            .tags
            .iter()
            .flat_map(|tags| tags.split(','))
            .map(str::trim)
            .filter(|tag| !tag.is_empty())
            .collect();
        let tagged;
        let candidates = if tags.is_empty() {
            self.search_index.all()
        } else {
            tagged = self.search_index.tagged(&tags);
            &*tagged
        };
        let needle = query.search.as_deref().unwrap_or_default().to_lowercase();
        let finder = (!needle.is_empty()).then(|| Finder::new(&needle));
        let least = query.min_price.map_or(Money::ZERO, |PriceBound(price)| price);
        let most = query.max_price.map(|PriceBound(price)| price);
        let fits = |entry: &&IndexEntry| {
            query.listing_type.is_none_or(|listing_type| listing_type == entry.listing_type)
                && query.side.is_none_or(|side| side == entry.side)
                && entry.price >= least
                && most.is_none_or(|most| entry.price <= most)
                && finder.as_ref().is_none_or(|finder| {
                    let listing = self.listings.get_index(entry.index());
                    listing.is_some_and(|(_, listing)| {
                        finder.find(listing.search_text.as_bytes()).is_some()
                    })
                })
        };
        let found = candidates.iter().rev().filter(fits);
        let sort = query.sort.unwrap_or_default();
        if sort == Sort::Newest {
            let page = span.counted_page(found, |entry| self.view_at(entry.index));
            return Ok(page.flatten());
        }
        let mut found: Vec<_> = found.copied().collect();
        // Stable: of one price, the newest comes first.
        match sort {
            Sort::PriceDesc => found.sort_by_key(|entry| Reverse(entry.price)),
            Sort::PriceAsc | Sort::Newest => found.sort_by_key(|entry| entry.price),
        }
        Ok(span.page(found.into_iter(), |entry| self.view_at(entry.index)).flatten())
    }

    /// Returns an active listing with its seller and its reviews.
    pub(crate) fn marketplace_listing(&self, id: &str) -> Result<MarketplaceDetail> {
        let listing = id.parse().ok().and_then(|id: Uuid| self.listings.get(&id));
        let listing = listing.filter(|listing| listing.is_active());
        let listing = listing.ok_or_else(|| Error::not_found("listing"))?;
        let seller = &self.agents[&listing.seller_agent_id];
        let reviews = listing.reviews.iter().rev().take(SHOWN_REVIEWS);
        Ok(MarketplaceDetail {
            listing: MarketplaceListing::new(listing, seller),
            reviews: reviews.filter_map(|id| self.reviews.get(id)).cloned().collect(),
            seller: PublicAgent::new(seller),
        })
    }

    pub(crate) fn view_at(&self, index: u32) -> Option<MarketplaceListing> {
        let (_, listing) = self.listings.get_index(index as usize)?;
        let seller = self.agents.get(&listing.seller_agent_id)?;
        Some(MarketplaceListing::new(listing, seller))
    }
}
