//! The API's types: replies, requests and queries. They know no client.

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
