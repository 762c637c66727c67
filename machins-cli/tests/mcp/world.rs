//! An org on a mock server, and programs that use it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use machins_mock::blocking::MockServer;
use machins_mock::{Org, OrgUpdate, Plan};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An org with the device `agent-01`.
pub(crate) struct World {
    pub(crate) org: Org,
    mock: MockServer,
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let mock = MockServer::start();
        let org = mock.create_org(Plan::Pro);
        Self { org, mock, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program that is given the org's key.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("HOME", self.folder.path())
            .env("MACHINS_CONFIG", self.path("config.json"))
            .env("MACHINEID_BASE_URL", self.mock.machineid_base_url())
            .env("MACHINEID_ORG_KEY", self.org.key())
            .env("COUNT_FILE", self.path("calls"))
            .env("FASTMCP_LOG_LEVEL", "CRITICAL")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env_remove("MACHINEID_DEVICE_ID");
        command
    }

    /// The words of a gate in front of a server.
    pub(crate) fn gate(flags: &[&str], server: &[String]) -> Vec<String> {
        let gate = [env!("CARGO_BIN_EXE_machins"), "mcp", "gate", "-q", "--device", "agent-01"];
        let words = gate.iter().chain(flags).map(|word| (*word).to_owned());
        words.chain(["--".to_owned()]).chain(server.iter().cloned()).collect()
    }

    /// Starts a gate in front of a server at a URL, and returns its own.
    pub(crate) fn http_gate(&self, flags: &[&str], url: &str) -> (Running, String) {
        let mut command = self.command(env!("CARGO_BIN_EXE_machins"));
        command.args(["mcp", "gate", "-q", "--device", "agent-01", "--listen", "0", "--url", url]);
        let mut gate = Running::start(command.args(flags));
        let own = gate.line();
        (gate, own.trim().to_owned())
    }

    /// The calls that reached the server that notes them.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// Revokes the device, as an operator does.
    pub(crate) fn revoke(&self) {
        let mut machins = self.command(env!("CARGO_BIN_EXE_machins"));
        assert!(machins.args(["revoke", "-q", "agent-01"]).status().unwrap().success());
    }

    pub(crate) fn disable(&self) {
        self.org.update(OrgUpdate::new().execution_enabled(false)).unwrap();
    }
}

/// A program under way, ended when it is dropped.
pub(crate) struct Running {
    pub(crate) process: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take().unwrap());
        Self { process, stdin, stdout: BufReader::new(stdout) }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "it ended: {:?}", self.process.wait());
        line
    }

    pub(crate) fn document(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    pub(crate) fn send(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
        stdin.flush().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mcp");

/// An official client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    Python { mode: &'static str },
    TypeScript,
}

/// A server: one written with `FastMCP`, which notes its calls, or the official one that has everything.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Server {
    FastMcp,
    Everything,
}

impl Server {
    /// The name of a client's task with this server.
    pub(crate) fn task(self, name: &str) -> String {
        match self {
            Self::FastMcp => format!("{name}_fastmcp"),
            Self::Everything => format!("{name}_everything"),
        }
    }

    /// The command of the server over stdio, or `None` where it cannot be installed.
    pub(crate) fn command(self) -> Option<Vec<String>> {
        Some(match self {
            Self::FastMcp => {
                crate::install::python()?;
                vec!["python3".to_owned(), format!("{FOLDER}/server.py")]
            }
            Self::Everything => {
                let everything =
                    "node_modules/@modelcontextprotocol/server-everything/dist/index.js";
                let path = crate::install::node()?.join(everything);
                vec!["node".to_owned(), path.display().to_string()]
            }
        })
    }

    /// Starts the server over streamable HTTP, and returns its URL once it answers.
    pub(crate) fn serve(self, world: &World) -> Option<(Running, String)> {
        let [program, script] = self.command()?.try_into().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = world.command(program);
        match self {
            Self::FastMcp => command.arg(script).arg(port.to_string()),
            Self::Everything => {
                command.args([&script, "streamableHttp"]).env("PORT", port.to_string())
            }
        };
        with_packages(&mut command);
        let mut server = Running::start(command.stderr(Stdio::null()));
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(server.process.try_wait().unwrap().is_none(), "the server has ended");
            std::thread::yield_now();
        }
        Some((server, format!("http://127.0.0.1:{port}/mcp")))
    }
}

/// Lets a client, and the server that it starts, find their packages.
fn with_packages(command: &mut Command) {
    if let Some(folder) = crate::install::python() {
        command.env("PYTHONPATH", folder);
    }
    if let Some(folder) = crate::install::node() {
        command.env("NODE_PACKAGES", folder);
    }
}

impl Client {
    /// The command of a task of the client's script with a server: the words of a command, or a URL.
    pub(crate) fn task(self, mut command: Command, task: &str, server: &Value) -> Command {
        match self {
            Self::Python { mode } => {
                command.args([&format!("{FOLDER}/client.py"), task, &server.to_string(), mode])
            }
            Self::TypeScript => {
                command.args([&format!("{FOLDER}/client.mjs"), task, &server.to_string()])
            }
        };
        with_packages(&mut command);
        command
    }

    /// The program that runs the client's script.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Python { .. } => "python3",
            Self::TypeScript => "node",
        }
    }

    /// Whether the client can be installed here.
    pub(crate) fn is_installed(self) -> bool {
        match self {
            Self::Python { .. } => crate::install::python().is_some(),
            Self::TypeScript => crate::install::node().is_some(),
        }
    }

    /// Starts a task of the client's script with a server: the words of a command, or a URL.
    pub(crate) fn start(self, world: &World, task: &str, server: impl Into<Value>) -> Running {
        let server = server.into();
        let mut command = self.task(world.command(self.program()), task, &server);
        Running::start(&mut command)
    }
}

/// A JSON-RPC message as a line.
pub(crate) fn request(id: u32, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}
