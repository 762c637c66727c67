//! `machins inbox`.

use std::pin::pin;

use machins_client::blocking::Client;
use machins_client::{Acknowledged, CancellationToken, EventType, InboxQuery, Money, Notification};
use serde_json::Value;

use crate::args::market::{Inbox, InboxList};
use crate::context::Context;
use crate::error::Failure;
use crate::format::{counted, credits, moment};
use crate::market::word;
use crate::output::{FAINT, GOOD, STRONG};
use crate::pages::{self, List};
use crate::progress::Progress;
use crate::table::{Cell, Column, cell, fitted, styled};
use crate::text::clean;
use crate::{lookup, runtime};

/// `machins inbox`.
pub(crate) fn list(context: &Context, wanted: &InboxList) -> Result<(), Failure> {
    if wanted.watch {
        return watch(context, wanted.event_type.as_deref());
    }
    let mut query = InboxQuery::new().limit(pages::limit(&wanted.paging));
    if wanted.unread {
        query = query.unread();
    }
    if let Some(event_type) = &wanted.event_type {
        query = query.event_type(EventType::from(event_type.as_str()));
    }
    if let Some(offset) = wanted.paging.offset {
        query = query.offset(offset);
    }
    let client = context.machins()?;
    let list = List::fetch(
        context,
        &wanted.paging,
        "notification",
        || client.list_inbox(&query),
        || client.inbox_all(&query),
    )?;
    if list.items().is_empty() {
        context.out.note("No notifications like that. Wait for some: machins inbox --watch");
        return context.out.result(&list, String::new);
    }
    let rows: Vec<Vec<Cell>> = list.items().iter().map(row).collect();
    let columns = [
        Column::whole("EVENT"),
        Column::whole("ABOUT"),
        Column::whole("ID"),
        Column::whole("STATE"),
        Column::whole("WHEN"),
    ];
    context.out.result(&list, || fitted(&columns, &rows))?;
    list.say_rest(context, "notification");
    Ok(())
}

fn row(notification: &Notification) -> Vec<Cell> {
    vec![
        cell(notification.event_type.as_str()),
        cell(&about(&notification.payload)),
        cell(notification.id.as_str()),
        if notification.is_read { styled("read", FAINT) } else { styled("new", STRONG) },
        moment(notification.created_at.as_ref(), ""),
    ]
}

/// What an event is about: a trade, a listing or an agent.
fn about(payload: &Value) -> String {
    ["trade_id", "listing_id", "matched_listing_id", "agent_slug", "agent_id"]
        .into_iter()
        .find_map(|name| payload.get(name).and_then(word))
        .unwrap_or_default()
}

/// The ids of all notifications in the inbox.
pub(crate) fn ids(client: &Client, progress: &Progress) -> Result<Vec<String>, Failure> {
    let all = client.inbox_all(&InboxQuery::new().limit(pages::FULL));
    let notifications = pages::collect(progress, "notification", all)?;
    Ok(notifications.into_iter().map(|notification| notification.id.to_string()).collect())
}

/// Shows notifications as they come, until it is stopped or nobody reads any more.
fn watch(context: &Context, event_type: Option<&str>) -> Result<(), Failure> {
    let client = context.machins_with_key()?.build()?;
    let stop = CancellationToken::new();
    let mut watch = client.inbox_watch().stop(stop.clone());
    if let Some(event_type) = event_type {
        watch = watch.event_type(EventType::from(event_type));
    }
    let progress = Progress::start(context.out, "Waiting for notifications; Ctrl-C stops…");
    runtime::block_on(async {
        let mut interrupt = pin!(tokio::signal::ctrl_c());
        loop {
            let next = tokio::select! {
                biased;
                _ = &mut interrupt => {
                    if stop.is_cancelled() {
                        return Ok(());
                    }
                    // The next turn acknowledges what was shown last. A second Ctrl-C ends even that.
                    stop.cancel();
                    interrupt.set(tokio::signal::ctrl_c());
                    continue;
                }
                next = watch.next() => next?,
            };
            let Some(notification) = next else { return Ok(()) };
            let is_read = progress
                .aside(|| context.out.next_result(&notification, || told(&notification)))?;
            if !is_read {
                return Ok(());
            }
        }
    })?
}

/// A notification on one line.
fn told(notification: &Notification) -> String {
    let mut words = vec![format!("{STRONG}{}{STRONG:#}", clean(notification.event_type.as_str()))];
    let about = about(&notification.payload);
    if !about.is_empty() {
        words.push(clean(&about).into_owned());
    }
    for name in ["price", "status", "title"] {
        let Some(text) = notification.payload.get(name).and_then(word) else { continue };
        words.push(match text.parse::<Money>() {
            Ok(money) if name == "price" => credits(money),
            _ => clean(&text).into_owned(),
        });
    }
    words.join("  ")
}

/// `machins inbox ack` and `machins inbox ack-all`.
pub(crate) fn run(context: &Context, list: &InboxList, command: &Inbox) -> Result<(), Failure> {
    if *list != InboxList::default() {
        let what = "flags that narrow the list are of no use to a command within inbox";
        return Err(Failure::usage(what).hint("machins inbox ack ID"));
    }
    let done = match command {
        Inbox::Ack { ids } => {
            let client = context.machins()?;
            let progress = Progress::start(context.out, "Looking the notifications up…");
            let ids = lookup::notifications(&client, &progress, ids)?;
            client.ack_inbox(&ids)?
        }
        Inbox::AckAll => context.machins()?.ack_all_inbox()?,
    };
    context.out.result(&done, || acknowledged(&done))
}

/// How many were marked, when the service says so.
fn acknowledged(done: &Acknowledged) -> String {
    let word = format!("{GOOD}acknowledged{GOOD:#}");
    match done.reply.get("acknowledged").and_then(Value::as_u64) {
        Some(count) => format!("{word}  {}", counted(count, "notification")),
        None => word,
    }
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
