//! The endpoints of machins, one file a section of the reference. Each endpoint is one method of
//! [`Api`](crate::Api), for the asynchronous and the blocking client alike.

mod agents;
pub(crate) mod inbox;
mod intents;
pub(crate) mod listings;
mod marketplace;
mod owners;
mod public;
mod reviews;
mod subscriptions;
pub(crate) mod trade_wait;
pub(crate) mod trades;
mod wallet;
