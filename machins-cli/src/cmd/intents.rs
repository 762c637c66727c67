//! `machins intents`: what the keys of `--once` were used for.

use std::borrow::Cow;

use clap::{Args, Subcommand};
use machins_client::{Error, ErrorKind, Intent, Timestamp};
use serde::Serialize;

use crate::context::Context;
use crate::error::Failure;
use crate::flags::known;
use crate::format::time;
use crate::list::{Limit, List, show_list};
use crate::records::Record;
use crate::style::{GOOD, WARN};
use crate::table::{Table, cell, styled};
use crate::text::clean;
use crate::{input, once};

/// Show what the keys of --once were used for
///
/// Each key is shown with what became of it.
///
/// A key whose outcome is unknown was used by a command that was killed or got no reply. Give that
/// command again: it finds out, and it is still one trade, listing or review.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Examples:\n  machins intents --state done\n  machins intents forget order-42 --yes"
)]
pub(crate) struct Intents {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    listed: Listed,
}

// The flags of the list.
#[derive(Debug, Args)]
struct Listed {
    /// Only keys that were used for this: trade, listing or review
    #[arg(long = "for", value_name = "KIND", value_parser = known(&["trade", "listing", "review"]), hide_possible_values = true)]
    kind: Option<String>,
    /// Only keys in this state: done or unknown
    #[arg(long, value_name = "STATE", value_parser = known(&["done", "unknown"]), hide_possible_values = true)]
    state: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Forget what a key was used for, so that it can be used for something else
    ///
    /// What the key has led to stays as it is.
    #[command(after_help = "Example:\n  machins intents forget order-42 --yes")]
    Forget {
        /// The key
        #[arg(value_name = "KEY")]
        key: String,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
    },
}

impl Intents {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self.command {
            None => list(context, &self.listed),
            Some(Command::Forget { key, yes }) => forget(context, &key, yes),
        }
    }
}

/// A key in the list.
#[derive(Serialize)]
struct Item {
    key: String,
    kind: &'static str,
    state: &'static str,
    trade_id: Option<String>,
    listing_id: Option<String>,
    review_id: Option<String>,
    slug: Option<String>,
    terms: Option<String>,
    base_url: String,
    created_at: Timestamp,
}

impl From<&Intent> for Item {
    fn from(intent: &Intent) -> Self {
        let created_at = jiff::Timestamp::try_from(intent.created_at()).unwrap_or_default();
        Self {
            key: intent.key().to_owned(),
            kind: intent.kind().as_str(),
            state: if intent.is_done() { "done" } else { "unknown" },
            trade_id: intent.trade_id().map(ToString::to_string),
            listing_id: intent.listing_id().map(ToString::to_string),
            review_id: intent.review().and_then(|review| Some(review.id.as_ref()?.to_string())),
            slug: intent.slug().map(Into::into),
            terms: intent.terms().map(Into::into),
            base_url: intent.base_url().to_owned(),
            created_at: created_at.to_string().as_str().into(),
        }
    }
}

impl Item {
    /// The id of what the key has led to.
    fn result(&self) -> Option<&str> {
        let id = match self.kind {
            "trade" => &self.trade_id,
            "listing" => &self.listing_id,
            _ => &self.review_id,
        };
        id.as_deref()
    }
}

impl Record for Item {
    const COLUMNS: &'static [&'static str] = &[
        "key",
        "kind",
        "state",
        "trade_id",
        "listing_id",
        "review_id",
        "slug",
        "terms",
        "base_url",
        "created_at",
    ];
}

fn list(context: &Context, listed: &Listed) -> Result<(), Failure> {
    let mut items: Vec<Item> = context.intents()?.list_intents()?.iter().map(Item::from).collect();
    items.retain(|item| {
        listed.kind.as_deref().is_none_or(|kind| item.kind == kind)
            && listed.state.as_deref().is_none_or(|state| item.state == state)
    });
    let items = List::whole("key", items, &listed.limit);
    let table = Table::<Item>::new()
        .column("KEY", |item| cell(&item.key))
        .column("FOR", |item| cell(item.kind))
        .column("STATE", |item| styled(item.state, if item.state == "done" { GOOD } else { WARN }))
        .column("LED TO", |item| cell(item.result().unwrap_or_default()))
        .optional("TERMS", |item| cell(item.terms.as_deref().unwrap_or_default()))
        .column("SINCE", |item| time(Some(&item.created_at), ""));
    let if_empty = "No keys found. Use one: `machins buy --help`";
    show_list(context.out, &items, if_empty, &table)
}

/// Converts an error of a command with `--once`, and says what to do about it.
pub(super) fn failure(key: &str, error: Error) -> Failure {
    if error.kind() != ErrorKind::StaleIntent {
        return once::failure(key, error);
    }
    // Quoting fails only for NUL, which no argument can contain.
    let key = shlex::try_quote(key).unwrap_or(Cow::Borrowed(key));
    Failure::from(error).hint(format!("if it is gone for good: `machins intents forget {key}`"))
}

fn forget(context: &Context, key: &str, yes: bool) -> Result<(), Failure> {
    let client = context.intents()?;
    let Some(intent) = client.get_intent(key)? else {
        return Err(Failure::not_found(format!("the key {key:?} was not used"))
            .hint("to list the keys: `machins intents`"));
    };
    let item = Item::from(&intent);
    let became = match item.result() {
        Some(id) => format!("{} {id}", item.kind),
        None => format!("a {} whose outcome is unknown", item.kind),
    };
    input::confirm(&format!("Forget the key {key:?}, used for {became}"), yes)?;
    client.forget_intent(key)?;
    context.out.outcome(&item, || format!("{GOOD}forgotten{GOOD:#}  {}", clean(key)))
}
