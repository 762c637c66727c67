//! `machins mock serve`.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum, ValueHint};
use jiff::Timestamp;
use machins_mock::{MockServer, MockServerBuilder};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::demo_data::Keys;
use super::options::Options;
use crate::error::Failure;
use crate::output::{Output, to_stderr};
use crate::process::Signals;
use crate::style::{FAINT, STRONG};
use crate::{background, json, runtime};

/// How long requests under way may take after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// Serve until interrupted
///
/// With --json, the first line on stdout is a JSON object with the fields url,
/// machins_base_url, machineid_base_url and pid, printed when the server is ready. TERM and Ctrl-C
/// stop the server once requests under way are answered, within 5 seconds.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[command(after_help = "Examples:\n  machins mock serve --addr localhost:0 --log json\n  \
                        machins mock serve --port 8080 --fixtures market.json")]
pub(crate) struct Serve {
    /// Address to listen on: HOST:PORT, :PORT or PORT; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = Address::parse)]
    addr: Address,
    /// Port to listen on, instead of that of --addr
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    #[command(flatten)]
    options: Options,
    /// Virtual time to start at, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    clock: Option<Timestamp>,
    /// Start with a clock that stands still until it is moved
    #[arg(long)]
    frozen: bool,
    /// Refuse unknown fields and parameters in the vendors' own routes, too
    #[arg(long)]
    strict: bool,
    /// Post webhooks to any machine, not only to this one
    #[arg(long)]
    deliver_everywhere: bool,
    /// Answer requests that call the server by this name, too; repeatable
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Let web pages of this origin use the server, * for all; repeatable
    #[arg(long, value_name = "ORIGIN")]
    cors: Vec<String>,
    /// Log of requests on stderr, one a line: text, json or off [default: text]
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    log: Option<Log>,
    /// File to write the addresses to when the server is ready; removed when it stops
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ready_file: Option<PathBuf>,
    /// Stop when stdin is closed, as it is when the program that started this one ends
    #[arg(long)]
    until_stdin_closes: bool,
}

/// The form of the log of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Log {
    /// Lines for people
    Text,
    /// Lines of JSON
    Json,
    /// No log
    Off,
}

impl Serve {
    pub(super) fn run(mut self: Box<Self>, out: Output) -> Result<ExitCode, Failure> {
        // A reader of the log that does not read must not hold a request up.
        background::start().map_err(|error| Failure::local("could not start a thread", error))?;
        if let Some(port) = self.port {
            self.addr.set_port(port);
        }
        let ready = self.ready_file.clone().map(ReadyFile::new).transpose()?;
        let builder = self.builder(out)?;
        let (server, keys) = self.options.start(builder, out, &format!(" on {}", self.addr))?;
        if !server.is_loopback() {
            out.warn(
                "anyone who can reach this address can control the mock server and read its keys",
            );
        }
        runtime::block_on(async {
            let mut signals = Signals::new()?;
            let document = document(&server, keys.as_ref());
            if let Some(ready) = &ready {
                ready.write(&document)?;
            }
            announce(out, &server, &document)?;
            let closed = CancellationToken::new();
            if self.until_stdin_closes {
                cancel_when_stdin_closes(closed.clone())?;
            }
            tokio::select! {
                _ = signals.asked_to_stop() => {}
                () = closed.cancelled() => {}
            }
            // A second signal is from somebody who does not want to wait.
            tokio::select! {
                () = server.shutdown_gracefully(GRACE) => {}
                _ = signals.asked_to_stop() => server.shutdown().await,
            }
            Options::save(&server)
        })??;
        Ok(ExitCode::SUCCESS)
    }

    fn builder(&self, out: Output) -> Result<MockServerBuilder, Failure> {
        let mut builder = MockServer::builder().addr(self.addr.resolve()?);
        for host in self.allow_host.iter().map(String::as_str).chain(self.addr.name()) {
            builder = builder.allow_host(host);
        }
        for origin in &self.cors {
            builder = builder.cors(origin);
        }
        if let Some(now) = self.clock {
            builder = builder.clock(SystemTime::from(now));
        }
        if self.frozen {
            builder = builder.frozen();
        }
        if self.strict {
            builder = builder.strict();
        }
        if self.deliver_everywhere {
            builder = builder.deliver_everywhere();
        }
        let log = self.log.unwrap_or(if out.is_quiet() { Log::Off } else { Log::Text });
        Ok(match log {
            Log::Off => builder,
            Log::Text => builder.on_request(|line| to_stderr(&format!("{line}\n"))),
            Log::Json => builder.on_request(|line| {
                if let Ok(line) = json::line(line) {
                    to_stderr(&format!("{line}\n"));
                }
            }),
        })
    }
}

/// What `--json` prints, and what the file that tells of readiness contains.
fn document(server: &MockServer, keys: Option<&Keys>) -> Value {
    let mut document = json!({
        "url": server.url(),
        "machins_base_url": server.machins_base_url(),
        "machineid_base_url": server.machineid_base_url(),
        "pid": std::process::id(),
    });
    if let Some(Keys { org_key, device_id, api_key }) = keys {
        document["org_key"] = org_key.as_str().into();
        document["device_id"] = device_id.as_str().into();
        document["api_key"] = api_key.as_str().into();
    }
    document
}

fn announce(out: Output, server: &MockServer, document: &Value) -> Result<(), Failure> {
    if out.is_json() {
        return out.line(document);
    }
    let mut text = format!("{STRONG}The mock server is ready at {}{STRONG:#}\n\n", server.url());
    let variables = [
        ("MACHINS_MOCK_URL", "url"),
        ("MACHINEID_BASE_URL", "machineid_base_url"),
        ("MACHINS_BASE_URL", "machins_base_url"),
        ("MACHINEID_ORG_KEY", "org_key"),
        ("MACHINEID_DEVICE_ID", "device_id"),
        ("MACHINS_API_KEY", "api_key"),
    ];
    for (variable, field) in variables {
        if let Some(value) = document[field].as_str() {
            let _ = writeln!(text, "export {variable}={value}");
        }
    }
    let _ = writeln!(
        text,
        "\n{FAINT}Its API is documented at {}/docs. Ctrl-C stops it.{FAINT:#}",
        server.url()
    );
    out.text(&text)
}

fn cancel_when_stdin_closes(closed: CancellationToken) -> Result<(), Failure> {
    let wait = move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = [0; 1024];
        loop {
            match stdin.read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
                _ => {}
            }
        }
        closed.cancel();
    };
    let thread = thread::Builder::new().name("stdin".to_owned()).spawn(wait);
    thread.map(drop).map_err(|error| Failure::local("could not start a thread", error))
}

/// The file that exists while the server is ready.
struct ReadyFile(PathBuf);

impl ReadyFile {
    /// Removes the file of an earlier server.
    fn new(path: PathBuf) -> Result<Self, Failure> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Self::failed(&path, &error))
            }
            _ => Ok(Self(path)),
        }
    }

    /// Writes the file, which appears with its whole content. Only its owner can read it: it may
    /// contain keys.
    fn write(&self, document: &Value) -> Result<(), Failure> {
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
        let line = json::line(document)?;
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
            writeln!(file, "{line}")?;
            file.persist(&self.0).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| Self::failed(&self.0, &error))
    }

    fn failed(path: &Path, error: &io::Error) -> Failure {
        Failure::local(format!("could not write {}", path.display()), error)
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        // It may have been removed by somebody else.
        let _ = fs::remove_file(&self.0);
    }
}
