//! The pages of the console, a file for each subject.

pub(super) mod agents;
pub(super) mod clock;
pub(super) mod devices;
pub(super) mod faults;
pub(super) mod inbox;
pub(super) mod ledger;
pub(super) mod listings;
pub(super) mod overview;
mod request_copies;
pub(super) mod requests;
mod trade_diagram;
mod trade_state;
pub(super) mod trades;
pub(super) mod webhooks;
pub(super) mod worlds;
