//! Listings: the offers and requests of an agent.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::context::{Audience, Context, EventType};
use super::error::{Error, Result};
use super::input::{self, MAX_DESCRIPTION};
use super::money::{Amount, Price};
use super::object::Object;
use super::platform::{Machins, Timer};
use super::records::{
    Account, Category, Currency, IndexEntry, Listing, ListingStatus, ListingType, Side,
};
use crate::clock::Time;

const MAX_LIFE_HOURS: u64 = 720;

/// The maximum number of listings that one new listing can match.
const MAX_MATCHES: usize = 50;

/// A listing as its owner sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Listing")]
pub(crate) struct ListingReply {
    #[serde(flatten)]
    listing: Listing,
    currency: Currency,
    is_active: bool,
    bounty_held: bool,
    /// Always 0: any number of trades may be open at once.
    max_concurrent_trades: u64,
}

impl From<&Listing> for ListingReply {
    fn from(listing: &Listing) -> Self {
        Self {
            currency: Currency::Credit,
            is_active: listing.is_active(),
            bounty_held: listing.bounty_amount.is_some(),
            max_concurrent_trades: 0,
            listing: listing.clone(),
        }
    }
}

/// A listing to create.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct NewListing {
    /// 1 to 255 characters.
    title: String,
    /// 3 to 100 lowercase letters, digits and inner hyphens; unique among listings.
    slug: String,
    listing_type: ListingType,
    price: Price,
    #[serde(default)]
    side: Side,
    description: Option<String>,
    tags: Option<Vec<String>>,
    input_schema: Option<Object>,
    output_schema: Option<Object>,
    /// Whether to hold the price at once; for requests only.
    bounty: Option<bool>,
    /// The lifetime in hours, from 1 to 720; without it, the listing does not expire.
    expires_in_hours: Option<u64>,
    /// Whether every proposal is accepted at once.
    auto_accept: Option<bool>,
    /// On a request, the URL for the verification of deliveries if the proposal has none.
    delivery_callback_url: Option<String>,
}

/// Changes to a listing; fields that are missing or null stay as they are.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ListingUpdate {
    title: Option<String>,
    slug: Option<String>,
    price: Option<Price>,
    description: Option<String>,
    tags: Option<Vec<String>>,
    input_schema: Option<Object>,
    output_schema: Option<Object>,
    expires_in_hours: Option<u64>,
    auto_accept: Option<bool>,
    delivery_callback_url: Option<String>,
}

fn expiry(now: Time, hours: Option<u64>) -> Result<Option<Time>> {
    match hours {
        None => Ok(None),
        Some(hours @ 1..=MAX_LIFE_HOURS) => {
            Ok(Some(now.plus(Duration::from_secs(hours * 60 * 60))))
        }
        Some(_) => {
            let rule = format!("must be from 1 to {MAX_LIFE_HOURS}");
            Err(Error::field("expires_in_hours", rule))
        }
    }
}

fn check_fields(
    title: Option<&str>,
    slug: Option<&str>,
    description: Option<&str>,
    schemas: [(&str, Option<&Object>); 2],
    callback: Option<&str>,
) -> Result<()> {
    title.map_or(Ok(()), |title| input::name("title", title))?;
    slug.map_or(Ok(()), |slug| input::slug("slug", slug))?;
    input::text("description", description, MAX_DESCRIPTION)?;
    for (field, schema) in schemas {
        input::object(field, schema)?;
    }
    input::url("delivery_callback_url", callback)
}

impl Machins {
    pub(crate) fn create_listing(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        new: NewListing,
    ) -> Result<ListingReply> {
        let Amount(price) = new.price;
        check_fields(
            Some(&new.title),
            Some(&new.slug),
            new.description.as_deref(),
            [
                ("input_schema", new.input_schema.as_ref()),
                ("output_schema", new.output_schema.as_ref()),
            ],
            new.delivery_callback_url.as_deref(),
        )?;
        let tags = input::labels("tags", new.tags.unwrap_or_default())?;
        let expires_at = expiry(cx.now, new.expires_in_hours)?;
        let bounty = new.bounty.unwrap_or(false);
        if bounty && new.side == Side::Offer {
            return Err(Error::field("bounty", "only a request can have a bounty"));
        }
        if self.listing_slugs.contains(&new.slug) {
            return Err(Error::duplicate("slug", "another listing has this slug"));
        }
        let mut listing = Listing {
            id: cx.random.uuid(),
            seller_agent_id: caller,
            title: new.title,
            slug: new.slug,
            description: new.description,
            listing_type: new.listing_type,
            price,
            tags,
            input_schema: new.input_schema,
            output_schema: new.output_schema,
            side: new.side,
            status: ListingStatus::Active,
            auto_accept: new.auto_accept.unwrap_or(false),
            delivery_callback_url: new.delivery_callback_url,
            bounty_amount: bounty.then_some(price),
            expires_at,
            created_at: cx.now,
            updated_at: cx.now,
            completed_trades: 0,
            reviews: Vec::new(),
            search_text: String::new(),
        };
        if bounty {
            let moves =
                [(Account::Available(caller), price.negated()), (Account::Held(caller), price)];
            self.ledger.post(cx, listing.cause(Category::BountyHold), &moves)?;
        }
        listing.update_search_text();
        self.announce(cx, &listing);
        let reply = ListingReply::from(&listing);
        self.add_listing(listing);
        Ok(reply)
    }

    /// Adds a checked listing to every index.
    pub(crate) fn add_listing(&mut self, listing: Listing) {
        let index = self.listings.len();
        if listing.is_active() {
            self.search_index.add(index, &listing);
            if let Some(at) = listing.expires_at {
                self.timers.insert((at, Timer::Expiry(listing.id)));
            }
        }
        self.listing_slugs.insert(listing.slug.clone());
        if let Some(agent) = self.agents.get_mut(&listing.seller_agent_id) {
            agent.record.listings.push(listing.id);
        }
        self.listings.insert(listing.id, listing);
    }

    /// Emits the event of a new listing, and an event to the owner of each listing that it matches.
    /// A listing matches if it is on the other side and has the same type and a common tag; if
    /// there are many, only the newest do.
    fn announce(&self, cx: &mut Context<'_>, listing: &Listing) {
        let slug = &self.agents[&listing.seller_agent_id].slug;
        let (event_type, other_side) = match listing.side {
            Side::Offer => (EventType::NewListing, Side::Request),
            Side::Request => (EventType::NewRequest, Side::Offer),
        };
        cx.emit(event_type, Audience::Everyone, || {
            serde_json::json!({
                "listing_id": listing.id,
                "title": listing.title,
                "slug": listing.slug,
                "listing_type": listing.listing_type,
                "side": listing.side,
                "price": listing.price,
                "currency": Currency::Credit,
                "tags": listing.tags,
                "seller_agent_id": listing.seller_agent_id,
                "seller_agent_slug": slug,
            })
        });
        let wanted = |entry: IndexEntry| {
            let listing_of = || self.listings.get_index(entry.index());
            entry.listing_type == listing.listing_type
                && listing_of()
                    .is_some_and(|(_, other)| other.seller_agent_id != listing.seller_agent_id)
        };
        let matches =
            self.search_index.newest_tagged(other_side, &listing.tags, MAX_MATCHES, wanted);
        let matches = matches.iter().filter_map(|entry| self.listings.get_index(entry.index()));
        for (_, matched) in matches {
            let common: Vec<_> =
                matched.tags.iter().filter(|tag| listing.tags.contains(tag)).collect();
            cx.emit(EventType::MatchFound, Audience::One(matched.seller_agent_id), || {
                serde_json::json!({
                    "listing_id": matched.id,
                    "listing_title": matched.title,
                    "matched_listing_id": listing.id,
                    "matched_listing_title": listing.title,
                    "matched_agent_id": listing.seller_agent_id,
                    "matched_agent_slug": slug,
                    "listing_type": listing.listing_type,
                    "side": listing.side,
                    "price": listing.price,
                    "tags": common,
                })
            });
        }
    }

    /// Returns all listings of the caller, newest first.
    pub(crate) fn own_listings(&self, caller: Uuid) -> Vec<ListingReply> {
        let ids = self.agents[&caller].record.listings.iter().rev();
        ids.filter_map(|id| self.listings.get(id)).map(ListingReply::from).collect()
    }

    /// Returns the index of a listing, which must be the caller's.
    fn own_index(&self, caller: Uuid, id: &str) -> Result<usize> {
        let index = id.parse().ok().and_then(|id: Uuid| self.listings.get_index_of(&id));
        let index = index.ok_or_else(|| Error::not_found("listing"))?;
        if self.listings[index].seller_agent_id == caller {
            Ok(index)
        } else {
            Err(Error::forbidden("the listing belongs to another agent"))
        }
    }

    pub(crate) fn own_listing(&self, caller: Uuid, id: &str) -> Result<ListingReply> {
        self.own_index(caller, id).map(|index| ListingReply::from(&self.listings[index]))
    }

    pub(crate) fn update_listing(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
        update: ListingUpdate,
    ) -> Result<ListingReply> {
        let index = self.own_index(caller, id)?;
        check_fields(
            update.title.as_deref(),
            update.slug.as_deref(),
            update.description.as_deref(),
            [
                ("input_schema", update.input_schema.as_ref()),
                ("output_schema", update.output_schema.as_ref()),
            ],
            update.delivery_callback_url.as_deref(),
        )?;
        let tags = update.tags.map(|tags| input::labels("tags", tags)).transpose()?;
        let expires_at = expiry(cx.now, update.expires_in_hours)?;
        let listing = &self.listings[index];
        let slug = update.slug.filter(|slug| *slug != listing.slug);
        if slug.as_ref().is_some_and(|slug| self.listing_slugs.contains(slug)) {
            return Err(Error::duplicate("slug", "another listing has this slug"));
        }
        let price = update.price.map(|Amount(price)| price);
        let bounty = price.and_then(|price| Some((listing.bounty_amount?, price)));
        if let Some((before, price)) = bounty.filter(|(before, price)| before != price) {
            let more = price.minus(before);
            let moves =
                [(Account::Available(caller), more.negated()), (Account::Held(caller), more)];
            let less = more.is_negative();
            let category = if less { Category::BountyRelease } else { Category::BountyHold };
            self.ledger.post(cx, listing.cause(category), &moves)?;
        }
        let was_active = listing.is_active();
        if was_active {
            self.search_index.remove(index, &self.listings[index]);
        }
        let listing = &mut self.listings[index];
        if let Some(slug) = slug {
            self.listing_slugs.remove(&listing.slug);
            self.listing_slugs.insert(slug.clone());
            listing.slug = slug;
        }
        if let Some(price) = price {
            listing.price = price;
            listing.bounty_amount = listing.bounty_amount.map(|_| price);
        }
        if let Some(at) = expires_at {
            if let Some(before) = listing.expires_at.replace(at) {
                self.timers.remove(&(before, Timer::Expiry(listing.id)));
            }
            if was_active {
                self.timers.insert((at, Timer::Expiry(listing.id)));
            }
        }
        replace(&mut listing.title, update.title);
        replace(&mut listing.tags, tags);
        replace(&mut listing.auto_accept, update.auto_accept);
        replace_some(&mut listing.description, update.description);
        replace_some(&mut listing.input_schema, update.input_schema);
        replace_some(&mut listing.output_schema, update.output_schema);
        replace_some(&mut listing.delivery_callback_url, update.delivery_callback_url);
        listing.updated_at = cx.now;
        listing.update_search_text();
        if was_active {
            self.search_index.add(index, listing);
        }
        Ok(ListingReply::from(&*listing))
    }

    /// Deactivates a listing of the caller; nothing changes if it is inactive already.
    pub(crate) fn deactivate_listing(
        &mut self,
        cx: &mut Context<'_>,
        caller: Uuid,
        id: &str,
    ) -> Result<ListingReply> {
        let index = self.own_index(caller, id)?;
        self.close_listing(cx, index, ListingStatus::Inactive);
        Ok(ListingReply::from(&self.listings[index]))
    }

    /// Deactivates a listing that has expired.
    pub(crate) fn expire_listing(&mut self, cx: &mut Context<'_>, id: Uuid) {
        if let Some(index) = self.listings.get_index_of(&id) {
            self.close_listing(cx, index, ListingStatus::Expired);
        }
    }

    fn close_listing(&mut self, cx: &mut Context<'_>, index: usize, status: ListingStatus) {
        let listing = &mut self.listings[index];
        if !listing.is_active() {
            return;
        }
        self.search_index.remove(index, listing);
        listing.status = status;
        listing.updated_at = cx.now;
        if let Some(at) = listing.expires_at {
            self.timers.remove(&(at, Timer::Expiry(listing.id)));
        }
        if let Some(bounty) = listing.bounty_amount.take() {
            let agent = listing.seller_agent_id;
            let moves =
                [(Account::Held(agent), bounty.negated()), (Account::Available(agent), bounty)];
            let freed = self.ledger.post(cx, listing.cause(Category::BountyRelease), &moves);
            debug_assert!(freed.is_ok(), "a bounty is held as long as it is due");
        }
    }
}

fn replace<T>(field: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *field = new;
    }
}

fn replace_some<T>(field: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *field = new;
    }
}
