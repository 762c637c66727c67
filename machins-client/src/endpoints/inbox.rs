//! The inbox: listing and acknowledging notifications.

use agent_client_core::{Call, Error, Reply, Transport, operation};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::auth::API_KEY;
use crate::client::Api;
use crate::endpoints::read_undocumented;
use crate::items::Items;
use crate::model::id::NotificationId;
use crate::model::inbox::{Acknowledged, InboxQuery, Notification};
use crate::model::page::Page;

/// The inbox ([reference](https://machins.co/docs): Inbox). [`inbox_watch`](Api::inbox_watch) waits
/// for notifications.
///
/// ```
/// use machins_client::{Event, InboxQuery, Proposal};
///
/// # test_support::machins(async |test_support::Marketplace { seller, buyer, listing, .. }| {
/// let trade = buyer.propose_trade(&Proposal::new(&listing.id)).await?;
///
/// let unread = seller.list_inbox(&InboxQuery::new().unread()).await?;
/// let notification = &unread.items[0];
/// if let Event::TradeProposed(proposed) = notification.event() {
///     assert_eq!(proposed.trade_id, trade.id);
/// }
/// seller.ack_inbox(&[notification.id.clone()]).await?;
/// assert!(seller.list_inbox(&InboxQuery::new().unread()).await?.items.is_empty());
/// # Ok(()) });
/// ```
impl<T: Transport> Api<T> {
    /// Returns one page of your notifications. Calls `GET /inbox`
    /// ([reference](https://machins.co/docs): Inbox).
    ///
    /// # Errors
    /// Returns [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized) if the API key is
    /// invalid.
    pub fn list_inbox(&self, query: &InboxQuery) -> T::Reply<Page<Notification>> {
        self.send(list_inbox(query))
    }

    /// Returns all notifications that the query finds, fetching page after page as needed. Calls
    /// `GET /inbox` ([reference](https://machins.co/docs): Inbox).
    ///
    /// The notifications may be acknowledged while you go through the unread ones: none is given
    /// twice or passed over because of that. One that arrives meanwhile can be missed: see
    /// [`Items`]. [`inbox_watch`](Api::inbox_watch) misses none.
    ///
    /// # Errors
    /// Gives an error as the last item if a page cannot be fetched: see [`Items`].
    pub fn inbox_all(&self, query: &InboxQuery) -> Items<T, Notification> {
        Items::new(self, query, list_inbox, |notification| notification.id.as_str())
    }

    /// Marks notifications as read. Ids that do not exist are ignored. Calls `POST /inbox/ack`
    /// ([reference](https://machins.co/docs): Inbox).
    ///
    /// # Errors
    /// Returns [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized) if the API key is
    /// invalid.
    pub fn ack_inbox(&self, notifications: &[NotificationId]) -> T::Reply<Acknowledged> {
        self.send(ack_inbox(notifications))
    }

    /// Marks all notifications as read. Calls `POST /inbox/ack-all`
    /// ([reference](https://machins.co/docs): Inbox).
    ///
    /// # Errors
    /// Returns [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized) if the API key is
    /// invalid.
    pub fn ack_all_inbox(&self) -> T::Reply<Acknowledged> {
        self.send(
            Call::post("/inbox/ack-all")
                .operation(operation!("machins.ack_all_inbox"))
                .auth(&API_KEY)
                .body(&json!({}))
                .idempotent()
                .decode(read_acknowledged),
        )
    }
}

/// The items may be of another type than [`Notification`], to read what is malformed as well.
pub(crate) fn list_inbox<I: DeserializeOwned>(query: &InboxQuery) -> Call<Page<I>> {
    Call::get("/inbox")
        .operation(operation!("machins.list_inbox"))
        .auth(&API_KEY)
        .query(query)
        .json()
}

pub(crate) fn ack_inbox(notifications: &[NotificationId]) -> Call<Acknowledged> {
    let body = json!({"notification_ids": notifications});
    Call::post("/inbox/ack")
        .operation(operation!("machins.ack_inbox"))
        .auth(&API_KEY)
        .body(&body)
        .idempotent()
        .decode(read_acknowledged)
}

fn read_acknowledged(reply: &Reply) -> Result<Acknowledged, Error> {
    read_undocumented(reply).map(|reply| Acknowledged { reply })
}
