//! `machins resend`.

use std::time::Duration;

use clap::{Args, ValueHint};
use machins_client::Notification;

use super::forward::{ForwardFlags, ForwardedEvent, NotTaken, Target};
use super::listen_socket;
use crate::context::Context;
use crate::error::Failure;
use crate::progress::Progress;
use crate::{lookup, runtime};

/// How long a running `listen` may take, the wait for its receiver included.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Post an event of your inbox again
///
/// Without --forward-to, a machins listen of the same agent that runs on this machine posts it to its
/// receiver, with its secret. The notification may have been acknowledged, and stays what it is. It is
/// posted once: the exit code is 0 if the receiver answers with a status below 300, and 1 if not.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  machins resend 11223344 --forward-to http://localhost:3000/webhooks"
)]
pub(crate) struct Resend {
    /// Id of the notification, or a unique prefix of at least 6 characters
    #[arg(value_name = "ID")]
    id: String,
    /// URL of the receiver, to which the event is posted; localhost:3000/hook and 3000/hook are short
    /// forms [default: where a running listen posts]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, value_parser = Target::parse)]
    forward_to: Option<Target>,
    #[command(flatten)]
    forward: ForwardFlags,
}

impl Resend {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.machins()?;
        let progress = Progress::start(context.out, "Looking up the notification…");
        let notification = lookup::notification(&client, &progress, &self.id)?;
        drop(progress);
        let Some(target) = self.forward_to else {
            return by_listen(context, &notification);
        };
        let forwarder = self.forward.forwarder(context, target)?;
        let url = forwarder.url(&notification.event_type);
        match runtime::block_on(forwarder.post(&notification))? {
            Ok(status) => show(context, &notification, url, status),
            Err(why @ NotTaken::Refused(status)) => {
                Err(Failure::refused(why.describe(url)).status(status))
            }
            Err(NotTaken::NoAnswer(error)) => Err(error.into()),
        }
    }
}

/// Has the running `listen` of this agent post the notification.
fn by_listen(context: &Context, notification: &Notification) -> Result<(), Failure> {
    let limit = context.timeout().unwrap_or(TIME_LIMIT);
    let answer = match listen_socket::place(context)? {
        Some(place) => listen_socket::ask(&place, notification, limit)
            .map_err(|error| Failure::local("the running listen did not answer", error))?,
        None => None,
    };
    let Some(answer) = answer else {
        let what = "no receiver given, and no listen of this agent is running";
        return Err(Failure::usage(what)
            .hint("give its URL with --forward-to, or start a listen: `machins listen --help`"));
    };
    let status = answer.result.map_err(Failure::refused)?;
    show(context, notification, &answer.url, status)
}

fn show(
    context: &Context,
    notification: &Notification,
    url: &str,
    status: u16,
) -> Result<(), Failure> {
    let event = ForwardedEvent::new(notification, url, status, 1);
    context.out.result(&event, || event.line())
}
