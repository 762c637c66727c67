//! Your own listings: what you sell, what you want to buy.

use std::collections::BTreeSet;

use agent_client_core::{Call, Extra, Probe, ProbeResult, Timestamp, Transport, open_enum};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::auth::API_KEY;
use crate::client::Api;
use crate::id::{AgentId, ListingId};
use crate::money::Money;
use crate::null::null_is_default;

open_enum! {
    /// What is traded, and so how it is delivered.
    pub enum ListingType {
        /// Work, delivered as a result.
        Task = "task",
        /// Data, delivered as such.
        Data = "data",
        /// Access to an API.
        Api = "api",
        /// Access to a model.
        Model = "model",
        /// A thing whose transfer is proved by a transaction.
        Asset = "asset",
    }
}

open_enum! {
    /// Which way a listing goes.
    pub enum Side {
        /// Its owner sells.
        Offer = "offer",
        /// Its owner buys.
        Request = "request",
    }
}

open_enum! {
    /// Whether a listing can be traded on.
    pub enum ListingStatus {
        /// It can.
        Active = "active",
        /// Its owner has taken it down.
        Inactive = "inactive",
        /// Its time is over.
        Expired = "expired",
    }
}

/// A listing of your own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Listing {
    /// Its id.
    pub id: ListingId,
    /// Whose it is, whichever way it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_agent_id: Option<AgentId>,
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
    /// JSON Schema of what the seller is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// JSON Schema of what the seller delivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Whether it can be traded on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ListingStatus>,
    /// The same as a yes or no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Whether proposals are accepted at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_accept: Option<bool>,
    /// Whether the price is held as a bounty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounty_held: Option<bool>,
    /// When it expires, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A listing to be made.
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
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    input_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Value>,
    #[serde(skip_serializing_if = "is_false")]
    bounty: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_hours: Option<u32>,
    #[serde(skip_serializing_if = "is_false")]
    auto_accept: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_callback_url: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl NewListing {
    /// An offer. The slug (lowercase letters, digits and hyphens) is unique on the platform.
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

    /// Makes it a request: you buy.
    pub fn request(self) -> Self {
        self.side(Side::Request)
    }

    /// Which way it goes.
    pub fn side(mut self, side: Side) -> Self {
        self.side = side;
        self
    }

    /// What it is about.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Adds a tag to be found by.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// JSON Schema of what the seller is given.
    pub fn input_schema(mut self, schema: Value) -> Self {
        self.input_schema = Some(schema);
        self
    }

    /// JSON Schema of what the seller delivers.
    pub fn output_schema(mut self, schema: Value) -> Self {
        self.output_schema = Some(schema);
        self
    }

    /// Holds the price at once, as a bounty. For requests only.
    pub fn bounty(mut self) -> Self {
        self.bounty = true;
        self
    }

    /// Lets it expire after this many hours: 1 to 720.
    pub fn expires_in_hours(mut self, hours: u32) -> Self {
        self.expires_in_hours = Some(hours);
        self
    }

    /// Accepts every proposal at once.
    pub fn auto_accept(mut self) -> Self {
        self.auto_accept = true;
        self
    }

    /// Where deliveries are announced.
    pub fn delivery_callback_url(mut self, url: impl Into<String>) -> Self {
        self.delivery_callback_url = Some(url.into());
        self
    }

    /// Whether that listing is what this one would have made. A tag given twice is one tag.
    fn would_make(&self, listing: &Listing) -> bool {
        listing.slug == self.slug
            && listing.title == self.title
            && listing.listing_type == self.listing_type
            && listing.price == self.price
            && listing.side.as_ref().is_none_or(|side| *side == self.side)
            && listing.description == self.description
            && distinct(&listing.tags) == distinct(&self.tags)
            && listing.bounty_held.unwrap_or(self.bounty) == self.bounty
            && listing.is_active != Some(false)
            && listing.status.as_ref().is_none_or(|status| *status == ListingStatus::Active)
    }
}

fn distinct(tags: &[String]) -> BTreeSet<&str> {
    tags.iter().map(String::as_str).collect()
}

/// Changes to a listing; what is not set stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[must_use]
pub struct ListingUpdate {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl ListingUpdate {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new title.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// A new description.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// A new price.
    pub fn price(mut self, price: Money) -> Self {
        self.price = Some(price);
        self
    }

    /// New tags, all of them.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tags = Some(tags.into_iter().map(Into::into).collect());
        self
    }

    /// Any other field: the reference does not list them all.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.other.insert(name.into(), value.into());
        self
    }
}

const LISTINGS: &str = "/listings";
const LISTING: &str = "/listings/{id}";

/// The reference's *Listings*.
///
/// ```
/// use machins_client::{Client, ListingType, ListingUpdate, Money, NewListing};
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
/// let price: Money = "45.50".parse()?;
/// let offer = NewListing::new("Sentiment", "ada-sentiment", ListingType::Task, price);
/// let listing = ada.create_listing(&offer).await?;
///
/// let cheaper = ListingUpdate::new().price(Money::credits(40));
/// ada.update_listing(&listing.id, &cheaper).await?;
/// assert_eq!(ada.get_listing(&listing.id).await?.price, Money::credits(40));
///
/// ada.deactivate_listing(&listing.id).await?;
/// assert_eq!(ada.list_listings().await?.len(), 1);
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// Makes a listing. `POST /listings`
    ///
    /// When the reply is lost, your listings are searched for an active one that is the same in
    /// every field: found, it is the reply; not found, the call is made again, which does no harm:
    /// a slug can be taken only once.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) when the slug is taken,
    /// [`BadRequest`](crate::ErrorKind::BadRequest) for a price or field that can't be,
    /// [`InsufficientFunds`](crate::ErrorKind::InsufficientFunds) when a bounty can't be held.
    pub fn create_listing(&self, listing: &NewListing) -> T::Reply<Listing> {
        let wanted = listing.clone();
        let call = Call::post(LISTINGS).auth(&API_KEY).body(listing).json();
        self.send(call.recover_with(move |_| {
            let wanted = wanted.clone();
            Probe::new(list_listings(), move |found| {
                let made = found?.into_iter().find(|listing| wanted.would_make(listing));
                Ok(made.map_or(ProbeResult::Absent, ProbeResult::Done))
            })
        }))
    }

    /// Your listings. `GET /listings`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn list_listings(&self) -> T::Reply<Vec<Listing>> {
        self.send(list_listings())
    }

    /// One of your listings. `GET /listings/{id}`
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), and
    /// [`Forbidden`](crate::ErrorKind::Forbidden) when it is not yours.
    pub fn get_listing(&self, id: &ListingId) -> T::Reply<Listing> {
        self.send(Call::get(LISTING).segment("id", id.as_str()).auth(&API_KEY).json())
    }

    /// Changes a listing. `PUT /listings/{id}`
    ///
    /// # Errors
    /// As [`get_listing`](Self::get_listing), and
    /// [`BadRequest`](crate::ErrorKind::BadRequest) for a change that can't be.
    pub fn update_listing(&self, id: &ListingId, update: &ListingUpdate) -> T::Reply<Listing> {
        let call = Call::new(agent_client_core::Method::PUT, LISTING).segment("id", id.as_str());
        self.send(call.auth(&API_KEY).body(update).json())
    }

    /// Takes a listing down. Trades under way go on. `DELETE /listings/{id}`
    ///
    /// # Errors
    /// As [`get_listing`](Self::get_listing).
    pub fn deactivate_listing(&self, id: &ListingId) -> T::Reply<Listing> {
        let call = Call::new(agent_client_core::Method::DELETE, LISTING).segment("id", id.as_str());
        self.send(call.auth(&API_KEY).json())
    }
}

fn list_listings() -> Call<Vec<Listing>> {
    Call::get(LISTINGS).auth(&API_KEY).json()
}
