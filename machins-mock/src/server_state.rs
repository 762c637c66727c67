//! What all worlds of a server have in common.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::clock::{Clock, Time};
use crate::delivery::Client;
use crate::journal::RequestRecord;
use crate::limits::Limits;
use crate::random::Seed;
use crate::request_log::Logger;
use crate::sync::Changes;

/// The part of a server's state that is the same in all of its worlds.
pub(crate) struct ServerState {
    pub(crate) addr: SocketAddr,
    pub(crate) limits: Limits,
    pub(crate) clock: ClockStart,
    pub(crate) access: AccessRules,
    pub(crate) seed: Seed,
    /// Whether the vendors' routes refuse unknown fields and bodies of another content type.
    pub(crate) is_strict: bool,
    /// Held while a large body is read from a request.
    pub(crate) large_bodies: Semaphore,
    /// Announced when a world may have changed.
    pub(crate) changed: Arc<Changes>,
    /// Called with every request.
    pub(crate) logger: Option<Logger>,
    /// Called with every request that the journal holds.
    pub(crate) recorder: Option<Recorder>,
    /// Answers in the place of the worlds.
    pub(crate) upstream: Option<Upstream>,
    /// Posts webhooks and verifications.
    pub(crate) client: Arc<Client>,
}

/// A function that is called with the records of requests.
pub(crate) type Recorder = Arc<dyn Fn(&RequestRecord) + Send + Sync>;

/// A function that sends requests on to another server.
pub(crate) type Upstream = Arc<dyn Fn(http::Request<Vec<u8>>) -> UpstreamReply + Send + Sync>;

/// The reply of another server, or the reason why there is none.
pub(crate) type UpstreamReply =
    Pin<Box<dyn Future<Output = Result<http::Response<Vec<u8>>, String>> + Send>>;

/// Who may use the server, beside those who call it by an address or by a name of this machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessRules {
    /// Further names of the server.
    pub(crate) hosts: Vec<String>,
    /// The origins of web pages that may use it; `*` for all.
    pub(crate) origins: Vec<String>,
}

/// How the clock of a world starts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ClockStart {
    /// The time at which it starts; the real time by default.
    pub(crate) now: Option<Time>,
    pub(crate) is_frozen: bool,
}

impl ServerState {
    /// Returns the clock of a new world, and of one that was reset.
    pub(crate) fn start_clock(&self) -> Clock {
        let mut clock = Clock::default();
        clock.set_frozen(self.clock.is_frozen);
        if let Some(now) = self.clock.now {
            // The builder has checked the time; it may be too far away only years later.
            let _ = clock.set(now);
        }
        clock
    }

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
