//! MachineID in front of the tools that agents call over the [Model Context Protocol](https://modelcontextprotocol.io).
//!
//! Before each `tools/call` it asks whether the device may run, with a question that begins after the
//! call has arrived. Without a clear *allow* the server never sees the call.
//!
//! | for | use |
//! |---|---|
//! | a server that the gate starts and ends | `McpGate::run_server` (feature `stdio`) |
//! | a server at a URL | `McpGate::serve_http` (feature `http`) |
//! | two streams of lines | [`McpGate::pass`] |
//! | a server written with rmcp | `GatedHandler` (feature `rmcp`) |
//! | any function that is a tool | [`ToolGate`] |
//!
//! `MarketplaceServer` (feature `tools`) is a server of its own: the marketplace, the wallet and devices
//! as tools, within a spending policy.
//!
//! # What passes
//!
//! Messages pass in both directions byte for byte and in order. The gate reads the id, the method, the
//! name of the tool, and that of the client. It refuses what two readers could understand differently, and never passes it on:
//!
//! - batches, and anything that is not one JSON object of JSON-RPC 2.0;
//! - a key that occurs twice in an object, at any depth, also if it is written with escapes;
//! - a key that a reader which ignores case takes for a member of the message;
//! - invalid UTF-8, a byte order mark, a lone surrogate, NUL in a key or name;
//! - in the stdio transport, a carriage return within a line;
//! - ids other than strings and integers up to 2⁵³, strings such as `"01"`, which some readers take for
//!   a number, and an id that is already in use;
//! - more than [`max_message_bytes`](McpGate::max_message_bytes).
//!
//! The revisions of the protocol with `initialize` and sessions and the stateless one of 2026 differ in
//! messages that the gate does not read.
//!
//! # Features
//!
//! - `stdio` (default): a server that the gate starts.
//! - `http` (default): a server at a URL.
//! - `rustls`: `https` for both the server and MachineID.
//! - `rmcp`: a server written with rmcp 3.
//! - `tools`: the marketplace and devices as tools; `tools-http`: over streamable HTTP, too.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod denial;
mod event;
mod gate;
#[cfg(feature = "http")]
mod http;
mod in_flight;
mod lines;
mod message;
mod queue;
mod reply;
#[cfg(feature = "rmcp")]
mod rmcp;
#[cfg(feature = "stdio")]
mod server;
mod session;
mod tool_gate;
#[cfg(feature = "tools")]
mod tools;

pub use denial::CallDenied;
pub use event::{Event, Peer};
pub use gate::{McpGate, OnDenial};
#[cfg(feature = "http")]
pub use http::{HttpServer, InvalidServer};
#[cfg(feature = "rmcp")]
pub use rmcp::GatedHandler;
#[cfg(feature = "stdio")]
pub use server::{ServerEnd, ServerError};
pub use session::SessionEnd;
pub use tool_gate::{ToolCall, ToolGate};
#[cfg(feature = "tools")]
pub use tools::MarketplaceServer;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
#[cfg(test)]
mod properties;
