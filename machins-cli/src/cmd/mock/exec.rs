//! `machins mock exec`.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueHint};
use machineid_client::{ClientBuilder, DeviceId, OrgKey};
use machins_mock::{MockServer, NewAgent, Plan};
use process_containment::Command;
use tokio_util::sync::CancellationToken;

use super::demo_data::Keys;
use super::options::Options;
use crate::config::file::ConfigFile;
use crate::error::{Exit, ExitCode, Failure};
use crate::output::Output;
use crate::process::{self, Job, Signals};
use crate::runtime;

/// The device that is given to the command.
const DEVICE: &str = "agent-01";
/// What must not go through a proxy.
const LOOPBACK: &str = "127.0.0.1,localhost,::1";
/// The user's own settings, which are not for a mock server.
const REMOVED: [&str; 5] = [
    "MACHINS_PROFILE",
    "MACHINS_STORE",
    "MACHINEID_DECISION_LOG",
    "MACHINEID_ALLOW_INSECURE_HTTP",
    "MACHINS_ALLOW_INSECURE_HTTP",
];
/// How long requests under way may take after the command has ended.
const GRACE: Duration = Duration::from_secs(5);

/// Run a command against a mock server of its own
///
/// Starts a server on a free port and exits with the status of COMMAND, which is given the
/// variables MACHINS_MOCK_URL, MACHINS_BASE_URL, MACHINEID_BASE_URL, the keys of a fresh agent
/// and of an org with a device (MACHINS_API_KEY, MACHINEID_ORG_KEY,
/// MACHINEID_DEVICE_ID), and a config file of its own (MACHINS_CONFIG). Your own config file is
/// put back as it was, whatever COMMAND writes to it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  machins mock exec -- machins validate\n  \
                              machins mock exec --demo-data -- machins browse")]
pub(crate) struct Exec {
    #[command(flatten)]
    options: Options,
    /// Command to run, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

impl Exec {
    pub(super) fn run(self, out: Output) -> Result<ExitCode, Failure> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Failure::usage("no command given"));
        };
        process::hold_suspensions();
        let (server, keys) = self.options.start(MockServer::builder(), out, "")?;
        let keys = keys.map_or_else(|| fresh_keys(&server), Ok)?;
        let failed = |error| Failure::local("could not create a config file", error);
        let folder = tempfile::Builder::new().prefix("machins-mock-").tempdir().map_err(failed)?;
        let config = folder.path().join("config.json");
        // tempfile creates its files with mode 0600.
        let mut file = tempfile::Builder::new().tempfile_in(folder.path()).map_err(failed)?;
        file.write_all(b"{}\n").map_err(failed)?;
        file.persist(&config).map_err(|error| failed(error.error))?;
        let command = Command::new(program).args(arguments);
        let command = with_environment(command, &server, &keys, &config);
        let own = ConfigFile::protect_all(&server.url())?;
        let ended = runtime::block_on(async {
            let signals = Signals::of_a_job()?;
            let job = Job::spawn(command, signals)
                .map_err(|error| process::not_started(&error, Exit::Refused))?;
            let resume = async || Ok::<_, Infallible>(());
            let Ok(outcome) = job.run(&CancellationToken::new(), Duration::ZERO, resume).await;
            server.shutdown_gracefully(GRACE).await;
            process::exit_code(outcome, Exit::Refused)
        })
        .and_then(|ended| ended);
        for file in own {
            file.put_back()?;
        }
        let code = ended?;
        Options::save(&server)?;
        Ok(code)
    }
}

/// The keys of a new org with a device, and of a new agent.
fn fresh_keys(server: &MockServer) -> Result<Keys, Failure> {
    let org = server.create_org(Plan::Pro);
    let _registered = ClientBuilder::default()
        .org_key(OrgKey::new(org.key())?)
        .base_url(server.machineid_base_url())
        .options(
            machineid_client::ClientOptions::new()
                .http(machineid_client::reqwest::ClientBuilder::no_proxy),
        )
        .build_blocking()?
        .register(&DeviceId::new(DEVICE)?)?;
    server.clear_requests();
    let agent = server
        .create_agent(NewAgent::new())
        .map_err(|error| Failure::local("could not create an agent", error))?;
    Ok(Keys { org_key: org.key().to_owned(), device_id: DEVICE.to_owned(), api_key: agent.api_key })
}

fn with_environment(command: Command, server: &MockServer, keys: &Keys, config: &Path) -> Command {
    let command = REMOVED.iter().fold(command, Command::env_remove);
    let command = ["NO_PROXY", "no_proxy"].iter().fold(command, |command, name| {
        let mut hosts = std::env::var_os(name).unwrap_or_default();
        if !hosts.is_empty() {
            hosts.push(",");
        }
        hosts.push(LOOPBACK);
        command.env(name, hosts)
    });
    command
        .env("MACHINS_CONFIG", config)
        .env("MACHINS_MOCK_URL", server.url())
        .env("MACHINS_BASE_URL", server.machins_base_url())
        .env("MACHINEID_BASE_URL", server.machineid_base_url())
        .env("MACHINEID_ORG_KEY", &keys.org_key)
        .env("MACHINEID_DEVICE_ID", &keys.device_id)
        .env("MACHINS_API_KEY", &keys.api_key)
}
