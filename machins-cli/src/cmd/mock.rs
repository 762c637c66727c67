//! `machins mock`: the embedded mock server.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};
use machineid_client::{ClientBuilder, DeviceId, OrgKey};
use machins_mock::{MockServer, Plan};
use process_containment::Command;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::process::{self, Job, Signals};
use crate::runtime;
use crate::style::{FAINT, STRONG};

/// The devices of the demo data.
const DEMO_DEVICES: [&str; 3] = ["agent-01", "agent-02", "agent-03"];

/// Run a mock server of both APIs, for tests and experiments
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  machins mock exec -- machins org create")]
pub(crate) enum Mock {
    /// Serve until interrupted
    ///
    /// With --json, the first line on stdout is a JSON object with the fields url,
    /// machins_base_url, machineid_base_url and pid, printed when the server is ready.
    #[command(after_help = "Example:\n  machins mock serve --addr 127.0.0.1:0")]
    Serve(Serve),
    /// Run a command against a mock server of its own
    ///
    /// Starts a server on a free port, sets MACHINS_BASE_URL and MACHINEID_BASE_URL for COMMAND,
    /// and exits with its status.
    #[command(after_help = "Example:\n  machins mock exec -- machins org create")]
    Exec {
        /// Command to run, with its arguments
        #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
        command: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:8080")]
    addr: SocketAddr,
    /// Seed: the same seed gives the same ids and keys in every run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// File to load the state from, and to save it to at the end
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    state: Option<PathBuf>,
    /// Start with an organisation and a few devices
    #[arg(long)]
    demo_data: bool,
}

impl Mock {
    pub(crate) fn run(self, out: Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Serve(serve) => serve.run(out),
            Self::Exec { command } => exec(&command),
        }
    }
}

impl Serve {
    fn run(self, out: Output) -> Result<ExitCode, Failure> {
        let mut builder = MockServer::builder().addr(self.addr);
        if let Some(seed) = self.seed {
            builder = builder.seed(seed);
        }
        if let Some(path) = &self.state {
            builder = builder.state_file(path);
        }
        let server = builder.start().map_err(|error| {
            Failure::local(format!("the mock server could not start on {}", self.addr), error)
        })?;
        if !server.is_loopback() {
            out.warn(
                "anyone who can reach this address can control the mock server and read its keys",
            );
        }
        let key = if self.demo_data { Some(demo_data(&server)?) } else { None };
        runtime::block_on(async {
            let mut signals = Signals::new()?;
            announce(out, &server, key.as_ref())?;
            let _signal = signals.asked_to_stop().await;
            server.shutdown().await;
            server.save_state().map_err(|error| {
                Failure::local("could not save the state of the mock server", error)
            })
        })??;
        Ok(ExitCode::SUCCESS)
    }
}

fn announce(out: Output, server: &MockServer, key: Option<&OrgKey>) -> Result<(), Failure> {
    let mut document = json!({
        "url": server.url(),
        "machins_base_url": server.machins_base_url(),
        "machineid_base_url": server.machineid_base_url(),
        "pid": std::process::id(),
    });
    let mut text = format!(
        "{STRONG}The mock server is ready at {}{STRONG:#}\n\n\
         export MACHINEID_BASE_URL={}\n\
         export MACHINS_BASE_URL={}\n",
        server.url(),
        server.machineid_base_url(),
        server.machins_base_url(),
    );
    if let Some(key) = key {
        document["org_key"] = key.expose().into();
        let _ = writeln!(text, "export MACHINEID_ORG_KEY={}", key.expose());
    }
    let _ = writeln!(
        text,
        "\n{FAINT}Its API is documented at {}/docs. Ctrl-C stops it.{FAINT:#}",
        server.url()
    );
    if out.is_json() { out.line(&document) } else { out.text(&text) }
}

/// An organisation with a few devices, one of them revoked.
fn demo_data(server: &MockServer) -> Result<OrgKey, Failure> {
    let key = OrgKey::new(server.create_org(Plan::Pro).key())?;
    let client = ClientBuilder::default()
        .org_key(key.clone())
        .base_url(server.machineid_base_url())
        .build_blocking()?;
    let devices: Vec<DeviceId> =
        DEMO_DEVICES.iter().map(|id| DeviceId::new(id)).collect::<Result<_, _>>()?;
    for device in &devices {
        let _registered = client.register(device)?;
    }
    if let Some(last) = devices.last() {
        client.revoke(last)?;
    }
    Ok(key)
}

fn exec(command: &[OsString]) -> Result<ExitCode, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::usage("no command given"));
    };
    process::hold_suspensions();
    let server = MockServer::builder()
        .start()
        .map_err(|error| Failure::local("could not start the mock server", error))?;
    let command = Command::new(program)
        .args(arguments)
        .env("MACHINEID_BASE_URL", server.machineid_base_url())
        .env("MACHINS_BASE_URL", server.machins_base_url());
    runtime::block_on(async {
        let signals = Signals::of_a_job()?;
        let job = Job::spawn(command, signals)
            .map_err(|error| process::not_started(&error, Exit::Refused))?;
        let resume = async || Ok::<_, Infallible>(());
        let Ok(outcome) = job.run(&CancellationToken::new(), Duration::ZERO, resume).await;
        process::exit_code(outcome, Exit::Refused)
    })?
}
