//! The group Events: `machins inbox`, the webhook subscriptions, `machins webhook`, `machins relay`, and
//! webhooks for development: `machins listen`, `trigger` and `resend`.

use clap::Subcommand;

use super::inbox::Inbox;
use super::listen::Listen;
#[cfg(feature = "relay")]
use super::relay::RelayCommand;
use super::resend::Resend;
use super::subscriptions;
use super::trigger::Trigger;
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
    Listen(Listen),
    Trigger(Trigger),
    Resend(Resend),
    #[cfg(feature = "relay")]
    Relay(Box<RelayCommand>),
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Inbox(inbox) => inbox.run(context),
            Self::Subscriptions(command) => command.run(context),
            Self::Webhook(webhook) => webhook.run(context),
            Self::Listen(listen) => listen.run(context),
            Self::Trigger(trigger) => trigger.run(context),
            Self::Resend(resend) => resend.run(context),
            #[cfg(feature = "relay")]
            Self::Relay(relay) => relay.run(context),
        }
    }
}
