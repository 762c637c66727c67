//! The group Events: `machins inbox`, the webhook subscriptions, `machins webhook`.

use clap::Subcommand;

use super::inbox::Inbox;
use super::subscriptions;
use super::webhook::Webhook;
use crate::context::Context;
use crate::error::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Inbox(Inbox),
    #[command(flatten)]
    Subscriptions(subscriptions::Command),
    #[command(subcommand)]
    Webhook(Webhook),
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Inbox(inbox) => inbox.run(context),
            Self::Subscriptions(command) => command.run(context),
            Self::Webhook(webhook) => webhook.run(context),
        }
    }
}
