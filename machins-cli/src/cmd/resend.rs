//! `machins resend`.

use clap::Args;
use machins_client::Notification;

use super::forward::{ForwardFlags, ForwardedEvent, NotTaken};
use crate::context::Context;
use crate::error::Failure;
use crate::progress::Progress;
use crate::{lookup, runtime};

/// Post an event of your inbox to a URL again, as listen does
///
/// The notification may have been acknowledged, and stays what it is. It is posted once: the exit
/// code is 0 if the receiver answers with a status below 300, and 1 if not.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  machins resend 11223344 --forward-to http://localhost:3000/webhooks"
)]
pub(crate) struct Resend {
    /// Id of the notification, or a unique prefix of at least 6 characters
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    forward: ForwardFlags,
}

impl Resend {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.machins()?;
        let progress = Progress::start(context.out, "Looking up the notification…");
        let notification = lookup::notification(&client, &progress, &self.id)?;
        drop(progress);
        let forwarder = self.forward.forwarder(context)?;
        let Notification { event_type, .. } = &notification;
        let url = forwarder.url(event_type);
        match runtime::block_on(forwarder.post(&notification))? {
            Ok(status) => {
                let event = ForwardedEvent::new(&notification, url, status, 1);
                context.out.result(&event, || event.line())
            }
            Err(why @ NotTaken::Refused(status)) => {
                Err(Failure::refused(why.describe(url)).status(status))
            }
            Err(NotTaken::NoAnswer(error)) => Err(error.into()),
        }
    }
}
