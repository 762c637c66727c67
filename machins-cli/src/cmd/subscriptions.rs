//! Webhook subscriptions: `machins subscriptions`, `subscribe`, `unsubscribe`.

use clap::{Args, Subcommand, ValueHint};
use machins_client::{ErrorKind, EventType, Extra, NewSubscription, Subscription};
use serde_json::Value;

use crate::context::Context;
use crate::error::Failure;
use crate::flags::{known, url};
use crate::list::{Limit, List, show_list};
use crate::records::Record;
use crate::style::{BAD, GOOD};
use crate::table::{Cell, Table, cell, styled};
use crate::text::clean;
use crate::{input, lookup};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List your webhook subscriptions
    #[command(after_help = "Examples:\n  machins subscriptions\n  \
                            machins subscriptions --event-type new_agent --state active")]
    Subscriptions(Listed),

    /// Have events of one kind sent to a URL (webhook)
    #[command(
        after_help = "Example:\n  machins subscribe new_listing https://my.example/hook --filter side=offer"
    )]
    Subscribe(Subscribe),

    /// Remove a webhook subscription
    #[command(after_help = "Example:\n  machins unsubscribe 77aa88bb")]
    Unsubscribe {
        /// Id of the subscription, or a unique prefix of at least 6 characters
        #[arg(value_name = "ID")]
        id: String,
    },
}

// The flags of `machins subscriptions`.
#[derive(Debug, Args)]
pub(crate) struct Listed {
    /// Only subscriptions to this event, for example trade_proposed
    #[arg(long, value_name = "EVENT", value_parser = known(EventType::WORDS), hide_possible_values = true)]
    event_type: Option<String>,
    /// Only subscriptions in this state: active or stopped (by the service, after failures)
    #[arg(long, value_name = "STATE", value_parser = known(STATES), hide_possible_values = true)]
    state: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

/// The states of a subscription.
const STATES: &[&str] = &["active", "stopped"];

#[derive(Debug, Args)]
pub(crate) struct Subscribe {
    /// Event, for example trade_proposed
    #[arg(value_name = "EVENT", value_parser = known(EventType::WORDS), hide_possible_values = true)]
    event: String,
    /// URL that receives the events
    #[arg(value_name = "URL", value_hint = ValueHint::Url, value_parser = url)]
    url: String,
    /// Read the secret for signing the events from stdin
    #[arg(long)]
    secret_stdin: bool,
    /// Only events whose data has this value; can be given several times. true and false are
    /// booleans, other values are text
    #[arg(long = "filter", value_name = "K=V", value_parser = key_value)]
    filters: Vec<(String, String)>,
}

impl Command {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Subscriptions(listed) => list(context, &listed),
            Self::Subscribe(subscribe) => subscribe.run(context),
            Self::Unsubscribe { id } => unsubscribe(context, &id),
        }
    }
}

fn list(context: &Context, listed: &Listed) -> Result<(), Failure> {
    let mut subscriptions = context.machins()?.list_subscriptions()?;
    subscriptions.retain(|subscription| {
        let is_of = |event: &str| event_name(subscription) == event;
        let is_in = |state: &str| subscription.is_active == Some(state == "active");
        listed.event_type.as_deref().is_none_or(is_of) && listed.state.as_deref().is_none_or(is_in)
    });
    let subscriptions = List::whole("subscription", subscriptions, &listed.limit);
    let table = Table::<Subscription>::new()
        .column("ID", |subscription| cell(subscription.id.as_str()))
        .column("STATE", state)
        .column("EVENT", |subscription| cell(event_name(subscription)))
        .column("URL", |subscription| cell(webhook_url(subscription)))
        .column("FILTERS", |subscription| {
            cell(&subscription.filters.as_ref().map(format_filters).unwrap_or_default())
        });
    let if_empty = "No subscriptions found. Create one: `machins subscribe --help`";
    show_list(context.out, &subscriptions, if_empty, &table)
}

fn event_name(subscription: &Subscription) -> &str {
    subscription.event_type.as_ref().map_or("", EventType::as_str)
}

fn webhook_url(subscription: &Subscription) -> &str {
    subscription.webhook_url.as_deref().unwrap_or_default()
}

fn state(subscription: &Subscription) -> Cell {
    match subscription.is_active {
        Some(true) => styled("active", GOOD),
        Some(false) => styled("stopped", BAD),
        None => cell("unknown"),
    }
}

fn format_filters(filters: &Extra) -> String {
    let pairs = filters.iter().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={}", value.as_json()),
    });
    pairs.collect::<Vec<_>>().join(" ")
}

impl Subscribe {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.machins()?;
        let mut subscription = NewSubscription::new(EventType::from(self.event), self.url);
        if self.secret_stdin {
            subscription = subscription.secret(input::stdin_secret("secret")?);
        }
        for (name, value) in self.filters {
            subscription = subscription.filter(name, filter_value(value));
        }
        let subscription = client.subscribe(&subscription).map_err(|error| {
            let hint = "to see whether it was created: `machins subscriptions`";
            Failure::with_hint_for(error, ErrorKind::OutcomeUnknown, hint)
        })?;
        context.out.result(&subscription, || {
            format!(
                "{GOOD}subscribed{GOOD:#}  {}  {}  {}",
                clean(subscription.id.as_str()),
                clean(event_name(&subscription)),
                clean(webhook_url(&subscription))
            )
        })?;
        if !self.secret_stdin {
            context
                .out
                .warn("without a secret, anybody who knows the URL can send it forged events");
        }
        Ok(())
    }
}

fn filter_value(value: String) -> Value {
    match value.as_str() {
        "true" => true.into(),
        "false" => false.into(),
        _ => value.into(),
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write it like listing_type=task".into()),
    }
}

fn unsubscribe(context: &Context, id: &str) -> Result<(), Failure> {
    let client = context.machins()?;
    let id = lookup::subscription(&client, id)?;
    let reply = client.unsubscribe(&id)?;
    context.out.outcome(&reply, || format!("{BAD}unsubscribed{BAD:#}  {id}"))
}

impl Record for Subscription {
    const COLUMNS: &'static [&'static str] =
        &["id", "event_type", "webhook_url", "is_active", "filters", "created_at"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_values_are_text_or_booleans() {
        assert_eq!(filter_value("true".into()), Value::Bool(true));
        assert_eq!(filter_value("50.00".into()), Value::from("50.00"));
    }

    #[test]
    fn filters_are_pairs() {
        assert_eq!(key_value("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(key_value("a").is_err() && key_value("=b").is_err());
    }
}
