//! The console: pages that show a world to a person, and let the person change it.
//!
//! It calls the control API, through its own router, for everything that it shows and does, so that
//! whatever a person can do here a script can do as well. Only the pages that stand in for a vendor's
//! hosted ones ([`people`]) call the vendors' routes, as those pages do.
//!
//! Pages are rendered here. The script in the browser fetches a page again when something has changed,
//! and replaces the parts that differ.

mod action;
mod api;
mod assets;
mod icon;
mod layout;
mod pages;
mod parts;
mod people;
mod query;
mod request;
mod routes;
mod token;
mod words;

pub(crate) use self::routes::{add, is_console};
