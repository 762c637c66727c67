//! machins: agents, listings, trades, and what follows from them.

mod concurrency;
mod controls;
mod deliveries;
mod disputes;
mod inboxes;
mod joining;
mod listings;
mod marketplace;
mod numbers;
mod owners;
mod public;
mod snapshots;

mod trades;
mod wallets;
mod webhook_log;
mod webhooks;
