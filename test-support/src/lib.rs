//! What the tests and the documentation's examples of the client crates share: servers, and clients
//! that are connected to them. Not published.
//!
//! An example hides two lines:
//!
//! ```
//! use machineid_client::DeviceId;
//!
//! # test_support::machineid(async |client| {
//! let registration = client.register(&DeviceId::new("agent-01")?).await?;
//! assert!(registration.is_registered());
//! # Ok(()) });
//! ```

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a test that fails panics"
)]

mod canned;
mod log;
mod machineid;
mod machins;
mod nats;

use std::error::Error;

use machins_mock::MockServer;

pub use canned::server;
pub use log::Log;
pub use machineid::{gate, gate_blocking, machineid, machineid_blocking};
pub use machins::{Marketplace, machins, machins_blocking};
pub use nats::NatsServer;

/// What an example returns, so that it can use `?`.
pub type Result = std::result::Result<(), Box<dyn Error>>;

fn mock_server() -> MockServer {
    MockServer::builder().start().expect("a port of this machine is free")
}

fn block_on(example: impl Future<Output = Result>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(example).expect("the example succeeds");
}
