//! `machins relay`: an agent's events in NATS JetStream, or on stdout.

use std::io::{self, ErrorKind, IsTerminal};
use std::num::NonZeroU16;
use std::pin::{Pin, pin};
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use agent_client_core::variable;
use clap::Args;
use machins_client::{AgentId, CancellationToken, Client};
use machins_relay::{EventStream, Notice, Relay, RelayError};
use tokio::io::{AsyncWrite, Stdout};

use crate::config::key::AGENT_ID;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{bytes, known, positive_seconds};
use crate::output::{Output, reader_gone};
use crate::process::Signals;
use crate::text::clean;
use crate::{json, runtime};

/// The variable with the address of NATS, which keeps a password off the command line.
const NATS_URL: &str = "NATS_URL";
/// The wait before the service is asked again which agent this is.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// The value of `--to` that means stdout.
const STDOUT: &str = "-";

/// Pass events on to NATS JetStream, or print them as CloudEvents
///
/// Reads the agent's inbox, oldest first, and acknowledges a notification only after the stream has
/// confirmed its event. Each event is in the stream once, whatever is killed, and those of a trade are
/// in order. Any number of replicas may run: one reads the inbox at a time. While NATS is absent or
/// full, events stay in the inbox. Ctrl-C stops it.
///
/// The subject of an event is machins.AGENT.EVENT.PARTITION, its form CloudEvents 1.0 in JSON. The
/// stream is created if it does not exist, with the subjects machins.> and a window of 24 hours in
/// which events that come twice are recognized; one that exists keeps its settings.
#[derive(Debug, Args)]
#[command(
    name = "relay",
    after_help = "Examples:\n  machins relay --to nats://127.0.0.1:4222 --stream EVENTS --partitions 8\n  \
    machins relay --to - >> events.jsonl"
)]
pub(crate) struct RelayCommand {
    /// Address of NATS (nats:// or tls://), or - for stdout, an event a line [default: NATS_URL]
    #[arg(long, value_name = "URL", value_parser = address)]
    to: Option<String>,
    /// Where the events come from
    #[arg(long, value_name = "SOURCE", default_value = "inbox", value_parser = known(&["inbox"]))]
    from: String,
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
    /// Time between two looks at an empty inbox [default: 1, growing to 30 while nothing arrives]
    #[arg(long, value_name = "SECONDS", value_parser = positive_seconds)]
    interval: Option<Duration>,
}

impl RelayCommand {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let destination = self.destination()?;
        if context.global.jq.is_some() {
            let hint = "filter the lines: `machins relay --to - | jq .type`";
            return Err(Failure::usage("--jq does not filter events").hint(hint));
        }
        let client = context.machins_with_key()?.build()?;
        runtime::block_on(async {
            let agent = agent(context, &client).await?;
            let (out, stop) = (context.out, CancellationToken::new());
            let mut relay = Relay::new(&client, agent)
                .stop(stop.clone())
                .on_notice(move |notice| tell(out, notice));
            if let Some(interval) = self.interval {
                relay = relay.every(interval, interval);
            }
            let mut signals = Signals::new()?;
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

    fn destination(&self) -> Result<Destination, Failure> {
        let to = self.to.clone().map_or_else(environment, Ok)?;
        match (&self.stream, to.as_str()) {
            (None, STDOUT) => Ok(Destination::Stdout),
            (Some(_), STDOUT) => Err(Failure::usage("stdout has no stream")),
            (None, _) => Err(Failure::usage("no stream given").hint("for example --stream EVENTS")),
            (Some(name), _) => Ok(Destination::Nats(to, self.described(name)?)),
        }
    }

    fn described(&self, name: &str) -> Result<EventStream, Failure> {
        let mut stream = EventStream::new(name).map_err(failure)?;
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
    Nats(String, EventStream),
}

async fn pass(relay: &Relay, destination: &Destination) -> Result<(), Failure> {
    let ended = match destination {
        Destination::Nats(address, stream) => relay.to_nats(address, stream).await,
        Destination::Stdout if io::stdout().is_terminal() => {
            let stdout = Printable { stdout: tokio::io::stdout(), pending: Vec::new() };
            relay.to_writer(stdout).await
        }
        Destination::Stdout => relay.to_writer(tokio::io::stdout()).await,
    };
    match ended {
        Err(RelayError::Writer(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        ended => ended.map_err(failure),
    }
}

/// The id of the agent whose key is used.
async fn agent(context: &Context, client: &Client) -> Result<AgentId, Failure> {
    let wallet = loop {
        match client.get_wallet().await {
            Ok(wallet) => break wallet,
            Err(error) if error.is_retryable() => {
                context.out.warn(&clean(&format!("trying again: {error:#}")));
                tokio::time::sleep(RETRY_WAIT).await;
            }
            Err(error) => return Err(error.into()),
        }
    };
    if let Some(agent) = wallet.agent_id {
        return Ok(agent);
    }
    let id = context.value(&AGENT_ID)?.ok_or_else(|| {
        let what = "the service does not say which agent this key belongs to";
        Failure::refused(what).hint("save its id: `machins config set agent_id ID`")
    })?;
    Ok(AgentId::new(&id)?)
}

fn environment() -> Result<String, Failure> {
    let usage = |error: String| Failure::usage(error);
    let value = variable(NATS_URL).map_err(|error| usage(error.message().to_owned()))?;
    let Some(value) = value else {
        let hint = "give --to nats://127.0.0.1:4222, set NATS_URL, or print them with --to -";
        return Err(usage("no destination given".to_owned()).hint(hint));
    };
    address(&value).map_err(|error| usage(format!("NATS_URL {error}")))
}

fn address(text: &str) -> Result<String, String> {
    let is_one = text == STDOUT || text.starts_with("nats://") || text.starts_with("tls://");
    if is_one {
        Ok(text.to_owned())
    } else {
        Err("must begin with nats:// or tls://, or be -".into())
    }
}

fn stream_name(text: &str) -> Result<String, String> {
    EventStream::new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn tell(out: Output, notice: &Notice) {
    let text = notice.to_string();
    match notice {
        Notice::InboxFailed(_) => out.warn(&clean(&text)),
        Notice::Active | Notice::Standby => out.note(&text),
        _ => out.warn_always(&text),
    }
}

fn failure(error: RelayError) -> Failure {
    match error {
        RelayError::Inbox(error) => error.into(),
        RelayError::Writer(error) => Failure::local("could not write to stdout", error),
        error => Failure::refused(error.to_string()),
    }
}

/// A terminal, on which text from others is shown and never obeyed. Takes whole lines.
struct Printable {
    stdout: Stdout,
    pending: Vec<u8>,
}

impl AsyncWrite for Printable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_flush(task))?;
        let text = String::from_utf8_lossy(bytes);
        let lines = text.split('\n').map(json::escape);
        self.pending = lines.collect::<Vec<_>>().join("\n").into_bytes();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let Self { stdout, pending } = &mut *self;
            let written = ready!(Pin::new(stdout).poll_write(task, pending))?;
            pending.drain(..written);
        }
        Pin::new(&mut self.stdout).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(task))?;
        Pin::new(&mut self.stdout).poll_shutdown(task)
    }
}
