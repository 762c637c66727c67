//! The control API of a mock server that is running, for a shell.

#![allow(
    clippy::doc_markdown,
    reason = "the comments on arguments are the help that users read, where backticks would show"
)]

use std::path::PathBuf;
use std::time::Duration;

use agent_client_core::{BaseUrl, Blocking, Reply, Transport, variable};
use clap::{Args, Subcommand, ValueHint};
use machineid_client::{Call, ClientOptions, Method};
use machins_client::Document;
use serde::Serialize;
use serde_json::{Value, json};

use super::exports::exports;
use super::filter::{Range, RequestFilter, WaitOptions};
use crate::context::Context;
use crate::error::Failure;
use crate::list::Limit;
use crate::output::to_stderr;
use crate::{json, json_flag, records};

/// The variable with the URL of the mock server, or of a world on it.
const MOCK_URL: &str = "MACHINS_MOCK_URL";
/// How long a call takes at most, beside what it waits for.
const CALL: Duration = Duration::from_secs(30);

/// A list of the control API.
struct Listed {
    /// The field of the reply that holds it.
    field: &'static str,
    /// The fields of its items that are columns for programs. The first identifies an item.
    columns: &'static [&'static str],
}

const FAULTS: Listed = Listed {
    field: "faults",
    columns: &["id", "kind", "on", "match", "after", "times", "probability", "hits"],
};
const REQUESTS: Listed = Listed {
    field: "requests",
    columns: &["seq", "method", "path", "status", "agent", "device", "fault", "received_at"],
};
const WEBHOOKS: Listed = Listed {
    field: "webhooks",
    columns: &["n", "event", "agent", "url", "attempt", "status", "error", "sent_at"],
};
const WORLDS: Listed =
    Listed { field: "worlds", columns: &["name", "url", "machins_base_url", "machineid_base_url"] };

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Control {
    /// Check that a mock server is up
    #[command(after_help = "Example:\n  machins mock health")]
    Health(Plain),
    /// Empty the world: no orgs, agents, faults or recorded requests, and the clock as
    /// at the start
    #[command(after_help = "Example:\n  machins mock reset")]
    Reset(Plain),
    /// Add orgs, agents, listings and trades from a JSON file
    #[command(after_help = "Example:\n  machins mock fixtures market.json")]
    Fixtures(Fixtures),
    /// Show the virtual time, or move it
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  machins mock clock\n  machins mock clock advance 86400"
    )]
    Clock(Clock),
    /// List the faults, or add one
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  machins mock fault\n  machins mock fault add '{\"kind\":\"drop_before\",\"times\":1}'"
    )]
    Fault(Fault),
    /// List the requests received, or wait for some
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  machins mock requests --path '/api/v1/devices/*'\n  machins mock requests clear"
    )]
    Requests(Requests),
    /// List the webhooks posted, or wait for some
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  machins mock webhooks\n  machins mock webhooks clear"
    )]
    Webhooks(Webhooks),
    /// List the worlds beside the server's own, or create one
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  machins mock world\n  machins mock world create worker-1"
    )]
    World(World),
}

// Where the mock server is. A doc comment would replace the help of each command.
#[derive(Debug, Args)]
struct Server {
    /// URL of the mock server, or of a world on it [env: MACHINS_MOCK_URL]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, global = true)]
    url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Plain {
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct Fixtures {
    /// JSON file, or - for stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct Clock {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    command: Option<ClockCommand>,
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Set the time; what falls due on the way there happens
    #[command(after_help = "Example:\n  machins mock clock set 2026-12-31T23:59:59Z --frozen")]
    Set {
        /// Time, such as 2026-01-31T12:00:00Z
        #[arg(value_name = "TIME")]
        now: jiff::Timestamp,
        /// Stop the clock there
        #[arg(long)]
        frozen: bool,
    },
    /// Move the time forward; what falls due on the way happens
    #[command(after_help = "Example:\n  machins mock clock advance 3600")]
    Advance {
        /// Number of seconds
        #[arg(value_name = "SECONDS")]
        seconds: f64,
    },
    /// Stop the clock
    #[command(after_help = "Example:\n  machins mock clock freeze")]
    Freeze,
    /// Let the clock go on from where it stands
    #[command(after_help = "Example:\n  machins mock clock unfreeze")]
    Unfreeze,
}

#[derive(Debug, Args)]
pub(crate) struct Fault {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    limit: Limit,
    #[command(subcommand)]
    command: Option<FaultCommand>,
}

#[derive(Debug, Subcommand)]
enum FaultCommand {
    /// Add a fault
    #[command(
        after_help = "Example:\n  machins mock fault add '{\"kind\":\"status\",\"status\":503,\"times\":2}'"
    )]
    Add {
        /// Fault as a JSON object, or - for stdin
        #[arg(value_name = "JSON", allow_hyphen_values = true)]
        fault: String,
    },
    /// Remove a fault
    #[command(after_help = "Example:\n  machins mock fault remove 1")]
    Remove {
        /// Id of the fault
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// Remove all faults
    #[command(after_help = "Example:\n  machins mock fault clear")]
    Clear,
}

#[derive(Debug, Args)]
pub(crate) struct Requests {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    filter: RequestFilter,
    #[command(flatten)]
    range: Range,
    #[command(subcommand)]
    command: Option<RequestsCommand>,
}

#[derive(Debug, Subcommand)]
enum RequestsCommand {
    /// Wait until requests have been answered; exit code 1 if they do not come in time
    #[command(after_help = "Example:\n  machins mock requests wait --method POST --count 2")]
    Wait {
        #[command(flatten)]
        filter: RequestFilter,
        #[command(flatten)]
        wait: WaitOptions,
    },
    /// Forget the recorded requests
    #[command(after_help = "Example:\n  machins mock requests clear")]
    Clear,
}

#[derive(Debug, Args)]
pub(crate) struct Webhooks {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    range: Range,
    #[command(subcommand)]
    command: Option<WebhooksCommand>,
}

#[derive(Debug, Subcommand)]
enum WebhooksCommand {
    /// Wait until webhooks have been posted; exit code 1 if they are not in time
    #[command(after_help = "Example:\n  machins mock webhooks wait --event trade_proposed")]
    Wait {
        #[command(flatten)]
        filter: WebhookFilter,
        #[command(flatten)]
        wait: WaitOptions,
    },
    /// Post a webhook again
    #[command(after_help = "Example:\n  machins mock webhooks resend 1")]
    Resend {
        /// Number of the webhook: its n
        #[arg(value_name = "N")]
        n: u64,
    },
    /// Forget the recorded webhooks
    #[command(after_help = "Example:\n  machins mock webhooks clear")]
    Clear,
}

/// Conditions on webhooks, in the words of the control API.
#[derive(Debug, Default, Args, Serialize)]
struct WebhookFilter {
    /// Type of the event
    #[arg(long, value_name = "EVENT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// Slug of the agent that receives it
    #[arg(long, value_name = "SLUG")]
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// Path of its URL, or a pattern
    #[arg(long, value_name = "PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// HTTP status of the receiver's reply
    #[arg(long, value_name = "STATUS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct World {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    limit: Limit,
    #[command(subcommand)]
    command: Option<WorldCommand>,
}

#[derive(Debug, Subcommand)]
enum WorldCommand {
    /// Create an empty world, under a path of its own
    ///
    /// Prints the variables that lead to it, for a shell to evaluate:
    /// eval "$(machins mock world create)"
    #[command(after_help = "Example:\n  machins mock world create worker-1")]
    Create {
        /// Name; the server chooses one if none is given
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Seed of its random values
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
    },
    /// Remove a world with everything in it
    #[command(after_help = "Example:\n  machins mock world remove worker-1")]
    Remove {
        /// Name of the world
        #[arg(value_name = "NAME")]
        name: String,
    },
}

impl Control {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Health(Plain { server }) => {
                server.call(context, Call::get("/_mock/health"), Duration::ZERO)
            }
            Self::Reset(Plain { server }) => {
                server.call(context, Call::post("/_mock/reset"), Duration::ZERO)
            }
            Self::Fixtures(Fixtures { file, server }) => {
                let fixtures = if file.as_os_str() == "-" {
                    json_flag::value("FILE", "-")?
                } else {
                    json_flag::file("FILE", &file)?
                };
                server.call(context, Call::post("/_mock/fixtures").body(&fixtures), Duration::ZERO)
            }
            Self::Clock(Clock { server, command }) => {
                let set = |body: Value| Call::new(Method::PUT, "/_mock/clock").body(&body);
                let call = match command {
                    None => Call::get("/_mock/clock"),
                    Some(ClockCommand::Set { now, frozen: true }) => {
                        set(json!({"now": now, "frozen": true}))
                    }
                    Some(ClockCommand::Set { now, frozen: false }) => set(json!({"now": now})),
                    Some(ClockCommand::Advance { seconds }) => {
                        Call::post("/_mock/clock/advance").body(&json!({"seconds": seconds}))
                    }
                    Some(ClockCommand::Freeze) => set(json!({"frozen": true})),
                    Some(ClockCommand::Unfreeze) => set(json!({"frozen": false})),
                };
                server.call(context, call, Duration::ZERO)
            }
            Self::Fault(Fault { server, limit, command }) => {
                let call = match command {
                    None => {
                        return server.list(context, Call::get("/_mock/faults"), &FAULTS, &limit);
                    }
                    Some(FaultCommand::Add { fault }) => {
                        Call::post("/_mock/faults").body(&json_flag::value("JSON", &fault)?)
                    }
                    Some(FaultCommand::Remove { id }) => {
                        Call::new(Method::DELETE, "/_mock/faults/{id}")
                            .segment("id", &id.to_string())
                    }
                    Some(FaultCommand::Clear) => Call::new(Method::DELETE, "/_mock/faults"),
                };
                server.call(context, call, Duration::ZERO)
            }
            Self::Requests(Requests { server, filter, range, command }) => {
                let (call, wait) = match command {
                    None => {
                        let call = Call::get("/_mock/requests").query(&filter).query(&range);
                        return server.list(context, call, &REQUESTS, &Limit::default());
                    }
                    Some(RequestsCommand::Wait { filter, wait }) => {
                        let within = wait.within();
                        let body = wait.body(&filter)?;
                        (Call::post("/_mock/requests/wait").body(&body), within)
                    }
                    Some(RequestsCommand::Clear) => {
                        (Call::new(Method::DELETE, "/_mock/requests"), Duration::ZERO)
                    }
                };
                server.call(context, call, wait)
            }
            Self::Webhooks(Webhooks { server, range, command }) => {
                let (call, wait) = match command {
                    None => {
                        let call = Call::get("/_mock/webhooks").query(&range);
                        return server.list(context, call, &WEBHOOKS, &Limit::default());
                    }
                    Some(WebhooksCommand::Wait { filter, wait }) => {
                        let within = wait.within();
                        let body = wait.body(&filter)?;
                        (Call::post("/_mock/webhooks/wait").body(&body), within)
                    }
                    Some(WebhooksCommand::Resend { n }) => {
                        let call = Call::post("/_mock/webhooks/{n}/resend");
                        (call.segment("n", &n.to_string()), Duration::ZERO)
                    }
                    Some(WebhooksCommand::Clear) => {
                        (Call::new(Method::DELETE, "/_mock/webhooks"), Duration::ZERO)
                    }
                };
                server.call(context, call, wait)
            }
            Self::World(World { server, limit, command: None }) => {
                server.list(context, Call::get("/_mock/worlds"), &WORLDS, &limit)
            }
            Self::World(World { server, command: Some(command), .. }) => {
                server.world(context, command)
            }
        }
    }
}

impl Server {
    /// Makes a call and prints its reply.
    fn call(&self, context: &Context, call: Call<Reply>, wait: Duration) -> Result<(), Failure> {
        let document = self.send(context, call, wait)?;
        let human = || json::indented(&document).unwrap_or_default();
        // The exit code says as much.
        if document.as_json() == r#"{"status":"ok"}"# {
            return context.out.outcome(&document, human);
        }
        context.out.result(&document, human)
    }

    /// Prints a list. For people, it is what the server says, whole.
    fn list(
        &self,
        context: &Context,
        call: Call<Reply>,
        listed: &Listed,
        limit: &Limit,
    ) -> Result<(), Failure> {
        let mut document = self.send(context, call, Duration::ZERO)?;
        let mut items: Vec<Document> = document
            .field(listed.field)
            .and_then(|items| items.to().ok())
            .ok_or_else(|| Failure::refused(format!("the reply has no {}", listed.field)))?;
        if items.len() > limit.most() {
            items.truncate(limit.most());
            document = Document::new(&json!({ listed.field: items }))?;
        }
        let format = context.out.format();
        if format.is_for_programs() {
            let heading = records::heading(format, listed.columns)?;
            return context.out.text(&(heading + &records::rows(format, listed.columns, &items)?));
        }
        context.out.result(&document, || json::indented(&document).unwrap_or_default())
    }

    fn world(&self, context: &Context, command: WorldCommand) -> Result<(), Failure> {
        match command {
            WorldCommand::Remove { name } => {
                let call = Call::new(Method::DELETE, "/_mock/worlds/{name}").segment("name", &name);
                self.call(context, call, Duration::ZERO)
            }
            WorldCommand::Create { name, seed } => {
                let mut body = json!({});
                if let Some(name) = name {
                    body["name"] = name.into();
                }
                if let Some(seed) = seed {
                    body["seed"] = seed.into();
                }
                let call = Call::post("/_mock/worlds").body(&body);
                let world = self.send(context, call, Duration::ZERO)?;
                context.out.result(&world, || exports(|field| world[field].as_str()))
            }
        }
    }

    /// Makes a call, which may wait for so long before it is answered.
    fn send(
        &self,
        context: &Context,
        call: Call<Reply>,
        wait: Duration,
    ) -> Result<Document, Failure> {
        let limit = context.global.timeout.unwrap_or(CALL.saturating_add(wait));
        let options = ClientOptions::new()
            .user_agent(concat!("machins-cli/", env!("CARGO_PKG_VERSION")))
            .timeout(limit)
            .attempt_timeout(limit)
            // A mock server is on this machine or in the next container.
            .http(machineid_client::reqwest::ClientBuilder::no_proxy);
        let client = Blocking::new(self.url()?, Vec::new(), options)?;
        let reply = client.send(call.idempotent().single_attempt().ignore_pause())?;
        let document = reply.json::<Document>();
        if reply.is_success() {
            return Ok(document?);
        }
        if let Ok(document) = &document {
            if context.out.is_json() {
                context.out.document(document)?;
            } else if reply.status() == 408 {
                // What came instead. Not on stdout, which a shell may evaluate.
                to_stderr(&format!("{}\n", json::indented(document)?));
            }
        }
        Err(reply.error().into())
    }

    fn url(&self) -> Result<BaseUrl, Failure> {
        let from_environment =
            || variable(MOCK_URL).map_err(|error| Failure::usage(error.message().to_owned()));
        let url = match &self.url {
            Some(url) => Some(url.clone()),
            None => from_environment()?,
        };
        let url = url.ok_or_else(|| {
            Failure::usage("no mock server given").hint(format!(
                "give its address with --url, or set {MOCK_URL}; to start one: `machins mock serve`"
            ))
        })?;
        // No key is sent.
        Ok(BaseUrl::parse_insecure(&url)?)
    }
}
