//! Starting a server of one's own make.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::delivery::{self, Policy};
use crate::limits::Limits;
use crate::server::MockServer;
use crate::state::AppState;
use crate::tasks::Tasks;
use crate::world::Snapshot;
use crate::{serve, state_file};

/// How a server is to be; made by [`MockServer::builder`].
#[derive(Debug, Clone)]
pub struct MockServerBuilder {
    addr: SocketAddr,
    seed: Option<u64>,
    state_file: Option<PathBuf>,
    deliveries: Policy,
    limits: Limits,
}

impl MockServerBuilder {
    pub(crate) fn new() -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let deliveries = Policy { everywhere: false, time_limit: delivery::TIME_LIMIT };
        Self { addr, seed: None, state_file: None, deliveries, limits: Limits::default() }
    }

    /// The address to listen at; `127.0.0.1:0`, any free port, by default.
    ///
    /// Whoever reaches the address controls the server and reads its keys.
    #[must_use]
    pub fn addr(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// The seed of all randomness: the same calls then make the same keys and ids. Random by
    /// default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The file that the world is loaded from at the start, if it exists, and that
    /// [`save_state`](MockServer::save_state) writes.
    #[must_use]
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// Lets webhooks and verifications go to any machine, not only to this one.
    ///
    /// By default a post to anything but a loopback address or `localhost` is a failed one: who
    /// talks to a test's server must not make it talk to others.
    #[must_use]
    pub fn deliver_everywhere(mut self) -> Self {
        self.deliveries.everywhere = true;
        self
    }

    /// How long a webhook's receiver and a verification may take to answer; 10 seconds by
    /// default, as documented for the service.
    #[must_use]
    pub fn delivery_time_limit(mut self, limit: Duration) -> Self {
        self.deliveries.time_limit = limit;
        self
    }

    /// How many connections are served at a time, at least one; more wait to be accepted.
    /// [`MAX_CONNECTIONS`](crate::MAX_CONNECTIONS) by default.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections;
        self
    }

    /// How long a request's head may take to arrive, idle time of its connection included, and
    /// how long its body; 30 seconds each by default. A late head closes the connection, a late
    /// body is refused as incomplete.
    #[must_use]
    pub fn read_time_limit(mut self, limit: Duration) -> Self {
        self.limits.read_time = limit;
        self
    }

    /// How many bytes the world may hold, roughly, before calls that would add to it are refused
    /// with status 413; [`MAX_WORLD`](crate::MAX_WORLD) by default. The typed controls are not
    /// bound by it.
    #[must_use]
    pub fn max_world_bytes(mut self, bytes: usize) -> Self {
        self.limits.world = bytes;
        self
    }

    /// Starts the server; it answers when this returns.
    ///
    /// # Errors
    /// The address can't be listened at, or the state file can't be read or holds no world
    /// ([`InvalidData`](io::ErrorKind::InvalidData)).
    pub fn start(self) -> io::Result<MockServer> {
        let stored = self.state_file.as_deref().map(state_file::load);
        let snapshot = stored.transpose()?.flatten();
        let listener = serve::listen(self.addr)?;
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let tasks = Tasks::default();
        let addr = listener.local_addr()?;
        let state = AppState::new(addr, seed, self.limits, self.deliveries, tasks.clone());
        let app = Arc::new(state);
        if let Some(Snapshot(world)) = snapshot {
            app.replace(world);
        }
        serve::spawn(listener, Arc::clone(&app), &tasks);
        Ok(MockServer::new(app, tasks, self.state_file))
    }
}

impl MockServer {
    /// Starts a server on a free port of 127.0.0.1; it answers when this returns.
    ///
    /// # Panics
    /// If no port can be had. [`builder`](Self::builder) returns the error instead.
    #[expect(clippy::unused_async, reason = "the customary name and shape; nothing waits today")]
    pub async fn start() -> Self {
        Self::start_or_panic()
    }

    #[expect(clippy::panic, reason = "documented: a test can't go on without its server")]
    pub(crate) fn start_or_panic() -> Self {
        match Self::builder().start() {
            Ok(server) => server,
            Err(error) => panic!("the mock server can't listen at 127.0.0.1: {error}"),
        }
    }

    /// A server of another make; its `start` is the same for async and for blocking code.
    ///
    /// ```
    /// use machins_mock::MockServer;
    ///
    /// let server = MockServer::builder().seed(7).start()?;
    /// assert!(server.url().starts_with("http://127.0.0.1:"));
    /// # Ok::<_, std::io::Error>(())
    /// ```
    #[must_use]
    pub fn builder() -> MockServerBuilder {
        MockServerBuilder::new()
    }
}
