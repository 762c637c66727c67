//! Reading everything on the platform, whoever it belongs to, for the control API.

pub(crate) mod agents;
pub(crate) mod figures;
pub(crate) mod inboxes;
pub(crate) mod ledger;
pub(crate) mod listings;
mod part;
pub(crate) mod subscriptions;
pub(crate) mod timers;
pub(crate) mod trades;
