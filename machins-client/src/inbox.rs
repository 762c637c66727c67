//! The inbox: notifications to be polled.

use agent_client_core::{Call, Document, Extra, Timestamp, Transport};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::auth::API_KEY;
use crate::client::Api;
use crate::event::{Event, EventType};
use crate::id::NotificationId;
use crate::page::{Identified, Items, Page, PageQuery};

/// A notification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// What kind of event it tells of.
    pub event_type: EventType,
    /// The event's data, as it came.
    #[serde(default)]
    pub payload: Document,
    /// Whether it was acknowledged.
    #[serde(default)]
    pub is_read: bool,
    /// When it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Notification {
    /// The event that it tells of.
    #[must_use]
    pub fn event(&self) -> Event {
        Event::new(self.event_type.clone(), self.payload.clone())
    }
}

impl Identified for Notification {
    fn identity(&self) -> &str {
        self.id.as_str()
    }
}

/// What an acknowledgement did. The reference documents no reply; what came is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Acknowledged {
    /// The reply.
    pub reply: Document,
}

/// Which notifications to list. All, unless it is narrowed.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct InboxQuery {
    unread: bool,
    event_type: Option<EventType>,
    page: PageQuery,
}

impl InboxQuery {
    /// All of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those not acknowledged yet.
    pub fn unread(mut self) -> Self {
        self.unread = true;
        self
    }

    /// Only those of this event.
    pub fn event_type(mut self, event_type: EventType) -> Self {
        self.event_type = Some(event_type);
        self
    }

    /// How many notifications to pass over.
    pub fn offset(mut self, offset: u64) -> Self {
        self.page = self.page.offset(offset);
        self
    }

    /// How many notifications a page has at most; the service takes 1 to 200.
    pub fn limit(mut self, limit: u32) -> Self {
        self.page = self.page.limit(limit);
        self
    }

    fn call(&self, page: PageQuery) -> Call<Page<Notification>> {
        let mut call = Call::get("/inbox").auth(&API_KEY);
        if self.unread {
            call = call.query("unread", true);
        }
        if let Some(event_type) = &self.event_type {
            call = call.query("event_type", event_type);
        }
        page.apply(call).json()
    }
}

/// The reference's *Inbox*.
///
/// ```
/// use machins_client::{Client, Event, InboxQuery};
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
/// # let bob = join("bob")?;
/// # let offer = machins_client::NewListing::new(
/// #     "Sentiment", "ada-sentiment", machins_client::ListingType::Task,
/// #     machins_client::Money::credits(50),
/// # );
/// # let listing = ada.create_listing(&offer).await?;
/// # let trade = bob.propose_trade(&machins_client::Proposal::new(&listing.id)).await?;
/// let unread = ada.list_inbox(&InboxQuery::new().unread()).await?;
/// let Event::TradeProposed(proposed) = unread.items[0].event() else {
///     panic!("bob has proposed a trade");
/// };
/// assert_eq!(proposed.trade_id, trade.id);
///
/// ada.ack_inbox(&[unread.items[0].id.clone()]).await?;
/// ada.ack_all_inbox().await?;
/// assert!(ada.list_inbox(&InboxQuery::new().unread()).await?.items.is_empty());
/// # Ok(()) }
/// ```
impl<T: Transport> Api<T> {
    /// A page of your notifications. `GET /inbox`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn list_inbox(&self, query: &InboxQuery) -> T::Reply<Page<Notification>> {
        self.send(query.call(query.page))
    }

    /// Every notification that the query finds, page after page. `GET /inbox`
    ///
    /// Acknowledge after the walk, not during one over unread notifications: those behind would
    /// move up onto pages that were fetched already. [`inbox_watch`](Api::inbox_watch) takes
    /// care of that.
    ///
    /// # Errors
    /// A page that can't be had is an item that is an error: see [`Items`].
    pub fn inbox_all(&self, query: &InboxQuery) -> Items<T, Notification> {
        let filters = query.clone();
        Items::new(self, query.page, move |page| filters.call(page))
    }

    /// Marks notifications as read. Unknown ids change nothing. `POST /inbox/ack`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn ack_inbox(&self, notifications: &[NotificationId]) -> T::Reply<Acknowledged> {
        let body = json!({"notification_ids": notifications});
        self.send(Call::post("/inbox/ack").auth(&API_KEY).body(&body).idempotent().json())
    }

    /// Marks all notifications as read. `POST /inbox/ack-all`
    ///
    /// # Errors
    /// As every call: see [`ErrorKind`](crate::ErrorKind).
    pub fn ack_all_inbox(&self) -> T::Reply<Acknowledged> {
        self.send(Call::post("/inbox/ack-all").auth(&API_KEY).body(&json!({})).idempotent().json())
    }
}
