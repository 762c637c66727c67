//! The records that the platform stores, with the functions that need one record alone.

mod agent;
mod agent_trades;
mod inbox;
mod kinds;
mod ledger;
mod listing;
mod owner;
mod review;
mod search_index;
mod subscription;
mod trade;

pub(crate) use self::agent::{Agent, ApiKey, Record};
pub(crate) use self::inbox::{Inbox, KEPT, Notification};
pub(crate) use self::kinds::{
    AgentType, Currency, ListingStatus, ListingType, Role, Side, TradeStatus,
};
pub use self::kinds::{Outcome, Tier};
pub(crate) use self::ledger::{
    Account, Category, Cause, Ledger, LedgerEntry, ReferenceType, Transaction,
};
pub(crate) use self::listing::Listing;
pub(crate) use self::owner::{Claim, Owner};
pub(crate) use self::review::{Review, rating};
pub(crate) use self::search_index::{IndexEntry, SearchIndex};
pub(crate) use self::subscription::{Secret, Subscription, Webhook};
pub(crate) use self::trade::{Progress, Trade};
