//! The commands about webhooks of one's own: subscriptions, subscribe, unsubscribe.

use machins_client::{ErrorKind, EventType, NewSubscription};
use serde_json::Value;

use crate::args::market::Subscribe;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{BAD, GOOD};
use crate::table::{Cell, Column, cell, fitted, styled};
use crate::text::clean;
use crate::{lookup, secret};

/// `machins subscriptions`.
pub(crate) fn list(context: &Context) -> Result<(), Failure> {
    let list = context.machins()?.list_subscriptions()?;
    if list.is_empty() {
        context.out.note("No subscriptions yet. Begin: machins subscribe trade_proposed URL");
        return context.out.result(&list, String::new);
    }
    let rows: Vec<Vec<Cell>> = list
        .iter()
        .map(|subscription| {
            let filters = subscription.filters.as_ref().filter(|filters| !filters.is_empty());
            vec![
                cell(subscription.id.as_str()),
                match subscription.is_active {
                    Some(true) => styled("active", GOOD),
                    Some(false) => styled("stopped", BAD),
                    None => cell("unknown"),
                },
                cell(subscription.event_type.as_str()),
                cell(&subscription.webhook_url),
                cell(&filters.map(words).unwrap_or_default()),
            ]
        })
        .collect();
    let columns = [
        Column::whole("ID"),
        Column::whole("STATE"),
        Column::whole("EVENT"),
        Column::whole("URL"),
        Column::whole("FILTERS"),
    ];
    context.out.result(&list, || fitted(&columns, &rows))
}

fn words(filters: &serde_json::Map<String, Value>) -> String {
    let pairs = filters.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// `machins subscribe`.
pub(crate) fn subscribe(context: &Context, wanted: Subscribe) -> Result<(), Failure> {
    let client = context.machins()?;
    let mut subscription = NewSubscription::new(EventType::from(wanted.event), wanted.url);
    if wanted.secret_stdin {
        subscription = subscription.secret(secret::from_stdin("secret")?);
    }
    for (name, value) in wanted.filters {
        subscription = subscription.filter(name, filter(value));
    }
    let subscription = client.subscribe(&subscription).map_err(|error| {
        let is_unknown = error.kind() == ErrorKind::OutcomeUnknown;
        let failure = Failure::from(error);
        if is_unknown {
            failure.hint("machins subscriptions shows whether it is there")
        } else {
            failure
        }
    })?;
    context.out.result(&subscription, || {
        format!(
            "{GOOD}subscribed{GOOD:#}  {}  {}  {}",
            clean(subscription.id.as_str()),
            clean(subscription.event_type.as_str()),
            clean(&subscription.webhook_url)
        )
    })?;
    if !wanted.secret_stdin {
        context.out.warn("without a secret anybody who knows the URL can send such events to it");
    }
    Ok(())
}

fn filter(value: String) -> Value {
    match value.as_str() {
        "true" => true.into(),
        "false" => false.into(),
        _ => value.into(),
    }
}

/// `machins unsubscribe`.
pub(crate) fn unsubscribe(context: &Context, id: &str) -> Result<(), Failure> {
    let client = context.machins()?;
    let id = lookup::subscription(&client, id)?;
    let done = client.unsubscribe(&id)?;
    context.out.result(&done, || format!("{BAD}unsubscribed{BAD:#}  {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_text_but_for_yes_and_no() {
        assert_eq!(filter("true".into()), Value::Bool(true));
        assert_eq!(filter("50.00".into()), Value::from("50.00"));
    }
}
