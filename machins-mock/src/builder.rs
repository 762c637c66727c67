//! Starting a server.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clock::{Clock, Time};
use crate::delivery::{self, Client, Policy};
use tokio::sync::Semaphore;

use crate::journal::RequestRecord;
use crate::limits::Limits;
use crate::random::Seed;
use crate::request_log::{Logger, RequestLine};
use crate::saving::save_changes;
use crate::serve;
use crate::server::MockServer;
use crate::server_state::{
    AccessRules, ClockStart, Recorder, ServerState, Upstream, UpstreamReply,
};
use crate::state_file::{StateFile, Stored};
use crate::tasks::Tasks;
use crate::world::Snapshot;
use crate::worlds::Worlds;

/// The options of a [`MockServer`], created by [`MockServer::builder`].
#[derive(Clone)]
pub struct MockServerBuilder {
    addr: SocketAddr,
    seed: Option<u64>,
    state_file: Option<PathBuf>,
    deliveries: Policy,
    limits: Limits,
    is_strict: bool,
    logger: Option<Logger>,
    recorder: Option<Recorder>,
    upstream: Option<Upstream>,
    clock: Option<SystemTime>,
    is_frozen: bool,
    access: AccessRules,
}

impl MockServerBuilder {
    pub(crate) fn new() -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let deliveries = Policy { everywhere: false, time_limit: delivery::TIME_LIMIT };
        Self {
            addr,
            seed: None,
            state_file: None,
            deliveries,
            limits: Limits::default(),
            is_strict: false,
            logger: None,
            recorder: None,
            upstream: None,
            clock: None,
            is_frozen: false,
            access: AccessRules::default(),
        }
    }

    /// Sets the address to listen on. The default is `127.0.0.1:0`, which takes any free port.
    ///
    /// Whoever can reach the address can control the server and read its keys.
    #[must_use]
    pub fn addr(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// Sets the seed of all random values: with the same seed, the same calls produce the same keys
    /// and ids. The default is a random seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the file that all worlds are loaded from at the start, if it exists, and that they are
    /// saved to within a second of every change, and by [`save_state`](MockServer::save_state). By
    /// default there is none.
    ///
    /// One server at a time can use the file: a `.lock` file beside it is held until the server is
    /// stopped.
    #[must_use]
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// Refuses, in the vendors' routes too, requests with unknown fields or parameters and bodies
    /// whose content type is not JSON.
    ///
    /// By default they are ignored there, as by the services. The control API always refuses
    /// unknown fields and parameters.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// Calls a function with every request once it has been answered, those to the mock's own routes
    /// included. The function is called by the thread that answers, so it should be quick.
    ///
    /// ```
    /// use machins_mock::MockServer;
    ///
    /// let server = MockServer::builder().on_request(|line| eprintln!("{line}")).start()?;
    /// # Ok::<_, std::io::Error>(())
    /// ```
    #[must_use]
    pub fn on_request(mut self, call: impl Fn(&RequestLine) + Send + Sync + 'static) -> Self {
        self.logger = Some(Arc::new(call));
        self
    }

    /// Calls a function with the record of every request that the journal holds, once it has been
    /// answered: those to the vendors' routes. The function is called by the thread that answers, so
    /// it should be quick.
    #[must_use]
    pub fn on_record(mut self, call: impl Fn(&RequestRecord) + Send + Sync + 'static) -> Self {
        self.recorder = Some(Arc::new(call));
        self
    }

    /// Answers the requests to the vendors' routes with the replies of another server, to which the
    /// function sends them on, instead of the world's own. Everything else stays: the journal, the
    /// faults, the control API.
    ///
    /// The function is given each request with its path below the server, without the headers that
    /// are about one connection. Each reply is compared with what this server replies, see
    /// [`compare_reply`](crate::compare_reply), and [`RequestRecord::differences`] holds the result.
    /// An error is answered with status 502.
    #[must_use]
    pub fn upstream<F, S, E>(mut self, send: F) -> Self
    where
        F: Fn(http::Request<Vec<u8>>) -> S + Send + Sync + 'static,
        S: Future<Output = Result<http::Response<Vec<u8>>, E>> + Send + 'static,
        E: fmt::Display,
    {
        let send = move |request| {
            let reply = send(request);
            let reply = async { reply.await.map_err(|error| error.to_string()) };
            Box::pin(reply) as UpstreamReply
        };
        self.upstream = Some(Arc::new(send));
        self
    }

    /// Lets webhooks and verifications be posted to any machine.
    ///
    /// By default, a post to anything but a loopback address, `localhost` or a name under it fails,
    /// so that a client cannot use the server to reach other machines.
    #[must_use]
    pub fn deliver_everywhere(mut self) -> Self {
        self.deliveries.everywhere = true;
        self
    }

    /// Sets how long the receiver of a webhook or of a verification may take to answer. The default
    /// is 10 seconds, as documented for the service.
    #[must_use]
    pub fn delivery_time_limit(mut self, limit: Duration) -> Self {
        self.deliveries.time_limit = limit;
        self
    }

    /// Sets how many connections are served at a time, at least one; further connections wait to be
    /// accepted. The default is [`MAX_CONNECTIONS`](crate::MAX_CONNECTIONS).
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections;
        self
    }

    /// Sets how long the head of a request may take to arrive, counted from when its connection
    /// became idle, and how long its body may take after that. The default is 30 seconds each.
    ///
    /// A late head closes the connection; a late body is refused as incomplete.
    #[must_use]
    pub fn read_time_limit(mut self, limit: Duration) -> Self {
        self.limits.read_time = limit;
        self
    }

    /// Sets the approximate size in bytes at which the world is full: requests that would add to it
    /// are then refused with status 413. The default is [`MAX_WORLD`](crate::MAX_WORLD).
    ///
    /// The limit does not apply to the methods of [`MockServer`].
    #[must_use]
    pub fn max_world_bytes(mut self, bytes: usize) -> Self {
        self.limits.world = bytes;
        self
    }

    /// Answers requests that call the server by this name, too, which may be given with a dot at its
    /// end but without a port. It can be called more than once.
    ///
    /// By default the server answers to IP addresses, `localhost` and names under it, names without
    /// a dot (such as those of containers) and `host.docker.internal`. Any other name could be that
    /// of a web page which was rebound to this machine.
    #[must_use]
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
        self.access.hosts.push(name);
        self
    }

    /// Lets web pages of this origin, such as `http://localhost:3000`, use the server and read its
    /// replies; `*` lets all of them. It can be called more than once.
    ///
    /// By default the pages of other origins are refused: they could read every key.
    #[must_use]
    pub fn cors(mut self, origin: impl Into<String>) -> Self {
        let origin = origin.into();
        self.access.origins.push(origin.trim_end_matches('/').to_owned());
        self
    }

    /// Sets the virtual time at which the server starts, and at which it starts again after a reset.
    /// The default is the real time. It must be within a hundred years of the real time.
    #[must_use]
    pub fn clock(mut self, now: SystemTime) -> Self {
        self.clock = Some(now);
        self
    }

    /// Starts with a clock that stands still, and moves only when it is told to. With a
    /// [`seed`](Self::seed) and a [`clock`](Self::clock), two runs of the same requests are answered
    /// with the same bytes.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        self.is_frozen = true;
        self
    }

    fn start_clock(&self) -> io::Result<ClockStart> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
        let now = self.clock.map(Time::try_from).transpose();
        let now = now.map_err(|error| invalid(error.to_string()))?;
        if let Some(now) = now {
            Clock::default().set(now).map_err(|error| invalid(error.to_string()))?;
        }
        Ok(ClockStart { now, is_frozen: self.is_frozen })
    }

    /// Starts the server, which accepts requests when this returns.
    ///
    /// # Errors
    /// Returns an error if the server cannot listen on the address or cannot read the state file.
    /// The kind is [`InvalidData`](io::ErrorKind::InvalidData) if the file does not contain a valid
    /// state, and [`ResourceBusy`](io::ErrorKind::ResourceBusy) if another server uses it.
    pub fn start(self) -> io::Result<MockServer> {
        let opened = self.state_file.as_deref().map(StateFile::open).transpose()?;
        let (state_file, stored) = opened.unzip();
        let state_file = state_file.map(Arc::new);
        let listener = serve::listen(self.addr)?;
        let tasks = Tasks::default();
        let addr = listener.local_addr()?;
        let seed = Seed::new(self.seed);
        let server = ServerState {
            addr,
            limits: self.limits,
            clock: self.start_clock()?,
            access: self.access,
            seed,
            is_strict: self.is_strict,
            changed: Arc::default(),
            logger: self.logger,
            recorder: self.recorder,
            upstream: self.upstream,
            large_bodies: Semaphore::new(1),
            client: Arc::new(Client::new(self.deliveries, addr)),
        };
        let worlds = Arc::new(Worlds::new(Arc::new(server), tasks.clone()));
        if let Some(Stored { own: Snapshot(own), named }) = stored.flatten() {
            worlds.own().replace(own);
            for (name, Snapshot(world)) in named {
                let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
                worlds.create(Some(name), None).map_err(invalid)?.replace(world);
            }
        }
        serve::spawn(listener, Arc::clone(&worlds), &tasks);
        if let Some(file) = &state_file {
            tasks.spawn(save_changes(Arc::clone(&worlds), Arc::clone(file)));
        }
        Ok(MockServer::new(worlds, tasks, state_file))
    }
}

impl fmt::Debug for MockServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockServerBuilder")
            .field("addr", &self.addr)
            .field("seed", &self.seed)
            .field("state_file", &self.state_file)
            .field("deliveries", &self.deliveries)
            .field("limits", &self.limits)
            .field("clock", &self.clock)
            .field("access", &self.access)
            .field("is_frozen", &self.is_frozen)
            .field("is_strict", &self.is_strict)
            .finish_non_exhaustive()
    }
}

impl MockServer {
    /// Starts a server on a free port of 127.0.0.1, which accepts requests when this returns.
    ///
    /// # Panics
    /// Panics if no port is free. [`builder`](Self::builder) returns the error instead.
    #[expect(clippy::unused_async, reason = "the customary name and shape; nothing waits today")]
    pub async fn start() -> Self {
        Self::start_or_panic()
    }

    #[expect(clippy::panic, reason = "documented: a test cannot go on without its server")]
    pub(crate) fn start_or_panic() -> Self {
        match Self::builder().start() {
            Ok(server) => server,
            Err(error) => panic!("the mock server cannot listen at 127.0.0.1: {error}"),
        }
    }

    /// Returns a builder for a server with other options. Its [`start`](MockServerBuilder::start)
    /// works in async and in blocking code.
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
