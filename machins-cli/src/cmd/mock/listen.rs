//! The flags of a mock server that is served to others, and serving it until it is stopped.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

use std::fmt::Display;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use machins_mock::{MockServer, MockServerBuilder};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use crate::error::Failure;
use crate::output::{Output, to_stderr};
use crate::process::Signals;
use crate::text::clean;
use crate::{background, json, runtime};

/// How long requests under way may take after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// Where a server listens, how it says that it is ready, and what stops it.
#[derive(Debug, Args)]
pub(super) struct Listen {
    /// Address to listen on: HOST:PORT, :PORT or PORT; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = Address::parse)]
    addr: Address,
    /// Port to listen on, instead of that of --addr
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
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
pub(super) enum Log {
    /// Lines for people
    Text,
    /// Lines of JSON
    Json,
    /// No log
    Off,
}

/// Warns if other machines can reach a server.
pub(super) fn warn_of_others(server: &MockServer, out: Output) {
    if !server.is_loopback() {
        out.warn("anyone who can reach this address can control the mock server and read its keys");
    }
}

impl Log {
    /// Writes an entry. Lines that `more` adds for people follow it.
    pub(super) fn write<T: Display + Serialize>(self, entry: &T, more: impl FnOnce(&mut String)) {
        match self {
            Self::Off => {}
            Self::Json => {
                if let Ok(line) = json::line(entry) {
                    to_stderr(&format!("{line}\n"));
                }
            }
            Self::Text => {
                let mut text = format!("{}\n", clean(&entry.to_string()));
                more(&mut text);
                to_stderr(&text);
            }
        }
    }
}

impl Listen {
    /// Starts the writer of the log, and removes the ready file of an earlier server.
    pub(super) fn before_start(&self) -> Result<(), Failure> {
        // A reader of the log that does not read must not hold a request up.
        background::start().map_err(|error| Failure::local("could not start a thread", error))?;
        self.ready_file.as_deref().map_or(Ok(()), remove)
    }

    /// Returns the builder of a server that listens there.
    pub(super) fn builder(&self) -> Result<MockServerBuilder, Failure> {
        let address = self.address();
        let builder = MockServer::builder().addr(address.resolve()?);
        Ok(address.name().into_iter().fold(builder, MockServerBuilder::allow_host))
    }

    /// The place of the server, for an error that it could not start there.
    pub(super) fn place(&self) -> String {
        format!(" on {}", self.address())
    }

    /// The form of the log.
    pub(super) fn log(&self, out: Output) -> Log {
        self.log.unwrap_or(if out.is_quiet() { Log::Off } else { Log::Text })
    }

    /// Says that the server is ready, by `announce` and in the ready file, and returns when the server
    /// has been stopped.
    pub(super) fn until_stopped(
        &self,
        server: &MockServer,
        document: &Value,
        announce: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        runtime::block_on(async {
            let mut signals = Signals::new()?;
            let ready = self.ready_file.clone().map(ReadyFile);
            if let Some(ready) = &ready {
                ready.write(document)?;
            }
            announce()?;
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
            Ok(())
        })?
    }

    fn address(&self) -> Address {
        let mut address = self.addr.clone();
        if let Some(port) = self.port {
            address.set_port(port);
        }
        address
    }
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
        write().map_err(|error| failed(&self.0, &error))
    }
}

/// Removes the file of an earlier server.
fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::local(format!("could not write {}", path.display()), error)
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        // It may have been removed by somebody else.
        let _ = fs::remove_file(&self.0);
    }
}
