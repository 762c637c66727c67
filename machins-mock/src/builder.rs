//! Starting a server of one's own make.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use crate::server::MockServer;
use crate::state::{Shared, Snapshot};
use crate::{serve, state_file};

/// How a server is to be; made by [`MockServer::builder`].
#[derive(Debug, Clone)]
pub struct MockServerBuilder {
    addr: SocketAddr,
    seed: Option<u64>,
    state_file: Option<PathBuf>,
}

impl MockServerBuilder {
    pub(crate) fn new() -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { addr, seed: None, state_file: None }
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

    /// Starts the server; it answers when this returns.
    ///
    /// # Errors
    /// The address can't be listened at, or the state file can't be read or holds no world
    /// ([`InvalidData`](io::ErrorKind::InvalidData)).
    pub fn start(self) -> io::Result<MockServer> {
        let stored = self.state_file.as_deref().map(state_file::load);
        let snapshot = stored.transpose()?.flatten();
        let listener = TcpListener::bind(self.addr)?;
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let app = Arc::new(Shared::new(listener.local_addr()?, seed));
        if let Some(Snapshot(world)) = snapshot {
            *app.world() = world;
        }
        let tasks = serve::spawn(listener, Arc::clone(&app))?;
        Ok(MockServer::new(app, tasks, self.state_file))
    }
}
