//! `machins inbox`.

use clap::{Args, Subcommand};
use machins_client::{Acknowledged, EventType, InboxFilter, Notification};
use serde_json::Value;

use super::inbox_watch::{WatchFlags, about};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::known;
use crate::format::{counted, time};
use crate::list::show_list;
use crate::lookup;
use crate::pages::{self, Paging};
use crate::progress::Progress;
use crate::records::Record;
use crate::style::{FAINT, GOOD, STRONG};
use crate::table::{Table, cell, styled};

/// List your notifications, or wait for new ones
///
/// With --watch, each unread notification is shown as it arrives, the oldest first, and acknowledged
/// once it is shown; Ctrl-C stops it, and so does a reader of its output that goes away. A program
/// that reads the lines may fail after that: with --exec, a notification is acknowledged only when its
/// command has succeeded, and with --no-ack it is left to `machins inbox ack`. Two watches of one agent
/// both get what neither has acknowledged yet; on one machine the second one says that there is another.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  machins inbox --unread\n  \
                  machins inbox --watch --event-type trade_proposed\n  \
                  machins inbox --watch --exec 'cat >> events.jsonl'")]
pub(crate) struct Inbox {
    #[command(flatten)]
    list: ListFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

// The flags of the list, which the commands within inbox refuse.
#[derive(Debug, Default, PartialEq, Args)]
struct ListFlags {
    /// Only notifications that are not acknowledged yet
    #[arg(long)]
    unread: bool,
    /// Only notifications of this event, for example trade_proposed
    #[arg(long, value_name = "EVENT", value_parser = known(EventType::WORDS), hide_possible_values = true)]
    event_type: Option<String>,
    /// Wait for notifications, and acknowledge each once it is shown
    #[arg(long, conflicts_with_all = ["limit", "offset", "all"])]
    watch: bool,
    #[command(flatten)]
    watching: WatchFlags,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Mark notifications as read
    #[command(after_help = "Example:\n  machins inbox ack 11223344")]
    Ack {
        /// Ids of the notifications, or unique prefixes of at least 6 characters
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// Mark all notifications as read
    #[command(after_help = "Example:\n  machins inbox ack-all")]
    AckAll,
}

impl Inbox {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let Some(command) = self.command else {
            return self.list.run(context);
        };
        if self.list != ListFlags::default() {
            let what = "flags for the list cannot be used with a subcommand of inbox";
            return Err(Failure::usage(what).hint("`machins inbox ack --help`"));
        }
        let client = context.machins()?;
        let reply = match command {
            Command::Ack { ids } => {
                let progress = Progress::start(context.out, "Looking up the notifications…");
                let ids = lookup::notifications(&client, &progress, &ids)?;
                client.ack_inbox(&ids)?
            }
            Command::AckAll => client.ack_all_inbox()?,
        };
        context.out.outcome(&reply, || acknowledged(&reply))
    }
}

impl ListFlags {
    fn run(self, context: &Context) -> Result<(), Failure> {
        if self.watch {
            return self.watching.watch(context, self.event_type.as_deref());
        }
        let filter =
            InboxFilter { unread: self.unread, event_type: self.event_type.map(EventType::from) };
        let client = context.machins()?;
        let notifications = pages::fetch(
            context.out,
            &self.paging,
            "notification",
            filter,
            |query| client.list_inbox(query),
            |query| client.inbox_all(query),
        )?;
        let table = Table::<Notification>::new()
            .column("EVENT", |notification| cell(notification.event_type.as_str()))
            .column("ABOUT", |notification| cell(&about(&notification.payload)))
            .column("ID", |notification| cell(notification.id.as_str()))
            .column("STATE", |notification| {
                if notification.is_read { styled("read", FAINT) } else { styled("new", STRONG) }
            })
            .column("WHEN", |notification| time(notification.created_at.as_ref(), ""));
        let if_empty = "No notifications found. Wait for new ones: `machins inbox --watch`";
        show_list(context.out, &notifications, if_empty, &table)
    }
}

/// Says how many notifications were acknowledged, if the reply has the number.
fn acknowledged(reply: &Acknowledged) -> String {
    let word = format!("{GOOD}acknowledged{GOOD:#}");
    match reply.reply.get("acknowledged").and_then(Value::as_u64) {
        Some(count) => format!("{word}  {}", counted(count, "notification")),
        None => word,
    }
}

impl Record for Notification {
    const COLUMNS: &'static [&'static str] =
        &["id", "event_type", "is_read", "created_at", "payload"];
}
