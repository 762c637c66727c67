//! `machins approvals`: purchases that wait for a person.

use clap::{Args, Subcommand};
use machins_client::{Approval, ApprovalState, Money, Timestamp};
use serde::Serialize;

use crate::context::Context;
use crate::error::Failure;
use crate::flags::known;
use crate::format::{credits, time};
use crate::input;
use crate::list::{Limit, List, show_list};
use crate::records::Record;
use crate::style::{BAD, GOOD, WARN};
use crate::table::{Table, cell, styled};
use crate::text::clean;

/// Show and decide on purchases that wait for a person
///
/// A purchase above policy.approval_above waits here. Once it is approved, the same command or tool
/// call makes it, within 24 hours, up to this price. All limits still apply.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  machins approvals\n  machins approvals --state pending")]
pub(crate) struct Approvals {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    listed: Listed,
}

// The flags of the list.
#[derive(Debug, Args)]
struct Listed {
    /// Only purchases in this state: pending, approved or denied
    #[arg(long, value_name = "STATE", value_parser = known(&["pending", "approved", "denied"]), hide_possible_values = true)]
    state: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Command {
    /// Approve a purchase; only a person at a terminal can
    #[command(after_help = "Example:\n  machins approvals approve 5d41402abc4b")]
    Approve {
        /// Id of the approval
        #[arg(value_name = "APPROVAL")]
        id: String,
    },
    /// Deny a purchase
    #[command(after_help = "Example:\n  machins approvals deny 5d41402abc4b")]
    Deny {
        /// Id of the approval
        #[arg(value_name = "APPROVAL")]
        id: String,
    },
}

impl Approvals {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self.command {
            None => list(context, &self.listed),
            Some(Command::Approve { id }) => decide(context, &id, true),
            Some(Command::Deny { id }) => decide(context, &id, false),
        }
    }
}

/// A purchase in the list.
#[derive(Serialize)]
struct Item {
    id: String,
    state: &'static str,
    price: Money,
    listing_id: String,
    title: String,
    seller_agent_id: Option<String>,
    terms: Option<String>,
    asked_at: Timestamp,
}

impl From<&Approval> for Item {
    fn from(approval: &Approval) -> Self {
        let asked_at = jiff::Timestamp::try_from(approval.asked_at()).unwrap_or_default();
        Self {
            id: approval.id().to_owned(),
            state: approval.state().as_str(),
            price: approval.amount(),
            listing_id: approval.listing_id().to_string(),
            title: approval.title().to_owned(),
            seller_agent_id: approval.seller().map(ToString::to_string),
            terms: approval.terms().map(Into::into),
            asked_at: asked_at.to_string().as_str().into(),
        }
    }
}

impl Record for Item {
    const COLUMNS: &'static [&'static str] =
        &["id", "state", "price", "listing_id", "title", "seller_agent_id", "terms", "asked_at"];
}

fn list(context: &Context, listed: &Listed) -> Result<(), Failure> {
    let mut items: Vec<Item> =
        context.spending()?.list_approvals()?.iter().map(Item::from).collect();
    items.retain(|item| listed.state.as_deref().is_none_or(|state| item.state == state));
    let items = List::whole("purchase", items, &listed.limit);
    let table = Table::<Item>::new()
        .column("ID", |item| cell(&item.id))
        .column("STATE", |item| {
            let style = match item.state {
                "approved" => GOOD,
                "denied" => BAD,
                _ => WARN,
            };
            styled(item.state, style)
        })
        .number("PRICE", |item| cell(&credits(item.price)))
        .text("TITLE", |item| cell(&item.title))
        .optional("TERMS", |item| cell(item.terms.as_deref().unwrap_or_default()))
        .column("ASKED", |item| time(Some(&item.asked_at), ""));
    show_list(context.out, &items, "No purchase waits for approval.", &table)
}

fn decide(context: &Context, id: &str, is_approved: bool) -> Result<(), Failure> {
    let client = context.spending()?;
    let approvals = client.list_approvals()?;
    let Some(approval) = approvals.iter().find(|approval| approval.id() == id) else {
        return Err(Failure::not_found(format!(
            "no purchase with the id {id:?} waits for approval"
        ))
        .hint("to list those that do: `machins approvals`"));
    };
    if is_approved && approval.state() != ApprovalState::Approved {
        let (price, title) = (credits(approval.amount()), clean(approval.title()));
        let listing = clean(approval.listing_id().as_str());
        input::confirm_in_person(&format!("Approve {price} for {title:?} (listing {listing})"))?;
    }
    let decided = client.decide_approval(id, is_approved)?;
    let item = Item::from(&decided);
    context.out.outcome(&item, || {
        let style = if is_approved { GOOD } else { BAD };
        format!("{style}{}{style:#}  {}  {}", item.state, clean(id), credits(item.price))
    })
}
