//! `machins trade --wait`.

use std::future::pending;
use std::time::{Duration, Instant};

use machins_client::{Error, ErrorKind, Trade, TradeStatus};

use super::names::Names;
use super::trade::{describe, find, show_trade};
use crate::context::Context;
use crate::error::Failure;
use crate::progress::Progress;
use crate::runtime;
use crate::text::clean;

/// The pauses between two requests: the first one and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Parses a status that a trade can have.
pub(super) fn known_status(text: &str) -> Result<TradeStatus, String> {
    match TradeStatus::from(text) {
        TradeStatus::Unknown(_) => Err("no trade has such a status; see --help".into()),
        status => Ok(status),
    }
}

/// What the status of a trade means when waiting for another one.
#[derive(Debug, PartialEq, Eq)]
enum Progression {
    /// The trade has or had the status.
    Reached,
    /// The trade may still get there.
    Pending,
    /// The trade can no longer get there.
    Unreachable,
}

fn progression(wanted: &TradeStatus, now: &TradeStatus) -> Progression {
    match (now.has_passed(wanted), wanted.has_passed(now)) {
        (Some(true), _) => Progression::Reached,
        // An unknown status may lead anywhere.
        (None, _) | (_, Some(true)) => Progression::Pending,
        _ => Progression::Unreachable,
    }
}

/// Why waiting has ended.
enum End {
    Found(Box<Result<(Trade, bool), Failure>>),
    Interrupted,
    TimedOut(Duration),
}

/// Waits until a trade has reached a status, and shows the trade. `--timeout` limits all of it.
pub(super) fn run(context: &Context, id: &str, wanted: &TradeStatus) -> Result<(), Failure> {
    let start = Instant::now();
    let (_, id) = find(context, id)?;
    let client = context.machins_with_key()?.build()?;
    let progress = Progress::start(context.out, &format!("Waiting for {wanted}…"));
    let mut last = None;
    let poll = async {
        let mut pause = FIRST_PAUSE;
        loop {
            match client.get_trade(&id).await {
                Ok(trade) => match progression(wanted, &trade.status) {
                    Progression::Reached => return Ok((trade, true)),
                    Progression::Unreachable => return Ok((trade, false)),
                    Progression::Pending => {
                        progress.say(format!(
                            "The trade is {}; waiting for {wanted}…",
                            clean(trade.status.as_str())
                        ));
                        last = Some(trade.status);
                    }
                },
                // Temporary: the next request may succeed.
                Err(error) if error.is_retryable() => {
                    progress.say(clean(&format!("{error:#}")).into());
                }
                Err(error) => return Err(Failure::from(error)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    };
    let time_out = async {
        match context.timeout() {
            Some(limit) => {
                tokio::time::sleep(limit.saturating_sub(start.elapsed())).await;
                limit
            }
            None => pending().await,
        }
    };
    let end = runtime::block_on(async {
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => End::Interrupted,
            outcome = poll => End::Found(Box::new(outcome)),
            limit = time_out => End::TimedOut(limit),
        }
    })?;
    drop(progress);
    let last = last.map_or_else(String::new, |status| format!("; the trade is {status}"));
    let (trade, is_reached) = match end {
        End::Found(outcome) => (*outcome)?,
        End::Interrupted => {
            return Err(Failure::interrupted(format!("stopped waiting for {wanted}{last}")));
        }
        End::TimedOut(limit) => {
            let seconds = limit.as_secs_f32();
            let message = format!("the trade was not {wanted} within {seconds} s{last}");
            return Err(Error::new(ErrorKind::TimedOut, message).into());
        }
    };
    if is_reached {
        return show_trade(context, &context.machins()?, &trade);
    }
    context.out.result(&trade, || describe(&trade, None, &Names::default()))?;
    Err(Failure::refused(format!(
        "the trade is {} and can no longer become {wanted}",
        trade.status
    ))
    .code(trade.status.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_reached_or_unreachable() {
        use TradeStatus::{
            Cancelled, Completed, Delivered, Disputed, EscrowHeld, Proposed, Rejected, Resolved,
        };
        for (wanted, now, expected) in [
            (Delivered, Proposed, Progression::Pending),
            (Delivered, EscrowHeld, Progression::Pending),
            (Delivered, Delivered, Progression::Reached),
            (Delivered, Completed, Progression::Reached),
            (Delivered, Disputed, Progression::Reached),
            (Delivered, Rejected, Progression::Unreachable),
            (Delivered, Cancelled, Progression::Unreachable),
            (Completed, Disputed, Progression::Unreachable),
            (Resolved, Disputed, Progression::Pending),
            (Rejected, EscrowHeld, Progression::Unreachable),
            (Completed, TradeStatus::from("paused"), Progression::Pending),
        ] {
            assert_eq!(progression(&wanted, &now), expected, "{wanted} from {now}");
        }
    }

    #[test]
    fn only_known_statuses_are_waited_for() {
        assert_eq!(known_status("delivered"), Ok(TradeStatus::Delivered));
        assert!(known_status("done").is_err());
    }
}
