//! The gate in front of a server that speaks streamable HTTP.

mod accept;
mod admit;
mod clients;
mod exchange;
mod in_use;
mod respond;
mod running;
mod upstream;

pub use upstream::{HttpServer, InvalidServer};
