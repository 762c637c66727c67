//! `machins inbox`.

use std::pin::pin;

use clap::{Args, Subcommand};
use machins_client::{
    Acknowledged, CancellationToken, EventType, InboxFilter, Money, Notification,
};
use serde_json::Value;

use crate::context::Context;
use crate::error::Failure;
use crate::flags::known;
use crate::format::{counted, credits, scalar, time};
use crate::list::show_list;
use crate::pages::{self, Paging};
use crate::progress::Progress;
use crate::records::Record;
use crate::style::{FAINT, GOOD, STRONG};
use crate::table::{Table, cell, styled};
use crate::text::clean;
use crate::{lookup, runtime};

/// List your notifications, or wait for new ones
///
/// With --watch, each unread notification is shown as it arrives, and acknowledged once it is
/// shown. Ctrl-C stops it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  machins inbox --unread\n  machins inbox --watch --event-type trade_proposed"
)]
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
            return watch(context, self.event_type.as_deref());
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

/// The id that an event is about: of a trade, a listing or an agent.
fn about(payload: &Value) -> String {
    ["trade_id", "listing_id", "matched_listing_id", "agent_slug", "agent_id"]
        .into_iter()
        .find_map(|name| payload.get(name).and_then(scalar))
        .unwrap_or_default()
}

/// Shows notifications as they come, until it is interrupted or stdout is closed.
fn watch(context: &Context, event_type: Option<&str>) -> Result<(), Failure> {
    let client = context.machins_with_key()?.build()?;
    let stop = CancellationToken::new();
    let mut watch = client.inbox_watch().stop(stop.clone());
    if let Some(event_type) = event_type {
        watch = watch.event_type(EventType::from(event_type));
    }
    let progress = Progress::start(context.out, "Waiting for notifications; Ctrl-C stops…");
    let mut deliveries = watch.deliveries();
    let show_all = async {
        while let Some(delivery) = deliveries.next().await {
            let delivery = delivery?;
            let Some(notification) = delivery.notification() else {
                let what = "an entry of the inbox is not a notification, and stays unread";
                progress.aside(|| context.out.warn(what));
                delivery.park(what);
                continue;
            };
            let is_read = progress
                .aside(|| context.out.next_result(notification, || summarize(notification)))?;
            if !is_read {
                delivery.park("nobody reads it");
                return Ok(());
            }
            delivery.acknowledge().await?;
        }
        Ok(())
    };
    runtime::block_on(async {
        let mut show_all = pin!(show_all);
        tokio::select! {
            biased;
            result = &mut show_all => return result,
            _ = tokio::signal::ctrl_c() => stop.cancel(),
        }
        // The last notification shown is acknowledged. A second Ctrl-C interrupts that too.
        tokio::select! {
            biased;
            result = show_all => result,
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })?
}

/// A notification on one line.
fn summarize(notification: &Notification) -> String {
    let mut words = vec![format!("{STRONG}{}{STRONG:#}", clean(notification.event_type.as_str()))];
    let about = about(&notification.payload);
    if !about.is_empty() {
        words.push(clean(&about).into_owned());
    }
    for name in ["price", "status", "title"] {
        let Some(text) = notification.payload.get(name).and_then(scalar) else { continue };
        words.push(match text.parse::<Money>() {
            Ok(money) if name == "price" => credits(money),
            _ => clean(&text).into_owned(),
        });
    }
    words.join("  ")
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_about_the_first_thing_that_it_names() {
        assert_eq!(about(&json!({"listing_id": "l1", "trade_id": "t1"})), "t1");
        assert_eq!(about(&json!({"agent_slug": "ada"})), "ada");
        assert_eq!(about(&json!({"other": 1})), "");
        assert_eq!(about(&json!(null)), "");
    }
}
