//! The endpoints of machins, one file a section of the reference. Each endpoint is one method of
//! [`Api`](crate::Api), for the asynchronous and the blocking client alike.

use agent_client_core::{Document, Error, Reply};

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

/// Reads a success whose body the reference does not document. It may be empty, and is `null` then.
fn read_undocumented(reply: &Reply) -> Result<Document, Error> {
    if !reply.is_success() {
        return Err(reply.error());
    }
    if reply.body().trim_ascii().is_empty() { Ok(Document::default()) } else { reply.json() }
}
