//! `machins relay setup`, `status`, `replay` and `dead-letters`.

use std::fs;
use std::io::{self, ErrorKind, IsTerminal};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand, ValueHint};
use jiff::{SignedDuration, SpanRelativeTo, Timestamp, civil};
use machins_client::InboxQuery;
use machins_relay::{
    DeadLetter, Difference, NatsConnection, RelayError, RelaySetup, StreamAdmin, StreamStatus,
};
use serde::Serialize;

use super::connect::{CredentialFlags, address, address_in_environment, refused, stream_name};
use super::printable::Printable;
use crate::context::Context;
use crate::error::Failure;
use crate::format::time;
use crate::list::{Limit, List, show_list};
use crate::records::Record;
use crate::runtime;
use crate::style::{GOOD, WARN};
use crate::table::{Cell, Table, cell, fields};
use crate::text::clean;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Setup(Setup),
    Status(Status),
    Replay(Replay),
    DeadLetters(DeadLetters),
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Setup(setup) => setup.run(context),
            Self::Status(status) => status.run(context),
            Self::Replay(replay) => replay.run(context),
            Self::DeadLetters(letters) => letters.run(context),
        }
    }
}

// How NATS is reached.
#[derive(Debug, Args)]
struct NatsFlags {
    /// Address of NATS (nats:// or tls://) [default: NATS_URL]
    #[arg(long = "nats", alias = "to", value_name = "URL", value_parser = address)]
    address: Option<String>,
    #[command(flatten)]
    credentials: CredentialFlags,
}

impl NatsFlags {
    fn connection(&self) -> Result<NatsConnection, Failure> {
        let given = self.address.clone();
        let address = given.map_or_else(address_in_environment, |address| Ok(Some(address)))?;
        let address = address.ok_or_else(|| {
            Failure::usage("no address of NATS")
                .hint("give --nats nats://127.0.0.1:4222, or set NATS_URL")
        })?;
        self.credentials.connection(&address)
    }
}

// A stream that exists.
#[derive(Debug, Args)]
struct StreamFlags {
    #[command(flatten)]
    nats: NatsFlags,
    /// Stream in JetStream that holds the events
    #[arg(long, value_name = "NAME", value_parser = stream_name)]
    stream: String,
}

impl StreamFlags {
    async fn admin(&self) -> Result<StreamAdmin, Failure> {
        let connection = self.nats.connection()?;
        StreamAdmin::connect(&connection, self.stream.as_str()).await.map_err(refused)
    }
}

/// Make a stream and its consumers what a file declares
///
/// The TOML file has the tables stream (name, partitions, replicas, max_age_hours, max_bytes),
/// consumers, any number of times (name, event, agent, ack_wait_seconds or backoff_seconds, max_deliver) and
/// dead_letters (max_age_hours, max_bytes); all but the names are optional. Each consumer is one for
/// each partition, workers-0, workers-1 and so on, which gets one event at a time. What is as declared
/// already stays; every change is shown.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  machins relay setup relay.toml --nats nats://127.0.0.1:4222")]
pub(super) struct Setup {
    /// File that declares them
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Only show what would change; the exit code is 1 if anything would
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    nats: NatsFlags,
}

/// The result of a setup.
#[derive(Serialize)]
struct SetupResult<'a> {
    stream: &'a str,
    changed: bool,
    differences: &'a [Difference],
}

impl Setup {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let file = self.file.display();
        let text = fs::read_to_string(&self.file)
            .map_err(|error| Failure::usage(format!("cannot read {file}: {error}")))?;
        let setup = RelaySetup::from_toml(&text)
            .map_err(|error| Failure::usage(format!("{file}: {error}")))?;
        let differences = runtime::block_on(async {
            let connection = self.nats.connection()?;
            let admin = StreamAdmin::connect(&connection, setup.stream_name()).await;
            let admin = admin.map_err(refused)?;
            let compared = if self.check {
                admin.differences(&setup).await
            } else {
                admin.set_up(&setup).await
            };
            compared.map_err(refused)
        })??;
        let result = SetupResult {
            stream: setup.stream_name(),
            changed: !self.check && !differences.is_empty(),
            differences: &differences,
        };
        context.out.result(&result, || {
            let lines: Vec<String> = differences.iter().map(line).collect();
            match lines.as_slice() {
                [] => format!("{GOOD}as declared{GOOD:#}  {}", clean(setup.stream_name())),
                lines => lines.join("\n"),
            }
        })?;
        if self.check && !differences.is_empty() {
            let count = differences.len();
            return Err(Failure::refused(format!("{count} of the settings are not as declared")));
        }
        Ok(())
    }
}

fn line(difference: &Difference) -> String {
    let object = clean(&difference.object);
    match (difference.setting, &difference.found, &difference.declared) {
        (Some(setting), Some(found), Some(declared)) => {
            let (found, declared) = (clean(found), clean(declared));
            format!("{WARN}change{WARN:#}  {object}  {setting}: {found} → {declared}")
        }
        _ => format!("{GOOD}create{GOOD:#}  {object}"),
    }
}

/// Show the stream, who reads the inboxes, and how far the consumers are
///
/// With an API key, the number of unread notifications of its agent is shown, too.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  machins relay status --nats nats://127.0.0.1:4222 --stream EVENTS"
)]
pub(super) struct Status {
    #[command(flatten)]
    stream: StreamFlags,
}

/// The status of a stream, and of the agent's inbox.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    status: StreamStatus,
    /// The number of unread notifications. `None` without an API key.
    inbox_unread: Option<u64>,
}

impl Status {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let inbox_unread = match context.api_key()? {
            Some(_) => {
                let unread = context.machins()?.list_inbox(&InboxQuery::new().unread().limit(1))?;
                unread.unread_count
            }
            None => None,
        };
        let status = runtime::block_on(async {
            self.stream.admin().await?.status().await.map_err(refused)
        })??;
        let shown = Shown { status, inbox_unread };
        context.out.result(&shown, || shown.text())
    }
}

impl Shown {
    fn text(&self) -> String {
        let status = &self.status;
        let number = |number: &dyn ToString| cell(&number.to_string());
        let when = |moment: &Option<String>| -> Cell {
            time(moment.as_deref().map(Into::into).as_ref(), "-")
        };
        let mut rows = vec![
            ("stream", cell(&status.stream)),
            ("events", number(&status.messages)),
            ("bytes", number(&status.bytes)),
            ("oldest", when(&status.first_time)),
            ("newest", when(&status.last_time)),
            (
                "partitions",
                cell(&status.partitions.map_or("-".to_owned(), |count| count.to_string())),
            ),
            ("dead letters", number(&status.dead_letters)),
        ];
        if let Some(unread) = self.inbox_unread {
            rows.push(("unread", number(&unread)));
        }
        let mut text = fields(&rows);
        if !status.leases.is_empty() {
            let table = Table::<machins_relay::LeaseStatus>::new()
                .column("AGENT", |lease| cell(&lease.agent))
                .column("READ BY", |lease| cell(&lease.holder))
                .column("RENEWED", |lease| time(Some(&lease.renewed.as_str().into()), ""));
            text = format!("{text}\n\n{}", table.render(&status.leases));
        }
        if !status.consumers.is_empty() {
            let table = Table::<machins_relay::ConsumerStatus>::new()
                .column("CONSUMER", |consumer| cell(&consumer.name))
                .number("PENDING", |consumer| cell(&consumer.pending.to_string()))
                .number("UNACKNOWLEDGED", |consumer| cell(&consumer.unacknowledged.to_string()))
                .number("REDELIVERED", |consumer| cell(&consumer.redelivered.to_string()))
                .column("SUBJECT", |consumer| cell(&consumer.subject));
            text = format!("{text}\n\n{}", table.render(&status.consumers));
        }
        text
    }
}

/// Print the events since a time again, or have consumers get them again
///
/// Without --consumer, the events that the stream has are printed, one a line, in its order. With it,
/// the consumers of that name, workers-0, workers-1 and so on for workers, are created anew and get the
/// events since that time, those that a worker has at the moment included.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  machins relay replay --since 2h --stream EVENTS\n  \
    machins relay replay --since 7d --stream EVENTS --consumer workers")]
pub(super) struct Replay {
    /// Time (RFC 3339, or a date), or how long ago it was: 30m, 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: SystemTime,
    /// Consumers that get the events again
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    #[command(flatten)]
    stream: StreamFlags,
}

/// The result of having consumers get events again.
#[derive(Serialize)]
struct Rewound<'a> {
    consumer: &'a str,
    consumers: usize,
    since: String,
}

impl Replay {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let Some(consumer) = &self.consumer else { return self.print(context) };
        let consumers = runtime::block_on(async {
            let admin = self.stream.admin().await?;
            admin.rewind(consumer, self.since).await.map_err(refused)
        })??;
        let since = Timestamp::try_from(self.since).unwrap_or_default().to_string();
        let result = Rewound { consumer, consumers, since };
        context.out.outcome(&result, || {
            let since = &result.since;
            format!(
                "{GOOD}rewound{GOOD:#}  {consumers} consumers get the events since {since} again"
            )
        })
    }

    fn print(&self, context: &Context) -> Result<(), Failure> {
        if context.global.jq.is_some() {
            return Err(Failure::usage("--jq does not filter events"));
        }
        let printed = runtime::block_on(async {
            let admin = self.stream.admin().await?;
            let written = if io::stdout().is_terminal() {
                admin.replay_to_writer(self.since, Printable::stdout()).await
            } else {
                admin.replay_to_writer(self.since, tokio::io::stdout()).await
            };
            match written {
                Err(RelayError::Writer(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(None),
                written => written.map(Some).map_err(refused),
            }
        })??;
        if let Some(count) = printed {
            context.out.note(&format!("{count} events"));
        }
        Ok(())
    }
}

/// Parses a time, or how long ago it was.
fn since(text: &str) -> Result<SystemTime, String> {
    since_at(text, Timestamp::now())
}

fn since_at(text: &str, now: Timestamp) -> Result<SystemTime, String> {
    let wrong =
        || "must be a time like 2026-11-27T12:00:00Z, a date, or like 30m, 2h or 7d".to_owned();
    let ago = |span: jiff::Span| {
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
        let is_ago = duration > SignedDuration::ZERO;
        is_ago.then(|| now.checked_sub(duration).ok()).flatten()
    };
    let date = |date: civil::Date| date.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let time = text.parse().ok();
    let time = time.or_else(|| text.parse().ok().and_then(ago));
    let time = time.or_else(|| text.parse().ok().and_then(date).map(|date| date.timestamp()));
    time.map(Into::into).ok_or_else(wrong)
}

/// List the events that no worker could handle, or put them back into the stream
///
/// An event becomes a dead letter when a worker says so, or when it was delivered as often as its
/// consumer may (max_deliver). The stream of dead letters is made by relay setup.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:\n  machins relay dead-letters --stream EVENTS\n  \
    machins relay dead-letters retry 17 --stream EVENTS")]
pub(super) struct DeadLetters {
    #[command(subcommand)]
    command: Option<DeadLettersCommand>,
    #[command(flatten)]
    nats: NatsFlags,
    /// Stream in JetStream that holds the events
    #[arg(long, value_name = "NAME", value_parser = stream_name, required = true)]
    stream: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    /// Put dead letters back into the stream
    ///
    /// Each comes after the newest event, and all consumers of the stream get it again.
    #[command(after_help = "Example:\n  machins relay dead-letters retry 17 18 --stream EVENTS")]
    Retry {
        /// Numbers of the dead letters
        #[arg(value_name = "ID", required = true)]
        ids: Vec<u64>,
        #[command(flatten)]
        stream: StreamFlags,
    },
}

impl Record for DeadLetter {
    const COLUMNS: &'static [&'static str] =
        &["id", "subject", "consumer", "reason", "message_id", "time"];
}

impl DeadLetters {
    fn run(self, context: &Context) -> Result<(), Failure> {
        if let Some(DeadLettersCommand::Retry { ids, stream }) = self.command {
            return retry(context, &stream, &ids);
        }
        let stream = StreamFlags { nats: self.nats, stream: self.stream.unwrap_or_default() };
        let letters = runtime::block_on(async {
            stream.admin().await?.dead_letters().await.map_err(refused)
        })??;
        let letters = List::whole("dead letter", letters, &self.limit);
        let text = |text: &Option<String>| cell(text.as_deref().unwrap_or("-"));
        let table = Table::<DeadLetter>::new()
            .number("ID", |letter| cell(&letter.id.to_string()))
            .column("EVENT", |letter| {
                cell(letter.event.as_ref().map_or("-", machins_relay::CloudEvent::event_type))
            })
            .column("ABOUT", move |letter| {
                text(&letter.event.as_ref().and_then(|event| event.subject.clone()))
            })
            .column("CONSUMER", move |letter| text(&letter.consumer))
            .text("REASON", move |letter| text(&letter.reason))
            .column("SINCE", |letter| time(Some(&letter.time.as_str().into()), ""));
        show_list(context.out, &letters, "There are no dead letters.", &table)
    }
}

fn retry(context: &Context, stream: &StreamFlags, ids: &[u64]) -> Result<(), Failure> {
    let letters = runtime::block_on(async {
        let admin = stream.admin().await?;
        let mut letters: Vec<DeadLetter> = Vec::new();
        for id in ids {
            let retried = admin.retry_dead_letter(*id).await.map_err(|error| match &letters[..] {
                [] => refused(error),
                _ => refused(error).hint("those named before it are back in the stream"),
            });
            letters.push(retried?);
        }
        Ok::<_, Failure>(letters)
    })??;
    context.out.outcome(&letters, || {
        let lines = letters.iter().map(|letter| {
            let subject = clean(letter.subject.as_deref().unwrap_or_default()).into_owned();
            format!("{GOOD}retried{GOOD:#}  {}  {subject}", letter.id)
        });
        lines.collect::<Vec<_>>().join("\n")
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::time("2026-11-27T12:00:00Z", 1_795_780_800)]
    #[case::with_offset("2026-11-27T14:00:00+02:00", 1_795_780_800)]
    #[case::date("2026-11-27", 1_795_737_600)]
    fn a_time_is_read(#[case] text: &str, #[case] seconds: u64) {
        let time = since(text).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(time.as_secs(), seconds);
    }

    #[rstest]
    #[case::minutes("30m", 30 * 60)]
    #[case::days("7d", 7 * 24 * 3600)]
    #[case::both("1h30m", 90 * 60)]
    fn how_long_ago_is_read(#[case] text: &str, #[case] seconds: u64) {
        let now = Timestamp::from_second(1_795_780_800).unwrap();
        let ago = SystemTime::from(now).duration_since(since_at(text, now).unwrap()).unwrap();
        assert_eq!(ago.as_secs(), seconds);
    }

    #[rstest]
    #[case::word("yesterday")]
    #[case::number("30")]
    #[case::the_future("-2h")]
    #[case::nothing("")]
    fn other_text_is_an_error(#[case] text: &str) {
        assert!(since(text).is_err());
    }
}
