//! The group Events: `machins inbox`, the webhook subscriptions, `machins webhook`, `machins relay`.

use clap::Subcommand;

use super::inbox::Inbox;
#[cfg(feature = "relay")]
use super::relay::RelayCommand;
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
    #[cfg(feature = "relay")]
    Relay(RelayCommand),
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Inbox(inbox) => inbox.run(context),
            Self::Subscriptions(command) => command.run(context),
            Self::Webhook(webhook) => webhook.run(context),
            #[cfg(feature = "relay")]
            Self::Relay(relay) => relay.run(context),
        }
    }
}
