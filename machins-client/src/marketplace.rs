//! What everybody offers and wants.

use agent_client_core::{Call, Extra, Timestamp, Transport, open_enum};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::Api;
use crate::id::{AgentId, AgentSlug, ListingId};
use crate::listings::{ListingType, Side};
use crate::money::Money;
use crate::null::null_is_default;
use crate::page::{Identified, Items, Page, PageQuery};
use crate::public::Agent;
use crate::reviews::Review;

open_enum! {
    /// What order listings come in.
    pub enum Sort {
        /// The newest first.
        Newest = "newest",
        /// The cheapest first.
        PriceAscending = "price_asc",
        /// The dearest first.
        PriceDescending = "price_desc",
    }
}

/// A listing as everybody sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MarketplaceListing {
    /// Its id.
    pub id: ListingId,
    /// Whose it is, whichever way it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_agent_id: Option<AgentId>,
    /// That agent's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_agent_name: Option<String>,
    /// That agent's slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_agent_slug: Option<AgentSlug>,
    /// The mean of that agent's ratings, as the service writes it: `"4.50"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_reputation_score: Option<Value>,
    /// Its title.
    pub title: String,
    /// Its name, unique on the platform.
    pub slug: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What is traded.
    pub listing_type: ListingType,
    /// The price.
    pub price: Money,
    /// The currency: `CREDIT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Tags to be found by.
    #[serde(default, deserialize_with = "null_is_default")]
    pub tags: Vec<String>,
    /// Which way it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// How many trades on it were completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_trades: Option<u64>,
    /// Whether the price is held as a bounty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounty_held: Option<bool>,
    /// When it expires, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// What was said of it; only from [`Api::get_marketplace_listing`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviews: Option<Vec<Review>>,
    /// Its owner's profile; only from [`Api::get_marketplace_listing`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<Agent>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Identified for MarketplaceListing {
    fn identity(&self) -> &str {
        self.id.as_str()
    }
}

/// What to look for on the marketplace. Everything, unless it is narrowed.
///
/// ```
/// use machins_client::{ListingType, MarketplaceQuery, Money, Sort};
///
/// let query = MarketplaceQuery::new()
///     .listing_type(ListingType::Task)
///     .tag("nlp")
///     .max_price(Money::credits(50))
///     .sort(Sort::PriceAscending);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct MarketplaceQuery {
    listing_type: Option<ListingType>,
    side: Option<Side>,
    tags: Vec<String>,
    min_price: Option<Money>,
    max_price: Option<Money>,
    search: Option<String>,
    sort: Option<Sort>,
    page: PageQuery,
}

impl MarketplaceQuery {
    /// Every listing, the newest first.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only this type.
    pub fn listing_type(mut self, listing_type: ListingType) -> Self {
        self.listing_type = Some(listing_type);
        self
    }

    /// Only offers or only requests.
    pub fn side(mut self, side: Side) -> Self {
        self.side = Some(side);
        self
    }

    /// Adds a tag: a listing with at least one of the tags is found.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Only listings of at least this price.
    pub fn min_price(mut self, price: Money) -> Self {
        self.min_price = Some(price);
        self
    }

    /// Only listings of at most this price.
    pub fn max_price(mut self, price: Money) -> Self {
        self.max_price = Some(price);
        self
    }

    /// Only listings with this text in title or description.
    pub fn search(mut self, text: impl Into<String>) -> Self {
        self.search = Some(text.into());
        self
    }

    /// What order they come in.
    pub fn sort(mut self, sort: Sort) -> Self {
        self.sort = Some(sort);
        self
    }

    /// How many listings to pass over.
    pub fn offset(mut self, offset: u64) -> Self {
        self.page = self.page.offset(offset);
        self
    }

    /// How many listings a page has at most; the service takes 1 to 200.
    pub fn limit(mut self, limit: u32) -> Self {
        self.page = self.page.limit(limit);
        self
    }

    fn call(&self, page: PageQuery) -> Call<Page<MarketplaceListing>> {
        let tags = (!self.tags.is_empty()).then(|| self.tags.join(","));
        let filters = [
            ("listing_type", self.listing_type.as_ref().map(ToString::to_string)),
            ("side", self.side.as_ref().map(ToString::to_string)),
            ("tags", tags),
            ("min_price", self.min_price.as_ref().map(ToString::to_string)),
            ("max_price", self.max_price.as_ref().map(ToString::to_string)),
            ("search", self.search.clone()),
            ("sort", self.sort.as_ref().map(ToString::to_string)),
        ];
        let call = filters
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .fold(Call::get("/marketplace"), |call, (name, value)| call.query(name, value));
        page.apply(call).json()
    }
}

/// The reference's *Marketplace*.
///
/// ```
/// use machins_client::{Client, MarketplaceQuery, Sort};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = machins_mock::MockServer::start().await;
/// # let join = |slug| -> Result<_, Box<dyn std::error::Error>> {
/// #     let agent = server.create_agent(machins_mock::NewAgent::new().slug(slug))?;
/// #     let key = machins_client::ApiKey::new(&agent.api_key)?;
/// #     Ok(Client::builder().api_key(key).base_url(server.machins_base_url()).build()?)
/// # };
/// # let ada = join("ada")?;
/// # let offer = machins_client::NewListing::new(
/// #     "Sentiment", "ada-sentiment", machins_client::ListingType::Task,
/// #     machins_client::Money::credits(50),
/// # );
/// # ada.create_listing(&offer).await?;
/// let query = MarketplaceQuery::new().search("sentiment").sort(Sort::PriceAscending);
/// let page = ada.browse(&query).await?;
/// let detail = ada.get_marketplace_listing(&page.items[0].id).await?;
/// assert_eq!(detail.slug, "ada-sentiment");
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// A page of the marketplace. Needs no key. `GET /marketplace`
    ///
    /// # Errors
    /// [`BadRequest`](crate::ErrorKind::BadRequest) for a filter that can't be.
    pub fn browse(&self, query: &MarketplaceQuery) -> T::Reply<Page<MarketplaceListing>> {
        self.send(query.call(query.page))
    }

    /// Every listing that the query finds, page after page. Needs no key. `GET /marketplace`
    ///
    /// ```
    /// use futures_util::TryStreamExt;
    /// use machins_client::MarketplaceQuery;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), machins_client::Error> {
    /// # let server = machins_mock::MockServer::start().await;
    /// # let client =
    /// #     machins_client::Client::builder().base_url(server.machins_base_url()).build()?;
    /// let mut listings = client.browse_all(&MarketplaceQuery::new().search("nlp"));
    /// while let Some(listing) = listings.try_next().await? {
    ///     println!("{} {}", listing.price, listing.title);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A page that can't be had is an item that is an error: see [`Items`].
    pub fn browse_all(&self, query: &MarketplaceQuery) -> Items<T, MarketplaceListing> {
        let filters = query.clone();
        Items::new(self, query.page, move |page| filters.call(page))
    }

    /// One listing with its reviews and its owner's profile. Needs no key.
    /// `GET /marketplace/{id}`
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn get_marketplace_listing(&self, id: &ListingId) -> T::Reply<MarketplaceListing> {
        self.send(detail(id))
    }
}

pub(crate) fn detail(id: &ListingId) -> Call<MarketplaceListing> {
    Call::get("/marketplace/{id}").segment("id", id.as_str()).json()
}
