//! Resources: listings, trades and the inbox, by address.

use rmcp::model::{Resource, ResourceTemplate};
use serde_json::{Map, Value, json};

/// Returns the resources that are always there, each with the tool that reads it.
pub(super) fn list() -> Vec<Resource> {
    [
        ("machins://inbox", "inbox", "Your unread notifications"),
        ("machins://trades", "trades", "Your trades, newest first"),
        ("machins://listings", "listings", "The marketplace, newest first"),
    ]
    .map(|(uri, name, about)| {
        Resource::new(uri, name).with_description(about).with_mime_type("application/json")
    })
    .into()
}

/// Returns the templates of addresses.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    [
        ("machins://listings/{listing_id}", "listing", "A listing of the marketplace"),
        ("machins://trades/{trade_id}", "trade", "One of your trades"),
    ]
    .map(|(uri, name, about)| {
        ResourceTemplate::new(uri, name).with_description(about).with_mime_type("application/json")
    })
    .into()
}

/// Returns the tool that reads what an address names, and its arguments. `None` if there is no such
/// resource.
pub(super) fn tool(uri: &str) -> Option<(&'static str, Map<String, Value>)> {
    let path = uri.strip_prefix("machins://")?;
    let (name, arguments) = match path.split_once('/') {
        None => match path {
            "inbox" => ("list_inbox", json!({})),
            "trades" => ("list_trades", json!({})),
            "listings" => ("browse_marketplace", json!({})),
            _ => return None,
        },
        Some(("listings", id)) => ("get_listing", json!({"listing_id": id})),
        Some(("trades", id)) => ("get_trade", json!({"trade_id": id})),
        Some(_) => return None,
    };
    arguments.as_object().cloned().map(|arguments| (name, arguments))
}
