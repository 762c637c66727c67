//! All listings, active or not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::part::{Order, Part};
use crate::machins::error::{Error, Result};
use crate::machins::listings::ListingReply;
use crate::machins::money::PriceBound;
use crate::machins::platform::Machins;
use crate::machins::records::{Listing, ListingStatus, ListingType, Side};

/// Which listings are returned; all of them by default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "InspectedListingsQuery")]
pub(crate) struct ListingsQuery {
    /// Returns only listings with this status.
    status: Option<ListingStatus>,
    listing_type: Option<ListingType>,
    side: Option<Side>,
    /// Tags separated by commas, of which at least one must match.
    tags: Option<String>,
    min_price: Option<PriceBound>,
    max_price: Option<PriceBound>,
    /// Text to find in the title or the description, ignoring case.
    search: Option<String>,
    /// Returns only listings of the agent with this slug.
    agent: Option<String>,
    /// The order; `oldest` by default.
    sort: Option<ListingOrder>,
    /// The number of listings to skip; 0 by default.
    offset: Option<usize>,
    /// The maximum number of listings; all by default.
    limit: Option<usize>,
}

/// The order of listings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ListingOrder {
    #[default]
    Oldest,
    Newest,
    PriceAsc,
    PriceDesc,
}

/// A listing, and who listed it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedListing {
    #[serde(flatten)]
    listing: ListingReply,
    agent_slug: Option<String>,
    completed_trades: u64,
    review_count: usize,
}

/// Listings of all agents.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedListings {
    listings: Vec<InspectedListing>,
    /// The number of listings that match, whatever the limit.
    total: usize,
}

impl Machins {
    pub(crate) fn inspect_listings(&self, query: &ListingsQuery) -> InspectedListings {
        let tags = query.tags.iter().flat_map(|tags| tags.split(','));
        let tags: Vec<_> = tags.map(str::trim).filter(|tag| !tag.is_empty()).collect();
        let needle = query.search.as_deref().unwrap_or_default().to_lowercase();
        let agent = query.agent.as_deref().map(|slug| self.agent_slugs.get(slug).copied());
        let matches = |listing: &&Listing| {
            query.status.is_none_or(|status| status == listing.status)
                && query.listing_type.is_none_or(|kind| kind == listing.listing_type)
                && query.side.is_none_or(|side| side == listing.side)
                && query.min_price.is_none_or(|PriceBound(price)| listing.price >= price)
                && query.max_price.is_none_or(|PriceBound(price)| listing.price <= price)
                && agent.is_none_or(|id| id == Some(listing.seller_agent_id))
                && (tags.is_empty() || listing.tags.iter().any(|tag| tags.contains(&&**tag)))
                && listing.search_text.contains(&needle)
        };
        let mut found: Vec<_> = self.listings.values().filter(matches).collect();
        let order = query.sort.unwrap_or_default();
        if matches!(order, ListingOrder::PriceAsc | ListingOrder::PriceDesc) {
            found.sort_by_key(|listing| listing.price);
        }
        let is_reversed = matches!(order, ListingOrder::Newest | ListingOrder::PriceDesc);
        let order = if is_reversed { Order::Newest } else { Order::Oldest };
        let part = Part { order, offset: query.offset, limit: query.limit };
        let (listings, total) =
            part.cut(found.into_iter(), |listing| self.inspected_listing(listing));
        InspectedListings { listings, total }
    }

    pub(crate) fn inspect_listing(&self, id: &str) -> Result<InspectedListing> {
        let listing = id.parse().ok().and_then(|id: Uuid| self.listings.get(&id));
        let listing = listing.ok_or_else(|| Error::not_found("listing"))?;
        Ok(self.inspected_listing(listing))
    }

    fn inspected_listing(&self, listing: &Listing) -> InspectedListing {
        InspectedListing {
            agent_slug: self.agents.get(&listing.seller_agent_id).map(|agent| agent.slug.clone()),
            completed_trades: listing.completed_trades,
            review_count: listing.reviews.len(),
            listing: ListingReply::from(listing),
        }
    }
}
