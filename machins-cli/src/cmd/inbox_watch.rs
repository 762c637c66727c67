//! `machins inbox --watch`.

use std::collections::HashMap;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;
use std::{io, io::Write};

use clap::Args;
use machins_client::{
    CancellationToken, EventType, InboxDelivery, Money, Notification, NotificationId,
};
use serde_json::Value;

use super::inbox_lock;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::positive_seconds;
use crate::format::{credits, scalar};
use crate::output::{Output, reader_gone};
use crate::progress::Progress;
use crate::style::STRONG;
use crate::text::clean;
use crate::{json, runtime, shell_syntax};

/// The waits before a command that failed gets its notification again: the first and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);

// The flags of `--watch`.
#[derive(Debug, Default, PartialEq, Args)]
pub(super) struct WatchFlags {
    /// With --watch: end after so many notifications, acknowledged or not [default: never]
    #[arg(long, value_name = "N", requires = "watch")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// With --watch: time between two looks at an empty inbox [default: 1, growing to 30 while nothing
    /// arrives]
    #[arg(long, value_name = "SECONDS", requires = "watch", value_parser = positive_seconds)]
    interval: Option<Duration>,
    /// With --watch: do not acknowledge; the notifications stay unread
    #[arg(long, requires = "watch", conflicts_with = "exec")]
    no_ack: bool,
    /// With --watch: instead of showing a notification, give it as JSON to this command (run by
    /// sh -c, on Windows by cmd) on stdin, and acknowledge it when the command exits with 0. After
    /// another status the command gets it again, after 1 second at first and 5 minutes at most
    #[arg(long, value_name = "CMD", requires = "watch")]
    exec: Option<String>,
}

impl WatchFlags {
    /// Hands over notifications as they come, until it is interrupted or nobody reads them.
    pub(super) fn watch(self, context: &Context, event_type: Option<&str>) -> Result<(), Failure> {
        context.limit_each_call();
        let client = context.machins_with_key()?.build()?;
        let _lock = inbox_lock::lock(context);
        let stop = CancellationToken::new();
        let out = context.out;
        let mut watch = client
            .inbox_watch()
            .stop(stop.clone())
            .on_error(move |error| out.warn(&format!("trying again: {error:#}")));
        if let Some(event_type) = event_type {
            watch = watch.event_type(EventType::from(event_type));
        }
        if let Some(interval) = self.interval {
            watch = watch.every(interval, interval);
        }
        if self.exec.is_none() {
            out.begin_records::<Notification>()?;
        }
        let progress = Progress::start(out, "Waiting for notifications; Ctrl-C stops…");
        let mut deliveries = watch.deliveries();
        let hand_over_all = async {
            let (mut left, mut failures) = (self.count, HashMap::new());
            while left != Some(0)
                && let Some(delivery) = deliveries.next().await
            {
                let is_read = self.hand_over(out, &progress, &mut failures, delivery?).await?;
                match is_read {
                    Some(true) => left = left.map(|left| left - 1),
                    Some(false) => return Ok(()),
                    None => {}
                }
            }
            Ok(())
        };
        runtime::block_on(async {
            let mut hand_over_all = pin!(hand_over_all);
            tokio::select! {
                biased;
                result = &mut hand_over_all => return result,
                _ = tokio::signal::ctrl_c() => stop.cancel(),
                () = reader_gone(), if self.exec.is_none() => return Ok(()),
            }
            // The last notification is acknowledged. A second Ctrl-C interrupts that too.
            tokio::select! {
                biased;
                result = hand_over_all => result,
                _ = tokio::signal::ctrl_c() => Ok(()),
            }
        })?
    }

    /// Hands over one notification. Returns whether it was read, and `None` if it was none.
    async fn hand_over(
        &self,
        out: Output,
        progress: &Progress,
        failures: &mut HashMap<NotificationId, u32>,
        delivery: InboxDelivery,
    ) -> Result<Option<bool>, Failure> {
        let Some(notification) = delivery.notification() else {
            let what = "an entry of the inbox is not a notification, and stays unread";
            progress.aside(|| out.warn(what));
            delivery.park(what);
            return Ok(None);
        };
        if let Some(command) = &self.exec {
            let event = json::line(notification)?;
            let command = command.clone();
            let run = tokio::task::spawn_blocking(move || run(&command, &event));
            let result = run.await.unwrap_or_else(|error| Err(error.to_string()));
            if let Err(why) = result {
                let failed = failures.entry(notification.id.clone()).or_default();
                let wait = FIRST_WAIT.saturating_mul(1 << (*failed).min(16)).min(LONGEST_WAIT);
                *failed += 1;
                let id = clean(notification.id.as_str()).into_owned();
                progress.aside(|| {
                    let seconds = wait.as_secs();
                    out.warn_always(&format!(
                        "notification {id}: {why}; it stays unread, and comes again in {seconds} s"
                    ));
                });
                delivery.defer(wait);
                return Ok(Some(true));
            }
        } else {
            let is_read =
                progress.aside(|| out.next_record(notification, || summarize(notification)))?;
            if !is_read || self.no_ack {
                delivery.park("it is not to be acknowledged");
                return Ok(Some(is_read));
            }
        }
        delivery.acknowledge().await?;
        Ok(Some(true))
    }
}

/// Runs a command with an event on stdin. An error says how the command failed.
fn run(command: &str, event: &str) -> Result<(), String> {
    let failed = |error: io::Error| format!("the command could not be run: {error}");
    let mut child = shell_syntax::run(command).stdin(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command need not read it.
        let _ = writeln!(stdin, "{event}");
    }
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(format!("the command failed ({status})")) }
}

/// The id that an event is about: of a trade, a listing or an agent.
pub(super) fn about(payload: &Value) -> String {
    ["trade_id", "listing_id", "matched_listing_id", "agent_slug", "agent_id"]
        .into_iter()
        .find_map(|name| payload.get(name).and_then(scalar))
        .unwrap_or_default()
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
    words.push(format!("notification {}", clean(notification.id.as_str())));
    words.join("  ")
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
