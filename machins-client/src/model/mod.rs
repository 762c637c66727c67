//! The API's types: replies, requests and queries. They know no client.

use agent_client_core::Extra;
use serde::de::DeserializeOwned;

pub(crate) mod agent;
pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod id;
pub(crate) mod inbox;
pub(crate) mod listing;
pub(crate) mod marketplace;
pub(crate) mod money;
pub(crate) mod owner;
pub(crate) mod page;
pub(crate) mod platform;
pub(crate) mod query;
pub(crate) mod review;
pub(crate) mod subscription;
pub(crate) mod trade;
pub(crate) mod trade_status;
pub(crate) mod wallet;

/// Removes a field and reads it. A field that cannot be read stays where it is: it must not cost the rest
/// of the reply.
pub(crate) fn take_readable<T: DeserializeOwned>(fields: &mut Extra, name: &str) -> Option<T> {
    fields.take(name).ok().flatten()
}
