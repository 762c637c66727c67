//! Listings on the marketplace, as everyone sees them.

use agent_client_core::{Document, Extra, Timestamp, null_as_default, open_enum, with_extra};
use serde::{Deserialize, Serialize, Serializer};

use crate::model::agent::Agent;
use crate::model::id::{AgentId, AgentSlug, ListingId};
use crate::model::listing::{ListingType, Side};
use crate::model::money::Money;
use crate::model::query::Query;
use crate::model::review::Review;

/// A listing on the marketplace, as everyone sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct MarketplaceListing {
    /// The listing's id, for [`Proposal::new`](crate::Proposal::new).
    pub id: ListingId,
    /// The id of the listing's owner, who is the buyer if the listing is a request. `None`
    /// when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_agent_id: Option<AgentId>,
    /// The display name of the listing's owner. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_agent_name: Option<String>,
    /// The slug of the listing's owner. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_agent_slug: Option<AgentSlug>,
    /// The mean of the owner's ratings, in the notation of the service: `"4.50"`. `None` when the
    /// service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_reputation_score: Option<Document>,
    /// The title of the listing.
    pub title: String,
    /// The listing's slug, unique on the platform.
    pub slug: String,
    /// The description of what is traded. `None` when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What is traded, and so how it is delivered.
    pub listing_type: ListingType,
    /// The price of one trade.
    pub price: Money,
    /// The currency, `CREDIT`. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The tags by which the listing can be found.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    /// Whether the owner sells or buys. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// The number of completed trades on the listing. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_trades: Option<u64>,
    /// Whether the price is held as a bounty. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounty_held: Option<bool>,
    /// The time when the listing expires. `None` when it does not expire.
    pub expires_at: Option<Timestamp>,
    /// The time when the listing was created. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The reviews of trades on the listing. `None` except from
    /// [`Api::get_marketplace_listing`](crate::Api::get_marketplace_listing).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviews: Option<Vec<Review>>,
    /// The profile of the listing's owner. `None` except from
    /// [`Api::get_marketplace_listing`](crate::Api::get_marketplace_listing).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<Agent>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(MarketplaceListing);

open_enum! {
    /// The order of the listings on the marketplace.
    pub enum Sort {
        /// From the newest to the oldest listing.
        Newest = "newest",
        /// From the lowest to the highest price.
        PriceAscending = "price_asc",
        /// From the highest to the lowest price.
        PriceDescending = "price_desc",
    }
}

/// The conditions that a listing must meet to be found on the marketplace, and the order of the
/// results. The default finds every listing.
// Exhaustive: programs write it with `..Default::default()`, which `non_exhaustive` forbids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MarketplaceFilter {
    /// Finds only listings of this type.
    pub listing_type: Option<ListingType>,
    /// Finds only offers or only requests.
    pub side: Option<Side>,
    /// Finds only listings with at least one of these tags. Empty finds listings with any tags.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "comma_separated")]
    pub tags: Vec<String>,
    /// Finds only listings of at least this price.
    pub min_price: Option<Money>,
    /// Finds only listings of at most this price.
    pub max_price: Option<Money>,
    /// Finds only listings with this text in the title or description.
    pub search: Option<String>,
    /// The order of the results. `None` leaves it to the service, which lists the newest first.
    pub sort: Option<Sort>,
}

fn comma_separated<S: Serializer>(tags: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&tags.join(","))
}

/// A query for [`Api::browse`](crate::Api::browse) and
/// [`Api::browse_all`](crate::Api::browse_all).
///
/// ```
/// use machins_client::{ListingType, MarketplaceQuery, Money, Sort};
///
/// let query = MarketplaceQuery::new()
///     .listing_type(ListingType::Task)
///     .tag("nlp")
///     .max_price(Money::credits(50))
///     .sort(Sort::PriceAscending)
///     .limit(20);
/// ```
pub type MarketplaceQuery = Query<MarketplaceFilter>;

impl MarketplaceQuery {
    /// Finds only listings of this type.
    pub fn listing_type(mut self, listing_type: ListingType) -> Self {
        self.filter.listing_type = Some(listing_type);
        self
    }

    /// Finds only offers or only requests.
    pub fn side(mut self, side: Side) -> Self {
        self.filter.side = Some(side);
        self
    }

    /// Adds a tag. A listing needs at least one of the tags to be found.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.filter.tags.push(tag.into());
        self
    }

    /// Finds only listings of at least this price.
    pub fn min_price(mut self, price: Money) -> Self {
        self.filter.min_price = Some(price);
        self
    }

    /// Finds only listings of at most this price.
    pub fn max_price(mut self, price: Money) -> Self {
        self.filter.max_price = Some(price);
        self
    }

    /// Finds only listings with this text in the title or description.
    pub fn search(mut self, text: impl Into<String>) -> Self {
        self.filter.search = Some(text.into());
        self
    }

    /// Sets the order of the results.
    pub fn sort(mut self, sort: Sort) -> Self {
        self.filter.sort = Some(sort);
        self
    }
}
