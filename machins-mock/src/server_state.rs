//! What all worlds of a server have in common.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::delivery::Client;
use crate::limits::Limits;
use crate::random::Seed;
use crate::request_log::Logger;

/// The part of a server's state that is the same in all of its worlds.
pub(crate) struct ServerState {
    pub(crate) addr: SocketAddr,
    pub(crate) limits: Limits,
    pub(crate) seed: Seed,
    /// Whether the vendors' routes refuse unknown fields and bodies of another content type.
    pub(crate) is_strict: bool,
    /// Held while a large body is read from a request.
    pub(crate) large_bodies: Semaphore,
    /// Called with every request.
    pub(crate) logger: Option<Logger>,
    /// Posts webhooks and verifications.
    pub(crate) client: Arc<Client>,
}

impl ServerState {
    /// Returns the URL of the server, `http://HOST:PORT`, as this machine reaches it.
    pub(crate) fn url(&self) -> String {
        let mut addr = self.addr;
        match addr.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{addr}")
    }
}
