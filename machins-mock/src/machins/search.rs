//! The marketplace: what is on offer, filtered, sorted, page by page.
//!
//! One list of all active listings and one for each tag, in order of creation. An entry carries
//! what most filters ask for, so that a search walks one dense list and looks at a listing itself
//! only for its text or if it is to be sent.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use memchr::memmem::Finder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::agents::PublicAgent;
use super::error::{Error, Result};
use super::input::{self, Object};
use super::listings::{Listing, ListingStatus, ListingType, Side};
use super::money::{Money, PriceBound};
use super::page::{Page, Window};
use super::reviews::Review;
use super::{Currency, Machins};
use crate::clock::Time;

const MAX_SEARCH: usize = 256;
/// How many reviews a listing's page shows.
const SHOWN_REVIEWS: usize = 100;

/// The active listings.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Market {
    all: Vec<Posting>,
    by_tag: HashMap<String, Vec<Posting>>,
}

/// An active listing in short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Posting {
    pub(super) price: Money,
    /// Which in the list of all listings: grows with time.
    pub(super) place: u32,
    pub(super) listing_type: ListingType,
    pub(super) side: Side,
}

impl Posting {
    fn new(place: usize, listing: &Listing) -> Self {
        Self {
            price: listing.price,
            // A world of 2^32 listings fits no memory.
            place: u32::try_from(place).unwrap_or(u32::MAX),
            listing_type: listing.listing_type,
            side: listing.side,
        }
    }

    pub(super) fn place(self) -> usize {
        self.place as usize
    }
}

impl Market {
    pub(super) fn add(&mut self, place: usize, listing: &Listing) {
        let posting = Posting::new(place, listing);
        insert(&mut self.all, posting);
        for tag in &listing.tags {
            insert(self.by_tag.entry(tag.clone()).or_default(), posting);
        }
    }

    pub(super) fn remove(&mut self, place: usize, listing: &Listing) {
        remove(&mut self.all, place);
        for tag in &listing.tags {
            if let Some(postings) = self.by_tag.get_mut(tag) {
                remove(postings, place);
                if postings.is_empty() {
                    self.by_tag.remove(tag);
                }
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The listings with at least one of the tags, in order of creation.
    fn tagged(&self, tags: &[&str]) -> Cow<'_, [Posting]> {
        let mut lists = tags.iter().filter_map(|tag| self.by_tag.get(*tag));
        let Some(first) = lists.next() else {
            return (&[]).into();
        };
        let mut rest = lists.peekable();
        if rest.peek().is_none() {
            return first.into();
        }
        let mut union = first.clone();
        rest.for_each(|list| union.extend_from_slice(list));
        union.sort_unstable_by_key(|posting| posting.place);
        union.dedup_by_key(|posting| posting.place);
        union.into()
    }

    /// The newest so many listings with at least one of the tags that are `wanted`, newest first.
    pub(super) fn newest_tagged(
        &self,
        tags: &[String],
        most: usize,
        wanted: impl Fn(Posting) -> bool,
    ) -> Vec<Posting> {
        let lists = tags.iter().filter_map(|tag| self.by_tag.get(tag));
        let newest =
            |list| <[Posting]>::iter(list).rev().copied().filter(|it| wanted(*it)).take(most);
        let mut found: Vec<_> = lists.flat_map(|list| newest(list)).collect();
        found.sort_unstable_by_key(|posting| Reverse(posting.place));
        found.dedup_by_key(|posting| posting.place);
        found.truncate(most);
        found
    }
}

fn insert(postings: &mut Vec<Posting>, posting: Posting) {
    let at = postings.partition_point(|it| it.place < posting.place);
    postings.insert(at, posting);
}

fn remove(postings: &mut Vec<Posting>, place: usize) {
    if let Ok(at) = postings.binary_search_by_key(&place, |it| it.place()) {
        postings.remove(at);
    }
}

/// What is looked for; everything that is given must hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct Query {
    listing_type: Option<ListingType>,
    side: Option<Side>,
    /// Tags, separated by commas: at least one of them.
    tags: Option<String>,
    min_price: Option<PriceBound>,
    max_price: Option<PriceBound>,
    /// Part of the title or the description, in either case.
    search: Option<String>,
    sort: Option<Sort>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    #[default]
    Newest,
    PriceAsc,
    PriceDesc,
}

/// A listing as everybody sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MarketplaceListing {
    id: Uuid,
    seller_agent_id: Uuid,
    seller_agent_name: String,
    seller_agent_slug: String,
    seller_reputation_score: Money,
    title: String,
    slug: String,
    description: Option<String>,
    listing_type: ListingType,
    price: Money,
    currency: Currency,
    tags: Vec<String>,
    input_schema: Option<Object>,
    output_schema: Option<Object>,
    status: ListingStatus,
    side: Side,
    completed_trades: u64,
    bounty_held: bool,
    expires_at: Option<Time>,
    created_at: Time,
}

/// A listing with all that helps to decide.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MarketplaceDetail {
    #[serde(flatten)]
    listing: MarketplaceListing,
    /// The newest hundred.
    reviews: Vec<Review>,
    seller: PublicAgent,
}

impl Machins {
    /// Active listings that match.
    pub(crate) fn browse(&self, query: &Query, window: Window) -> Result<Page<MarketplaceListing>> {
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
            &self.market.all
        } else {
            tagged = self.market.tagged(&tags);
            &*tagged
        };
        let needle = query.search.as_deref().unwrap_or_default().to_lowercase();
        let finder = (!needle.is_empty()).then(|| Finder::new(&needle));
        let least = query.min_price.map_or(Money::ZERO, |PriceBound(it)| it);
        let most = query.max_price.map(|PriceBound(it)| it);
        let fits = |posting: &&Posting| {
            query.listing_type.is_none_or(|it| it == posting.listing_type)
                && query.side.is_none_or(|it| it == posting.side)
                && posting.price >= least
                && most.is_none_or(|most| posting.price <= most)
                && finder.as_ref().is_none_or(|finder| {
                    let listing = self.listings.get_index(posting.place());
                    listing.is_some_and(|(_, it)| finder.find(it.folded.as_bytes()).is_some())
                })
        };
        let found = candidates.iter().rev().filter(fits);
        let sort = query.sort.unwrap_or_default();
        if sort == Sort::Newest {
            let page = span.page(found, |posting| self.shown(posting.place));
            return Ok(page.flatten());
        }
        let mut found: Vec<_> = found.copied().collect();
        // Stable: of one price, the newest comes first.
        match sort {
            Sort::PriceDesc => found.sort_by_key(|posting| Reverse(posting.price)),
            Sort::PriceAsc | Sort::Newest => found.sort_by_key(|posting| posting.price),
        }
        Ok(span.page(found.into_iter(), |posting| self.shown(posting.place)).flatten())
    }

    /// An active listing with its reviews and its seller.
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

    pub(super) fn shown(&self, place: u32) -> Option<MarketplaceListing> {
        let (_, listing) = self.listings.get_index(place as usize)?;
        let seller = self.agents.get(&listing.seller_agent_id)?;
        Some(MarketplaceListing::new(listing, seller))
    }
}

impl MarketplaceListing {
    pub(super) fn new(listing: &Listing, seller: &super::agents::Agent) -> Self {
        Self {
            id: listing.id,
            seller_agent_id: seller.id,
            seller_agent_name: seller.name.clone(),
            seller_agent_slug: seller.slug.clone(),
            seller_reputation_score: seller.record.reputation(),
            title: listing.title.clone(),
            slug: listing.slug.clone(),
            description: listing.description.clone(),
            listing_type: listing.listing_type,
            price: listing.price,
            currency: Currency::Credit,
            tags: listing.tags.clone(),
            input_schema: listing.input_schema.clone(),
            output_schema: listing.output_schema.clone(),
            status: listing.status,
            side: listing.side,
            completed_trades: listing.completed_trades,
            bounty_held: listing.bounty_amount.is_some(),
            expires_at: listing.expires_at,
            created_at: listing.created_at,
        }
    }
}
