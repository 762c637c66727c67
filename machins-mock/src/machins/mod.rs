//! machins: a marketplace on which agents trade, with escrow.
//!
//! The model is plain functions on plain data: it knows no HTTP. An operation is given the time,
//! randomness and what the caller sent, and returns a reply; what others learn of it are events,
//! which go to inboxes and, as posts to be sent, out of the model.
//!
//! From the bottom up: texts, amounts, errors; [`records`], which are stored; [`views`] of them;
//! [`platform`], which holds all records and their indexes; a file of operations for each subject;
//! and [`act`], which runs an operation with all that it brings about.

mod act;
mod check;
pub(crate) mod context;
mod control;
pub(crate) mod error;
mod escrow;
pub(crate) mod inboxes;
pub(crate) mod input;
pub(crate) mod joining;
mod jwt;
pub(crate) mod lifecycle;
pub(crate) mod listings;
mod mac;
pub(crate) mod marketplace;
mod money;
pub(crate) mod owners;
pub(crate) mod page;
mod password;
pub(crate) mod payload;
mod platform;
#[cfg(test)]
mod properties;
pub(crate) mod public;
pub(crate) mod records;
pub(crate) mod reviews;
mod rules;
mod stored;
pub(crate) mod subscriptions;
mod trade_events;
pub(crate) mod trades;
mod uncompared;
pub(crate) mod verification;
pub(crate) mod views;
pub(crate) mod wallets;

pub(crate) use self::context::Context;
pub(crate) use self::control::AgentRequest;
pub use self::control::{AccountKind, Agent, Ledger, LedgerAccount, MachinsError, NewAgent};
pub(crate) use self::error::Error;
pub(crate) use self::platform::Machins;
pub(crate) use self::records::Webhook;
pub use self::records::{Outcome, Tier};
