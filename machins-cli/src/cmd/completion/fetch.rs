//! The lists whose ids are completed, as the services have them.

use machins_client::{Call, Document, InboxFilter, InboxQuery, MarketplaceQuery, TradeQuery};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::Failure;
use crate::format::{credits, price};
use crate::pages::FULL;

/// A list of one of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Devices,
    Marketplace,
    Listings,
    Trades,
    Inbox,
    Subscriptions,
    Agents,
}

impl List {
    /// All of them.
    pub(super) const ALL: [Self; 7] = [
        Self::Devices,
        Self::Marketplace,
        Self::Listings,
        Self::Trades,
        Self::Inbox,
        Self::Subscriptions,
        Self::Agents,
    ];

    /// The name, in file names and for the process in the background.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Marketplace => "marketplace",
            Self::Listings => "listings",
            Self::Trades => "trades",
            Self::Inbox => "inbox",
            Self::Subscriptions => "subscriptions",
            Self::Agents => "agents",
        }
    }

    /// Fetches the items.
    pub(super) fn fetch(self, context: &Context) -> Result<Vec<Item>, Failure> {
        Ok(match self {
            Self::Devices => {
                let list = context.machineid()?.list_devices()?;
                let item = |device: machineid_client::Device| {
                    let status = device.status.map(|status| status.to_string()).unwrap_or_default();
                    Item::new(&device.device_id, status.clone(), status)
                };
                list.devices.into_iter().map(item).collect()
            }
            Self::Marketplace => {
                let page =
                    context.machins_public()?.browse(&MarketplaceQuery::new().limit(FULL))?;
                let item = |listing: machins_client::MarketplaceListing| {
                    let about = format!("{} {}", credits(listing.price), listing.title);
                    Item::new(&listing.id, about, "active".to_owned())
                };
                page.items.into_iter().map(item).collect()
            }
            Self::Listings => {
                let item = |listing: machins_client::Listing| {
                    let about = format!("{} {}", credits(listing.price), listing.title);
                    let status = listing.status.map(|status| status.to_string());
                    Item::new(&listing.id, about, status.unwrap_or_default())
                };
                context.machins()?.list_listings()?.into_iter().map(item).collect()
            }
            Self::Trades => {
                let page = context.machins()?.list_trades(&TradeQuery::new().limit(FULL))?;
                let item = |trade: machins_client::Trade| {
                    let about = format!("{} {}", trade.status, price(trade.price));
                    Item::new(&trade.id, about, trade.status.to_string())
                };
                page.items.into_iter().map(item).collect()
            }
            Self::Inbox => {
                let unread = InboxFilter { unread: true, event_type: None };
                let page = context.machins()?.list_inbox(&InboxQuery::from(unread).limit(FULL))?;
                let item = |notification: machins_client::Notification| {
                    let event = notification.event_type.to_string();
                    Item::new(&notification.id, event, String::new())
                };
                page.items.into_iter().map(item).collect()
            }
            Self::Subscriptions => {
                let item = |subscription: machins_client::Subscription| {
                    let event =
                        subscription.event_type.map_or_else(String::new, |event| event.to_string());
                    let url = subscription.webhook_url.unwrap_or_default();
                    let about = format!("{event} {url}");
                    Item::new(&subscription.id, about, String::new())
                };
                context.machins()?.list_subscriptions()?.into_iter().map(item).collect()
            }
            Self::Agents => {
                let call = Call::get("/public/leaderboard").json::<Document>();
                let list = context.machins_public()?.send(call)?;
                let agents = list.get("items").and_then(|items| items.as_array());
                let item = |agent: &serde_json::Value| {
                    let text = |name: &str| agent.get(name).and_then(|text| text.as_str());
                    let name = text("name").unwrap_or_default().to_owned();
                    Some(Item::new(&text("slug")?, name, String::new()))
                };
                agents.into_iter().flatten().filter_map(item).collect()
            }
        })
    }
}

/// An item of a list: its id, and what it is, for people.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) about: String,
    pub(super) status: String,
}

impl Item {
    fn new(id: &impl ToString, about: String, status: String) -> Self {
        Self { id: id.to_string(), about, status }
    }
}
