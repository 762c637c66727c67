//! A NATS server of the machine, if it has one.

use std::env;
use std::io::{BufRead, BufReader, ErrorKind};
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// A NATS server with JetStream, on a free port of this machine and with a store of its own. It is
/// killed when it is dropped, and what it stored is removed.
#[derive(Debug)]
pub struct NatsServer {
    arguments: Vec<String>,
    store: TempDir,
    port: u16,
    /// `None` while it is stopped.
    child: Option<Child>,
}

impl NatsServer {
    /// Starts a server with further arguments. Without the program `nats-server`, a test says so and
    /// passes, unless `REQUIRE_NATS` is set, as CI does.
    #[expect(clippy::print_stderr, reason = "a test says that it is skipped")]
    pub fn start(arguments: &[&str]) -> Option<Self> {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let store = tempfile::tempdir().expect("a temporary folder");
        let mut server = Self { arguments, store, port: 0, child: None };
        if server.run("-1") {
            return Some(server);
        }
        assert!(env::var_os("REQUIRE_NATS").is_none(), "there is no nats-server");
        eprintln!("skipped: there is no nats-server; on Debian, `apt-get install nats-server`");
        None
    }

    /// The address at which it listens.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL at which it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Kills the server. What it has confirmed is on disk.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the server can be killed");
            child.wait().expect("the server has ended");
        }
    }

    /// The number of the server's process.
    ///
    /// # Panics
    /// Panics while the server is stopped.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// Starts the server again, with its store and its port.
    pub fn restart(&mut self) {
        let port = self.port.to_string();
        assert!(self.run(&port), "the server was there");
    }

    /// Runs the server, and returns when it is ready. Returns whether there is such a program.
    fn run(&mut self, port: &str) -> bool {
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", port, "-js", "-sd"]).arg(self.store.path());
        command.args(&self.arguments).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => return false,
            Err(error) => panic!("nats-server does not start: {error}"),
        };
        let stderr = child.stderr.take().expect("it is a pipe");
        self.child = Some(child);
        let mut log = BufReader::new(stderr).lines();
        for line in log.by_ref() {
            let line = line.expect("the log is text");
            if let Some((_, address)) = line.split_once("client connections on ") {
                let port = address.rsplit(':').next().and_then(|port| port.parse().ok());
                self.port = port.expect("an address has a port");
            }
            if line.ends_with("Server is ready") {
                // A log that nobody reads would stop it.
                thread::spawn(move || log.for_each(drop));
                return true;
            }
        }
        panic!("nats-server has ended");
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
