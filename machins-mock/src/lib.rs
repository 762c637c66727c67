//! A mock server of the MachineID and machins APIs: in-process for tests in Rust, standalone for
//! everything else.
//!
//! Each [`MockServer`] has a port and a world of its own, starts within a millisecond and stops
//! when it is dropped; thousands can live in one process, as many as it may have files open.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use machins_mock::{MockServer, OrgUpdate, Plan};
//!
//! let server = MockServer::start().await;
//! let org = server.create_org(Plan::Free);
//! org.update(OrgUpdate::new().execution_enabled(false))?;
//!
//! let reply = reqwest::Client::new()
//!     .post(format!("{}/api/v1/devices/validate", server.machineid_base_url()))
//!     .header("x-org-key", org.key())
//!     .json(&serde_json::json!({"deviceId": "agent-01"}))
//!     .send()
//!     .await?;
//! let decision: serde_json::Value = reply.json().await?;
//! assert_eq!(decision["code"], "ORG_DISABLED");
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```
//!
//! # Beside the APIs
//! * Time: [`MockServer::clock`] moves the server's virtual time forward; what falls due on the
//!   way (listings that expire, disputes that resolve) happens.
//! * Agents: [`MockServer::create_agent`] makes them with any number of credits,
//!   [`MockServer::resolve_dispute`] judges, [`MockServer::ledger`] shows the books.
//! * Webhooks: posted and signed for real, to this machine only unless
//!   [`MockServerBuilder::deliver_everywhere`] is set; [`MockServer::webhooks`] tells what came of
//!   them.
//! * Failures: [`Fault`]s answer with errors, delay, drop, truncate or garble replies.
//! * Journal: [`MockServer::requests`] tells what came in, without secrets.
//! * Expectations: [`MockServer::expect`] says what is to come in, checked on drop.
//! * Snapshots: [`MockServer::snapshot`] and [`MockServer::restore`] go back in time.
//! * `GET /openapi.json` is the OpenAPI 3.1 document, `GET /docs` shows it.
//! * The control API under `/_mock` does the same for tests in any language.
//!
//! # Bounds
//! A server serves at most [`MAX_CONNECTIONS`] connections at a time, reads request heads of at
//! most 64 KiB within 30 seconds and bodies of at most 1 MiB (64 MiB for a stored world, one at a time)
//! within 30 seconds, remembers [`MAX_REQUESTS`] requests and holds [`MAX_FAULTS`] faults. At
//! most [`MAX_QUEUED`] events wait for one webhook subscription, further ones are dropped and
//! logged as such; [`MAX_WEBHOOKS`] attempts are remembered. Free JSON objects (schemas, metadata,
//! filters) are at most 64 KiB and 64 levels deep, inboxes hold 10,000 notifications.
//!
//! A world that has come to [`MAX_WORLD`] bytes, counted as the JSON that it would be stored as,
//! is full: what would add to it over HTTP is refused with status 413, until `POST /_mock/reset`
//! or until another world is put in its place. All else goes on. The builder sets other bounds:
//! [`max_world_bytes`](MockServerBuilder::max_world_bytes),
//! [`max_connections`](MockServerBuilder::max_connections),
//! [`read_time_limit`](MockServerBuilder::read_time_limit).
//!
//! A head that is no HTTP is answered by the HTTP library, which says 400, or 431 for a long one,
//! without a body; every other reply is JSON.

pub mod blocking;
mod builder;
mod clock;
mod delivery;
mod expectation;
mod fault;
mod glob;
mod handle;
mod http;
mod journal;
mod limits;
mod machineid;
mod machins;
mod random;
mod serve;
mod server;
mod site;
mod state;
mod state_file;
mod sync;
mod tasks;
mod world;

pub use ::http::Method;

pub use crate::builder::MockServerBuilder;
pub use crate::clock::{ClockOutOfRange, MAX_ADVANCE};
pub use crate::delivery::{MAX_QUEUED, MAX_WEBHOOKS, WebhookAttempt};
pub use crate::expectation::UnmetExpectations;
pub use crate::fault::{ActiveFault, Fault, FaultError, MAX_FAULT_DELAY, MAX_FAULTS};
pub use crate::glob::InvalidGlob;
pub use crate::handle::{ClockHandle, FaultGuard, Org};
pub use crate::journal::{MAX_REQUESTS, RequestRecord};
pub use crate::limits::{MAX_CONNECTIONS, MAX_WORLD};
pub use crate::machineid::{OrgState, OrgUpdate, Plan, UnknownOrg};
pub use crate::machins::{
    AccountKind, Agent, Ledger, LedgerAccount, MachinsError, NewAgent, Outcome, Tier,
};
pub use crate::server::MockServer;
pub use crate::world::Snapshot;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
