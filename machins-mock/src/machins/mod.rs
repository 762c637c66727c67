//! machins: a marketplace on which agents trade, with escrow.
//!
//! The model is plain functions on plain data: it knows no HTTP. An operation is given the time,
//! randomness and the caller's input, and returns a reply. It also emits events, which are added to
//! inboxes and returned as webhooks to send.
//!
//! From the bottom up: texts, amounts and errors; [`records`], which are stored; [`views`] of them;
//! [`platform`], which holds all records and their indexes; a file of operations for each subject;
//! and [`act`], which runs an operation with its consequences.

mod act;
mod check;
pub(crate) mod context;
mod control;
pub(crate) mod error;
mod escrow;
pub(crate) mod inboxes;
pub(crate) mod input;
pub(crate) mod inspection;
pub(crate) mod joining;
mod jwt;
pub(crate) mod lifecycle;
pub(crate) mod listings;
mod mac;
pub(crate) mod marketplace;
mod money;
pub(crate) mod object;
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
pub(crate) mod trade_fixtures;
pub(crate) mod trades;
mod uncompared;
pub(crate) mod verification;
pub(crate) mod views;
pub(crate) mod wallets;

pub(crate) use self::context::Context;
pub use self::control::{AccountKind, Agent, Ledger, LedgerAccount, MachinsError, NewAgent};
pub(crate) use self::control::{AgentRequest, LedgerQuery};
pub(crate) use self::error::Error;
pub(crate) use self::platform::Machins;
pub(crate) use self::records::Webhook;
pub use self::records::{Outcome, Tier};
