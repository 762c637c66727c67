//! A mock server of the MachineID and machins APIs: in-process for tests in Rust, standalone
//! (`machins mock serve`) for tests in any language.
//!
//! Each [`MockServer`] has a port and a world of its own, starts within a millisecond and stops
//! when it is dropped. Thousands can run in one process, up to its limit of open files.
//!
//! ```
//! use machins_mock::{OrgUpdate, Plan, blocking::MockServer};
//!
//! let server = MockServer::start(); // in async code: `MockServer::start().await`
//! let org = server.create_org(Plan::Free);
//! org.update(OrgUpdate::new().execution_enabled(false))?;
//!
//! let reply = reqwest::blocking::Client::new()
//!     .post(format!("{}/api/v1/devices/validate", server.machineid_base_url()))
//!     .header("x-org-key", org.key())
//!     .json(&serde_json::json!({"deviceId": "agent-01"}))
//!     .send()?;
//! let decision: serde_json::Value = reply.json()?;
//! assert_eq!(decision["code"], "ORG_DISABLED");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a test can do
//! * **Orgs and devices**: [`MockServer::create_org`] creates an org on any plan,
//!   and [`Org::update`] disables it, freezes its plan or makes MachineID unavailable to it.
//! * **Agents and credits**: [`MockServer::create_agent`] creates agents with any number of
//!   credits, [`MockServer::resolve_dispute`] decides disputes, [`MockServer::ledger`] returns all
//!   accounts.
//! * **Fixtures**: [`MockServer::load_fixtures`] adds orgs, agents, listings, trades and
//!   subscriptions in one call, with keys of your choice.
//! * **Time**: [`MockServer::clock`] moves, sets and freezes the server's virtual time. Everything
//!   that falls due in between, such as the expiry of a listing, happens in order.
//! * **Webhooks** are really posted and signed, but only to this machine unless
//!   [`MockServerBuilder::deliver_everywhere`] is set. [`MockServer::webhooks`] returns the
//!   attempts, and [`MockServer::wait_for_webhooks`] waits for them.
//! * **Faults**: a [`Fault`] answers requests with an error, delays them, drops their connections,
//!   or truncates or garbles their replies; or it duplicates, drops, delays or reorders webhooks.
//! * **Requests**: [`MockServer::requests`] returns the requests received, without secrets, and
//!   [`MockServer::wait_for_requests`] waits for them; [`MockServer::expect`] declares requests that
//!   must be received, which is checked when the server is dropped.
//! * **Worlds**: [`MockServer::create_world`] creates a world of its own on the same port, for tests
//!   that share a server.
//! * **Drift**: [`compare_reply`] tells where a reply of another server differs from this one's, and
//!   [`MockServerBuilder::upstream`] answers with the replies of another server and compares them.
//! * **Snapshots**: [`MockServer::snapshot`] copies the world, [`MockServer::restore`] goes back to
//!   it.
//!
//! The control API under `/_mock` does the same for tests in other languages. `GET /openapi.json`
//! is the OpenAPI 3.1 document of all routes.
//!
//! # Features
//! * `console`: `GET /` shows a console in a browser, in which a person sees and changes
//!   everything, and the addresses of checkouts and claims lead to pages. Off by default.
//! * `swagger-ui`: `GET /docs` shows the OpenAPI document in Swagger UI, whose files are then part
//!   of the binary. Off by default.
//!
//! # Limits
//! A server serves at most [`MAX_CONNECTIONS`] connections at a time. It reads request heads of at
//! most 64 KiB and bodies of at most 1 MiB (64 MiB for fixtures and stored worlds), within 30
//! seconds each. Each of at most [`MAX_WORLDS`] worlds remembers [`MAX_REQUESTS`] requests and
//! [`MAX_WEBHOOKS`] webhook attempts, 64 MiB of each and 64 KiB of each body, and holds
//! [`MAX_FAULTS`] faults on requests and as many on webhooks. At most [`MAX_QUEUED`] events wait for one webhook subscription;
//! further ones are dropped and logged as such. JSON objects of any shape (schemas, metadata,
//! filters) have at most 64 KiB and 64 levels, and inboxes hold 10,000 notifications.
//!
//! A world of [`MAX_WORLD`] bytes is full: requests that would add to it are refused with status
//! 413, until `POST /_mock/reset` or until the world is replaced. All other requests go on. The
//! size counts what callers sent to be stored, and 512 bytes for each record.
//!
//! The builder sets other limits:
//! [`max_world_bytes`](MockServerBuilder::max_world_bytes),
//! [`max_connections`](MockServerBuilder::max_connections),
//! [`read_time_limit`](MockServerBuilder::read_time_limit).
//!
//! A request head that is not valid HTTP is answered with status 400, or 431 if it is too long, and
//! without a body. Every other reply of the APIs is JSON.

pub mod blocking;
mod builder;
mod clock;
mod conditions;
#[cfg(feature = "console")]
mod console;
mod delivery;
mod difference;
mod drift;
mod expectation;
mod fault;
mod fixtures;
mod glob;
mod handle;
mod http;
mod journal;
mod key_headers;
mod limits;
mod machineid;
mod machins;
mod mask;
mod random;
mod raw_json;
mod reading;
mod request_ids;
mod request_log;
mod saving;
mod search;
mod serve;
mod server;
mod server_state;
mod site;
mod state;
mod state_file;
mod sync;
mod tasks;
mod text;
mod wait;
mod world;
mod worlds;

/// The HTTP method of a request, re-exported from `http`.
///
pub use ::http::Method;

pub use crate::builder::MockServerBuilder;
pub use crate::clock::{ClockOutOfRange, MAX_ADVANCE};
pub use crate::conditions::{Conditions, ConditionsError};
pub use crate::delivery::{MAX_QUEUED, MAX_WEBHOOKS, WebhookAttempt};
pub use crate::difference::{Difference, DifferenceKind};
pub use crate::drift::compare_reply;
pub use crate::expectation::UnmetExpectations;
pub use crate::fault::{ActiveFault, Fault, FaultError, MAX_FAULT_DELAY, MAX_FAULTS};
pub use crate::fixtures::{DEMO_DATA, FixtureError};
pub use crate::glob::InvalidGlob;
pub use crate::handle::{ClockHandle, FaultGuard, Org};
pub use crate::journal::{MAX_REQUESTS, RequestRecord};
pub use crate::limits::{MAX_CONNECTIONS, MAX_WORLD};
pub use crate::machineid::{OrgKeyError, OrgState, OrgUpdate, Plan, UnknownOrg};
pub use crate::machins::{
    AccountKind, Agent, Ledger, LedgerAccount, MachinsError, NewAgent, Outcome, Tier,
};
pub use crate::raw_json::RawJson;
pub use crate::request_log::RequestLine;
pub use crate::server::MockServer;
pub use crate::wait::WaitError;
pub use crate::world::Snapshot;
pub use crate::worlds::{MAX_WORLDS, WorldError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
