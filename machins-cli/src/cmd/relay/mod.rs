//! `machins relay`: agents' events in NATS JetStream, or on stdout.

mod admin;
mod agents;
mod connect;
mod printable;
mod webhooks;

use std::io::{self, ErrorKind, IsTerminal};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use machins_client::{CancellationToken, Secret};
use machins_relay::{EventStream, HttpReceiver, NatsConnection, Notice, Relay, RelayError};

use self::agents::{Agent, agents};
use self::connect::{
    CredentialFlags, address, address_in_environment, refused, secret, stream_name, text,
};
use self::printable::Printable;
use self::webhooks::SourceFlags;
use crate::config::key::BASE_URL;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::bytes;
use crate::output::{Output, reader_gone};
use crate::process::Signals;
use crate::runtime;
use crate::text::clean;

/// The variable with the secret that signs what is posted.
const SIGNING: &str = "MACHINS_RELAY_SECRET";
/// The value of `--to` that means stdout.
const STDOUT: &str = "-";

/// Pass events on to NATS JetStream, a URL or stdout
///
/// Reads the agent's inbox, oldest first, and acknowledges a notification only after the stream has
/// confirmed its event. Each event is in the stream once, whatever is killed, and those of a trade are
/// in order. Any number of replicas may run: one reads the inbox at a time. While NATS is absent or
/// full, events stay in the inbox. Ctrl-C stops it.
///
/// With --listen it receives webhooks, signed with the secret of their subscriptions, which saves the
/// wait for the next look at the inbox, and brings the events that are in no inbox: new_listing,
/// new_request and new_agent. With several profiles, the path of the URL ends with the agent's id.
///
/// The subject of an event is machins.AGENT.EVENT.PARTITION, its form CloudEvents 1.0 in JSON. The
/// stream is created if it does not exist, with the subjects machins.> and a window of 24 hours in
/// which events that come twice are recognized; one that exists keeps its settings. To a URL, each event
/// is posted until it is answered with a status from 200 to 299, in order per trade, and signed in
/// X-Machins-Signature if there is a secret.
#[derive(Debug, Args)]
#[command(
    name = "relay",
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  machins relay --to nats://127.0.0.1:4222 --stream EVENTS --partitions 8\n  \
    machins relay --to nats://127.0.0.1:4222 --stream EVENTS --listen 0.0.0.0:8092\n  \
    machins relay --to https://hooks.example/events --profiles ada,bob\n  \
    machins relay --to - >> events.jsonl"
)]
pub(crate) struct RelayCommand {
    #[command(subcommand)]
    command: Option<admin::Command>,
    /// Address of NATS (nats:// or tls://), https:// URL that events are posted to, or - for stdout, an
    /// event a line [default: NATS_URL]
    #[arg(long, value_name = "URL", value_parser = destination)]
    to: Option<String>,
    #[command(flatten)]
    credentials: CredentialFlags,
    /// Profiles of the agents whose events are passed on, separated by commas [default: that of
    /// --profile]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "profile")]
    profiles: Vec<String>,
    #[command(flatten)]
    sources: SourceFlags,
    /// Stream in JetStream that holds the events
    #[arg(long, value_name = "NAME", value_parser = stream_name)]
    stream: Option<String>,
    /// Number of partitions, by the trade: as many events can be worked on at once. All replicas use
    /// the same number, and it never changes [default: 8]
    #[arg(long, value_name = "N", requires = "stream")]
    partitions: Option<NonZeroU16>,
    /// For a new stream: number of servers that keep each event [default: 1]
    #[arg(long, value_name = "N", requires = "stream")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: Option<u8>,
    /// For a new stream: age at which events are removed, read or not [default: never]
    #[arg(long, value_name = "HOURS", requires = "stream")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=87_600))]
    max_age_hours: Option<u32>,
    /// For a new stream: size at which it takes no more events [default: the server's limits]
    #[arg(long, value_name = "BYTES", requires = "stream", value_parser = bytes)]
    max_bytes: Option<u64>,
    /// For a receiver over HTTP: file with the secret that signs what is posted [default:
    /// MACHINS_RELAY_SECRET]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    sign_with: Option<PathBuf>,
    /// For a receiver over HTTP: what is posted [default: structured]
    #[arg(long, value_name = "MODE", value_enum)]
    mode: Option<Mode>,
}

/// The content modes of CloudEvents over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// The event with its attributes (application/cloudevents+json)
    Structured,
    /// The payload alone; its attributes are headers from ce-id to ce-type
    Binary,
}

impl RelayCommand {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self.command {
            Some(command) => command.run(context),
            None => self.pass_on(context),
        }
    }

    fn pass_on(&self, context: &Context) -> Result<(), Failure> {
        let destination = self.destination(context)?;
        if context.global.jq.is_some() {
            let hint = "filter the lines: `machins relay --to - | jq .type`";
            return Err(Failure::usage("--jq does not filter events").hint(hint));
        }
        let secret = self.sources.secret()?;
        runtime::block_on(async {
            let (out, stop) = (context.out, CancellationToken::new());
            let mut signals = Signals::new()?;
            let relay = tokio::select! {
                biased;
                relay = self.relay(context) => relay?,
                _ = signals.asked_to_stop() => return Ok(()),
            };
            let relay = self.sources.add_to(relay, secret.as_ref(), out).await?;
            let relay = relay.stop(stop.clone()).on_notice(move |notice| tell(out, notice));
            let mut passing = pin!(pass(&relay, &destination));
            tokio::select! {
                biased;
                ended = &mut passing => return ended,
                _ = signals.asked_to_stop() => stop.cancel(),
                () = reader_gone(), if matches!(destination, Destination::Stdout) => return Ok(()),
            }
            // What is stored is acknowledged. A second signal interrupts that too.
            tokio::select! {
                biased;
                ended = passing => ended,
                _ = signals.asked_to_stop() => Ok(()),
            }
        })?
    }

    /// A relay of all agents, which are asked for their ids.
    async fn relay(&self, context: &Context) -> Result<Relay, Failure> {
        let mut relay = Relay::new();
        for Agent { id, client } in agents(context, &self.profiles).await? {
            relay = relay.agent(&client, id);
        }
        Ok(relay)
    }

    fn destination(&self, context: &Context) -> Result<Destination, Failure> {
        let given = self.to.clone();
        let Some(to) = given.map_or_else(address_in_environment, |to| Ok(Some(to)))? else {
            let hint = "give --to nats://127.0.0.1:4222, set NATS_URL, or print them with --to -";
            return Err(Failure::usage("no destination given").hint(hint));
        };
        let is_http = to.starts_with("http://") || to.starts_with("https://");
        if self.sign_with.is_some() && !is_http {
            return Err(Failure::usage("--sign-with is for a receiver over HTTP"));
        }
        if self.mode.is_some() && !is_http {
            return Err(Failure::usage("--mode is for a receiver over HTTP"));
        }
        match &self.stream {
            Some(_) if to == STDOUT => Err(Failure::usage("stdout has no stream")),
            Some(_) if is_http => Err(Failure::usage("a receiver over HTTP has no stream")),
            None if to == STDOUT => Ok(Destination::Stdout),
            None if is_http => Ok(Destination::Http(self.receiver(context, &to)?)),
            None => Err(Failure::usage("no stream given").hint("for example --stream EVENTS")),
            Some(name) => Ok(Destination::Nats(
                Box::new(self.credentials.connection(&to)?),
                self.described(name)?,
            )),
        }
    }

    fn receiver(&self, context: &Context, url: &str) -> Result<HttpReceiver, Failure> {
        let receiver = if context.allows_insecure_http(&BASE_URL)? {
            HttpReceiver::insecure(url)
        } else {
            HttpReceiver::new(url)
        };
        let usage = |error: RelayError| Failure::usage(error.to_string());
        let mut receiver = receiver.map_err(usage)?;
        if self.mode == Some(Mode::Binary) {
            receiver = receiver.binary();
        }
        let secret = match &self.sign_with {
            Some(file) => Some(secret(file)?),
            None => text(SIGNING)?.map(Secret::new),
        };
        match secret {
            Some(secret) => receiver.secret(&secret).map_err(usage),
            None => Ok(receiver),
        }
    }

    fn described(&self, name: &str) -> Result<EventStream, Failure> {
        let mut stream = EventStream::new(name).map_err(refused)?;
        if let Some(partitions) = self.partitions {
            stream = stream.partitions(partitions);
        }
        if let Some(replicas) = self.replicas {
            stream = stream.replicas(replicas.into());
        }
        if let Some(hours) = self.max_age_hours {
            stream = stream.max_age(Duration::from_hours(hours.into()));
        }
        if let Some(bytes) = self.max_bytes {
            stream = stream.max_bytes(bytes);
        }
        Ok(stream)
    }
}

/// Where the events go.
enum Destination {
    Stdout,
    Nats(Box<NatsConnection>, EventStream),
    Http(HttpReceiver),
}

async fn pass(relay: &Relay, destination: &Destination) -> Result<(), Failure> {
    let ended = match destination {
        Destination::Nats(connection, stream) => relay.to_nats(connection, stream).await,
        Destination::Http(receiver) => relay.to_http(receiver).await,
        Destination::Stdout if io::stdout().is_terminal() => {
            relay.to_writer(Printable::stdout()).await
        }
        Destination::Stdout => relay.to_writer(tokio::io::stdout()).await,
    };
    match ended {
        Err(RelayError::Writer(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        ended => ended.map_err(refused),
    }
}

fn destination(text: &str) -> Result<String, String> {
    if text == STDOUT || text.starts_with("https://") || text.starts_with("http://") {
        return Ok(text.to_owned());
    }
    address(text).map_err(|_| "must begin with nats://, tls:// or https://, or be -".to_owned())
}

fn tell(out: Output, notice: &Notice) {
    let text = notice.to_string();
    let text = clean(&text);
    match notice {
        Notice::InboxFailed(..) => out.warn(&text),
        Notice::Active(_) | Notice::Standby(_) => out.note(&text),
        _ => out.warn_always(&text),
    }
}
