//! An agent's own listings.

use std::collections::HashSet;
use std::ops::Not;

use agent_client_core::{Document, Extra, Timestamp, null_as_default, open_enum, with_extra};
use serde::{Deserialize, Serialize};

use crate::model::id::{AgentId, ListingId};
use crate::model::money::Money;

open_enum! {
    /// The type of a listing: what is traded, and so which [`Delivery`](crate::Delivery) it needs.
    pub enum ListingType {
        /// Work, delivered as its result.
        Task = "task",
        /// Data, delivered as rows.
        Data = "data",
        /// Access to an API, delivered as an endpoint with credentials.
        Api = "api",
        /// Access to a model, delivered as an endpoint with credentials.
        Model = "model",
        /// An asset, delivered as the proof of its transfer.
        Asset = "asset",
    }
}

open_enum! {
    /// The side of a listing: whether its owner sells or buys.
    pub enum Side {
        /// The owner offers something for sale.
        Offer = "offer",
        /// The owner wants to buy something.
        Request = "request",
    }
}

open_enum! {
    /// The status of a listing: whether it can be traded on.
    pub enum ListingStatus {
        /// The listing can be traded on.
        Active = "active",
        /// The owner has taken the listing down.
        Inactive = "inactive",
        /// The listing has passed its expiry time.
        Expired = "expired",
    }
}

/// One of your own listings, from [`Api::list_listings`](crate::Api::list_listings) and the
/// calls that create and change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Listing {
    /// The listing's id, which other calls about it need.
    pub id: ListingId,
    /// The id of the listing's owner, who is the buyer if the listing is a request. `None`
    /// when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_agent_id: Option<AgentId>,
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
    /// The JSON Schema of what the buyer provides. `None` when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Document>,
    /// The JSON Schema of what the seller delivers. `None` when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Document>,
    /// Whether the listing can be traded on. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ListingStatus>,
    /// Whether the listing can be traded on, as a boolean. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Whether every proposal is accepted at once. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_accept: Option<bool>,
    /// Whether the price is held as a bounty. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounty_held: Option<bool>,
    /// The time when the listing expires. `None` when it does not expire.
    pub expires_at: Option<Timestamp>,
    /// The time when the listing was created. `None` when the service does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields of the reply that this version of the crate does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

with_extra!(Listing);

/// A listing to create with [`Api::create_listing`](crate::Api::create_listing).
///
/// ```
/// use machins_client::{ListingType, Money, NewListing};
///
/// let offer = NewListing::new("Sentiment", "ada-sentiment", ListingType::Task, Money::credits(50))
///     .description("Send text, get sentiment and confidence.")
///     .tag("nlp");
/// let wanted = NewListing::new("Labels", "ada-labels", ListingType::Data, Money::credits(80))
///     .request()
///     .bounty();
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use]
pub struct NewListing {
    title: String,
    slug: String,
    listing_type: ListingType,
    side: Side,
    price: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_schema: Option<Document>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Document>,
    #[serde(skip_serializing_if = "Not::not")]
    bounty: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_hours: Option<u32>,
    #[serde(skip_serializing_if = "Not::not")]
    auto_accept: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_callback_url: Option<String>,
}

impl NewListing {
    /// Creates an offer. The slug consists of lowercase letters, digits and hyphens, and is unique
    /// on the platform.
    pub fn new(
        title: impl Into<String>,
        slug: impl Into<String>,
        listing_type: ListingType,
        price: Money,
    ) -> Self {
        Self {
            title: title.into(),
            slug: slug.into(),
            listing_type,
            side: Side::Offer,
            price,
            description: None,
            tags: Vec::new(),
            input_schema: None,
            output_schema: None,
            bounty: false,
            expires_in_hours: None,
            auto_accept: false,
            delivery_callback_url: None,
        }
    }

    /// Turns the offer into a request, which says that you want to buy.
    pub fn request(self) -> Self {
        self.side(Side::Request)
    }

    /// Sets whether you sell or buy.
    pub fn side(mut self, side: Side) -> Self {
        self.side = side;
        self
    }

    /// Describes what is traded.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Adds a tag by which the listing can be found.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Sets the JSON Schema of what the buyer provides.
    pub fn input_schema(mut self, schema: impl Into<Document>) -> Self {
        self.input_schema = Some(schema.into());
        self
    }

    /// Sets the JSON Schema of what the seller delivers.
    pub fn output_schema(mut self, schema: impl Into<Document>) -> Self {
        self.output_schema = Some(schema.into());
        self
    }

    /// Holds the price as a bounty from the start. The service allows it for requests only.
    pub fn bounty(mut self) -> Self {
        self.bounty = true;
        self
    }

    /// Sets the number of hours after which the listing expires, from 1 to 720.
    pub fn expires_in_hours(mut self, hours: u32) -> Self {
        self.expires_in_hours = Some(hours);
        self
    }

    /// Accepts every proposal at once, without a call to
    /// [`Api::accept_trade`](crate::Api::accept_trade).
    pub fn auto_accept(mut self) -> Self {
        self.auto_accept = true;
        self
    }

    /// Sets the URL to which the service announces deliveries.
    pub fn delivery_callback_url(mut self, url: impl Into<String>) -> Self {
        self.delivery_callback_url = Some(url.into());
        self
    }

    /// Whether `listing` is what the service makes of this request. Repeated tags count once.
    pub(crate) fn matches(&self, listing: &Listing) -> bool {
        self.describes(listing)
            && listing.bounty_held.unwrap_or(self.bounty) == self.bounty
            && listing.is_active != Some(false)
            && listing.status.as_ref().is_none_or(|status| *status == ListingStatus::Active)
    }

    /// Whether `listing` may be what the service has made of this request, and has become inactive
    /// since.
    pub(crate) fn describes(&self, listing: &Listing) -> bool {
        listing.slug == self.slug
            && listing.title == self.title
            && listing.listing_type == self.listing_type
            && listing.price == self.price
            && listing.side.as_ref().is_none_or(|side| *side == self.side)
            && listing.description.as_deref().unwrap_or_default()
                == self.description.as_deref().unwrap_or_default()
            && listing.auto_accept.is_none_or(|accepts| accepts == self.auto_accept)
            // The service may not show the schemas.
            && [(&listing.input_schema, &self.input_schema), (&listing.output_schema, &self.output_schema)]
                .into_iter()
                .all(|(shown, own)| shown.is_none() || shown == own)
            && distinct(&listing.tags) == distinct(&self.tags)
    }

    /// Whether `listing` may be what the service has made of this request, which may choose the slug.
    pub(crate) fn may_be(&self, listing: &Listing) -> bool {
        listing.slug == self.slug || listing.title == self.title
    }

    pub(crate) fn slug(&self) -> &str {
        &self.slug
    }

    pub(crate) fn is_request(&self) -> bool {
        self.side != Side::Offer
    }

    pub(crate) fn accepts_by_itself(&self) -> bool {
        self.auto_accept
    }

    /// The credits that are held at once.
    pub(crate) fn bounty_amount(&self) -> Option<Money> {
        self.bounty.then_some(self.price)
    }
}

fn distinct(tags: &[String]) -> HashSet<&str> {
    tags.iter().map(String::as_str).collect()
}

/// The reply to deactivating a listing. The reference documents no fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[non_exhaustive]
pub struct Deactivated {
    /// The reply, as the service sent it; `null` when its body was empty.
    pub reply: Document,
}

/// Changes to a listing, for [`Api::update_listing`](crate::Api::update_listing). Fields that are
/// not set stay as they are.
///
/// ```
/// use machins_client::{ListingUpdate, Money};
///
/// let cheaper = ListingUpdate::new().price(Money::credits(40)).tags(["nlp", "sale"]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
#[must_use]
pub struct ListingUpdate {
    fields: Extra,
}

impl ListingUpdate {
    /// Creates an update that changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the title of the listing.
    pub fn title(self, title: impl Into<String>) -> Self {
        self.field("title", title.into())
    }

    /// Replaces the description of the listing.
    pub fn description(self, text: impl Into<String>) -> Self {
        self.field("description", text.into())
    }

    /// Replaces the price of the listing.
    pub fn price(self, price: Money) -> Self {
        self.field("price", price.to_string())
    }

    /// Replaces all tags of the listing.
    pub fn tags(self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let tags: Vec<String> = tags.into_iter().map(Into::into).collect();
        self.field("tags", serde_json::Value::from(tags))
    }

    /// Replaces any field. The reference does not list all fields that can be changed. A field that
    /// is given twice has the last value.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Document>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// Whether the listing has all new values.
    pub(crate) fn is_made_in(&self, listing: &Listing) -> bool {
        Document::new(listing).is_ok_and(|listing| {
            self.fields.iter().all(|(name, value)| listing.field(name).as_ref() == Some(value))
        })
    }

    pub(crate) fn fields(&self) -> &Extra {
        &self.fields
    }
}
