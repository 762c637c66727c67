//! `machins mcp gate`: MachineID in front of the tools that agents call over MCP.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use machineid_client::decision_log::DecisionLog;
use machineid_client::{CancellationToken, Client, DeviceId, Gate};
use machins_mcp::{CallDenied, HttpServer, McpGate, OnDenial, ServerEnd, ServerError, SessionEnd};
use process_containment::{Command, Error as ContainmentError};
use serde_json::json;
use tokio::net::TcpListener;

use crate::context::Context;
use crate::decision_log::DecisionLogFlags;
use crate::error::{Exit, ExitCode, Failure};
use crate::flags::positive_seconds;
use crate::output::Output;
use crate::process::{self, Signals};
use crate::{background, panic, runtime};

/// How long one question may take unless --timeout says otherwise.
const QUESTION: Duration = Duration::from_secs(10);

/// Run an MCP server, and ask whether a device may run before each call of a tool
///
/// An MCP client is given this command in place of SERVER. Messages pass in both directions as
/// they are; before each tools/call MachineID is asked, and a call that is denied is answered
/// with a tool error that holds the code. The server never sees it. Registers the device at the
/// start. A message that two readers could understand differently, such as a batch or an object
/// with the same key twice, is not passed on.
///
/// With -- SERVER, speaks MCP on stdin and stdout, starts SERVER, and ends it with everything it
/// started when the session ends. SERVER is given MACHINEID_DEVICE_ID and not MACHINEID_ORG_KEY.
/// Exits with the status of SERVER if that ends by itself.
///
/// With --url and --listen, serves streamable HTTP in front of a server that runs elsewhere. Its
/// URL is the first line on stdout; with --json it is a JSON object with the fields url and pid.
/// Only requests with a loopback Host and Origin are answered, and those permitted.
#[derive(Debug, Args)]
#[command(
    name = "gate",
    after_help = "Examples:\n  machins mcp gate --device agent-01 -- true < /dev/null\n  \
    claude mcp add files -- machins mcp gate -- npx -y some-mcp-server"
)]
pub(crate) struct McpGateCommand {
    /// Id of the device [default: MACHINEID_DEVICE_ID or the setting machineid.device_id]
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// Device to ask about for one tool, or for a client: client:NAME=DEVICE (repeatable)
    ///
    /// NAME is the one that the client gives itself. A tool's device goes before a client's.
    #[arg(long, value_name = "TOOL=DEVICE", value_parser = device_for)]
    device_for: Vec<(Asker, DeviceId)>,
    /// Tools that may be called, all if none is named; !NAME may not be called (repeatable)
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    tools: Vec<String>,
    /// What becomes of a call that is denied: a tool error, a protocol error, or the end
    #[arg(long, value_name = "HOW", value_enum, default_value_t = DenialForm::Result)]
    on_denial: DenialForm,
    /// How often to ask again while a call runs, which a denial then cancels [default: never]
    #[arg(long, value_name = "SECONDS", value_parser = positive_seconds)]
    every: Option<Duration>,
    /// Size of the largest message that passes, in MiB
    #[arg(long, value_name = "MIB", default_value = "64", value_parser = clap::value_parser!(u32).range(1..=1024))]
    max_message: u32,
    /// MCP endpoint of a server that runs elsewhere
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, requires = "listen", conflicts_with = "server")]
    url: Option<String>,
    /// Address to serve that endpoint at; port 0 picks a free one
    #[arg(long, value_name = "ADDR", value_parser = address, requires = "url")]
    listen: Option<SocketAddr>,
    /// Host name that clients may use, besides loopback names (repeatable)
    #[arg(long, value_name = "NAME", requires = "url")]
    allow_host: Vec<String>,
    /// Origin whose pages may use the gate, besides loopback ones (repeatable)
    #[arg(long, value_name = "ORIGIN", requires = "url")]
    allow_origin: Vec<String>,
    #[command(flatten)]
    log: DecisionLogFlags,
    /// Server to start, with its arguments
    #[arg(last = true, required_unless_present = "url", value_name = "SERVER", value_hint = ValueHint::CommandWithArguments)]
    server: Vec<OsString>,
}

/// What has a device of its own.
#[derive(Clone, Debug)]
enum Asker {
    Tool(String),
    Client(String),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DenialForm {
    /// A tool result that is an error, which the model reads
    Result,
    /// A JSON-RPC error, which the client handles
    Error,
    /// A tool result that is an error, and the end of the server with everything it started
    Stop,
}

impl McpGateCommand {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        panic::deny_on_panic();
        // The server is not handed the org key.
        process::hide_environment();
        background::start().map_err(|error| Failure::local("could not start a thread", error))?;
        let device = context.device(self.device.as_deref())?;
        let client = client(context)?;
        let log = self.log.open(context, "mcp gate")?;
        let out = context.out;
        let gate = self
            .gate(&client, &device, log.as_ref())
            .observer(move |event| out.note(&format!("mcp gate: {event}")));
        runtime::block_on(async {
            if self.on_denial.stops() {
                gate.register().await?;
            } else {
                register_meanwhile(&gate, context.out, "mcp gate");
            }
            match (&self.url, self.listen) {
                (Some(url), Some(listen)) => self.serve(context.out, &gate, url, listen).await,
                _ => self.run_server(&gate, &device).await,
            }
        })?
    }

    fn gate(&self, client: &Client, device: &DeviceId, log: Option<&DecisionLog>) -> McpGate {
        let gate = |device: &DeviceId| {
            let gate = Gate::new(client, device.clone()).register_on_start();
            match log {
                Some(log) => gate.decision_log(log.clone()),
                None => gate,
            }
        };
        let (denied, allowed): (Vec<_>, Vec<_>) =
            self.tools.iter().partition(|name| name.starts_with('!'));
        let megabytes = usize::try_from(self.max_message).unwrap_or(usize::MAX);
        let mut mcp = McpGate::new(gate(device))
            .deny_tools(denied.iter().map(|name| name.trim_start_matches('!')))
            .on_denial(self.on_denial.into())
            .max_message_bytes(megabytes.saturating_mul(1024 * 1024));
        if !allowed.is_empty() {
            mcp = mcp.allow_tools(allowed);
        }
        if let Some(interval) = self.every {
            mcp = mcp.recheck_every(interval);
        }
        self.device_for.iter().fold(mcp, |mcp, (asker, device)| match asker {
            Asker::Tool(tool) => mcp.device_for(tool, gate(device)),
            Asker::Client(name) => mcp.device_for_client(name, gate(device)),
        })
    }

    async fn run_server(&self, gate: &McpGate, device: &DeviceId) -> Result<ExitCode, Failure> {
        let Some((program, arguments)) = self.server.split_first() else {
            return Err(Failure::usage("no server given"));
        };
        let server = Command::new(program)
            .args(arguments)
            .env("MACHINEID_DEVICE_ID", device.as_str())
            .env_remove("MACHINEID_ORG_KEY");
        let stop = CancellationToken::new();
        let mut signals = Signals::new()?;
        let mut interrupted = None;
        let running = gate.run_server(server, &stop);
        let mut running = std::pin::pin!(running);
        let end = loop {
            tokio::select! {
                end = &mut running => break end,
                signal = signals.asked_to_stop() => {
                    interrupted.get_or_insert(signal);
                    stop.cancel();
                }
            }
        };
        let ServerEnd { session, status, .. } = end.map_err(|error| not_started(&error))?;
        match (interrupted, session, status) {
            (Some(signal), ..) => Ok(process::signalled(signal)),
            (None, Some(SessionEnd::Denied(denied)), _) => Err(failure(denied)),
            (None, Some(SessionEnd::ClientClosed), _) => Ok(ExitCode::SUCCESS),
            (None, _, Some(status)) => Ok(process::code_of(status)),
            (None, _, None) => Err(Failure::refused("the server was ended by somebody else")),
        }
    }

    async fn serve(
        &self,
        out: Output,
        gate: &McpGate,
        url: &str,
        listen: SocketAddr,
    ) -> Result<ExitCode, Failure> {
        let server = HttpServer::new(url).map_err(|error| Failure::usage(error.to_string()))?;
        let server = self.allow_host.iter().fold(server, HttpServer::allow_host);
        let server = self.allow_origin.iter().fold(server, HttpServer::allow_origin);
        let could_not = |error| Failure::local(format!("could not listen at {listen}"), error);
        let listener = TcpListener::bind(listen).await.map_err(could_not)?;
        let address = listener.local_addr().map_err(could_not)?;
        let mut signals = Signals::new()?;
        let url = format!("http://{address}{}", server.path());
        if out.is_json() {
            out.line(&json!({"url": url, "pid": std::process::id()}))?;
        } else {
            out.text(&format!("{url}\n"))?;
        }
        let stop = CancellationToken::new();
        tokio::select! {
            end = gate.serve_http(listener, server, &stop) => end.map_err(failure)?,
            _ = signals.asked_to_stop() => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl DenialForm {
    fn stops(self) -> bool {
        matches!(self, Self::Stop)
    }
}

impl From<DenialForm> for OnDenial {
    fn from(form: DenialForm) -> Self {
        match form {
            DenialForm::Result => Self::Result,
            DenialForm::Error => Self::Error,
            DenialForm::Stop => Self::Stop,
        }
    }
}

/// Registers the devices of a gate at the start. Without it the first call registers, or is denied.
pub(super) fn register_meanwhile(gate: &McpGate, out: Output, command: &'static str) {
    let gate = gate.clone();
    tokio::spawn(async move {
        if let Err(denied) = gate.register().await {
            out.warn(&format!("{command}: {denied:#}"));
        }
    });
}

/// A client whose questions do not take long.
pub(super) fn client(context: &Context) -> Result<Client, Failure> {
    context.limit_each_call();
    let builder = context.machineid_with_key()?;
    let builder = match context.global.timeout {
        Some(_) => builder,
        None => builder.options(context.options().attempt_timeout(QUESTION).timeout(QUESTION)),
    };
    Ok(builder.build()?)
}

fn failure(denied: CallDenied) -> Failure {
    match denied {
        CallDenied::Device(denied) => denied.into(),
        denied => Failure::denied(format!("{denied:#}")).code(denied.code()),
    }
}

fn not_started(error: &ServerError) -> Failure {
    let text = error.to_string();
    match error {
        ServerError::NotStarted(ContainmentError::NotFound { .. }) => {
            Failure::command(Exit::CommandNotFound, text)
        }
        ServerError::NotStarted(ContainmentError::NotExecutable { .. }) => {
            Failure::command(Exit::NotExecutable, text)
        }
        _ => Failure::denied(text),
    }
}

fn device_for(text: &str) -> Result<(Asker, DeviceId), String> {
    let (asker, device) = text.rsplit_once('=').unwrap_or_default();
    let asker = match asker.strip_prefix("client:") {
        Some(name) => Asker::Client(name.to_owned()),
        None => Asker::Tool(asker.to_owned()),
    };
    let (Asker::Tool(name) | Asker::Client(name)) = &asker;
    if name.is_empty() {
        let message = "must be TOOL=DEVICE, for example deploy=deployer-01, or client:NAME=DEVICE";
        return Err(message.to_owned());
    }
    Ok((asker, DeviceId::new(device).map_err(|error| error.to_string())?))
}

/// Parses `HOST:PORT`, `:PORT` and `PORT`; without a host it is 127.0.0.1.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok(([127, 0, 0, 1], port).into());
    }
    let host = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    host.as_deref().unwrap_or(text).parse().map_err(|_| {
        "must be an IP address and a port, for example 127.0.0.1:8090 or 8090".to_owned()
    })
}
