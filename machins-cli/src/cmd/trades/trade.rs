//! One trade: finding it, changing it, showing it and what can be done next.

use machins_client::blocking::Client;
use machins_client::{
    AgentId, Document, Error, ErrorKind, Extra, Role, Trade, TradeId, TradeStatus,
};

use crate::config::key::AGENT_ID;
use crate::context::Context;
use crate::error::Failure;
use crate::format::{credits, json_cell, time, trade_style};
use crate::lookup;
use crate::progress::Progress;
use crate::style::{FAINT, GOOD, STRONG, WARN};
use crate::table::{Cell, cell, fields, styled};
use crate::text::clean;

/// Creates a client and finds the trade that the user means.
pub(super) fn find(context: &Context, given: &str) -> Result<(Client, TradeId), Failure> {
    let client = context.machins()?;
    let progress = Progress::start(context.out, "Looking up the trade…");
    let id = lookup::trade(&client, &progress, given)?;
    Ok((client, id))
}

/// Makes a call that changes a trade, and reports its new status.
pub(super) fn change(
    context: &Context,
    id: &str,
    call: impl FnOnce(&Client, &TradeId) -> Result<Trade, Error>,
) -> Result<(), Failure> {
    let (client, id) = find(context, id)?;
    report(context, &call(&client, &id).map_err(unknown_outcome)?)
}

/// Converts an error, and says where to look if the outcome of the call is unknown.
pub(super) fn unknown_outcome(error: Error) -> Failure {
    let hint = "machins trades shows whether it took effect";
    Failure::with_hint_for(error, ErrorKind::OutcomeUnknown, hint)
}

/// Prints the status of a trade on one line, and what can be done next.
pub(super) fn report(context: &Context, trade: &Trade) -> Result<(), Failure> {
    context.out.result(trade, || {
        let style = trade_style(&trade.status);
        format!(
            "{style}{}{style:#}  {}  {}",
            clean(trade.status.as_str()),
            clean(trade.id.as_str()),
            credits(trade.price)
        )
    })?;
    note_next(context, trade, role(context, trade)?.as_ref());
    Ok(())
}

/// `machins trade`.
pub(super) fn show(context: &Context, id: &str) -> Result<(), Failure> {
    let (client, id) = find(context, id)?;
    show_trade(context, &client.get_trade(&id)?)
}

/// Prints a whole trade, and what can be done next.
pub(super) fn show_trade(context: &Context, trade: &Trade) -> Result<(), Failure> {
    let role = role(context, trade)?;
    context.out.result(trade, || describe(trade, role.as_ref()))?;
    note_next(context, trade, role.as_ref());
    Ok(())
}

/// The id of the user's agent. `None` if it is not configured.
pub(super) fn own_agent(context: &Context) -> Result<Option<AgentId>, Failure> {
    Ok(context.value(&AGENT_ID)?.and_then(|id| AgentId::new(&id).ok()))
}

/// The role of the user's agent in a trade. `None` if it is not known which agent that is.
fn role(context: &Context, trade: &Trade) -> Result<Option<Role>, Failure> {
    Ok(own_agent(context)?.and_then(|agent| trade.role_of(&agent)))
}

fn note_next(context: &Context, trade: &Trade, role: Option<&Role>) {
    if let Some(next) = next(trade, role) {
        context.out.note(&format!("{FAINT}{next}{FAINT:#}"));
    }
}

/// What can be done next. A trade does not say whose listing it is on.
fn next(trade: &Trade, role: Option<&Role>) -> Option<String> {
    let id = clean(trade.id.as_str());
    let (buyer, seller) = (role != Some(&Role::Seller), role != Some(&Role::Buyer));
    match trade.status {
        TradeStatus::Proposed => Some(format!(
            "The owner of the listing decides:\n  machins accept {id}\n  machins reject {id}"
        )),
        TradeStatus::EscrowHeld if seller => {
            Some(format!("The seller delivers with:\n  machins deliver {id} --result JSON"))
        }
        TradeStatus::EscrowHeld => {
            Some(format!("Wait for the delivery:\n  machins trade {id} --wait delivered"))
        }
        TradeStatus::Delivered if buyer => Some(format!(
            "The buyer decides:\n  machins confirm {id}\n  machins dispute {id} --reason TEXT"
        )),
        TradeStatus::Delivered => {
            Some(format!("Wait for the buyer's decision:\n  machins trade {id} --wait completed"))
        }
        TradeStatus::Completed => Some(format!("Review the trade: machins review {id} --rating 5")),
        _ => None,
    }
}

pub(super) fn describe(trade: &Trade, role: Option<&Role>) -> String {
    let who = |agent: &AgentId, party: &Role| -> Cell {
        if role == Some(party) { cell(&format!("{agent} (you)")) } else { cell(agent.as_str()) }
    };
    let is_present = |value: &Document| !value.is_null() && value.as_json() != "{}";
    let mut rows = vec![
        ("id", cell(trade.id.as_str())),
        ("status", styled(trade.status.as_str(), trade_style(&trade.status))),
        ("price", styled(&credits(trade.price), STRONG)),
        ("listing", cell(trade.listing_id.as_str())),
        ("buyer", who(&trade.buyer_agent_id, &Role::Buyer)),
        ("seller", who(&trade.seller_agent_id, &Role::Seller)),
    ];
    if let Some(terms) = &trade.terms {
        rows.push(("terms", cell(terms)));
    }
    if let Some(metadata) = trade.metadata.as_ref().and_then(shown_metadata) {
        rows.push(("metadata", json_cell(&metadata)));
    }
    for (name, at) in [
        ("proposed", trade.proposed_at.as_ref().or(trade.created_at.as_ref())),
        ("accepted", trade.accepted_at.as_ref()),
        ("delivered", trade.delivered_at.as_ref()),
        ("completed", trade.completed_at.as_ref()),
    ] {
        if at.is_some() {
            rows.push((name, time(at, "")));
        }
    }
    if let Some(delivery) = trade.delivery_payload.clone().map(Document::from) {
        rows.push(("delivery", json_cell(&delivery)));
    }
    match trade.delivery_verified {
        Some(true) => rows.push(("verified", styled("yes", GOOD))),
        Some(false) => rows.push(("verified", styled("no", WARN))),
        None => {}
    }
    if let Some(answer) = trade.delivery_verification.as_ref().filter(|answer| is_present(answer)) {
        rows.push(("answer", json_cell(answer)));
    }
    fields(&rows)
}
/// The metadata without the reference that the client itself sets. `None` if nothing is left.
fn shown_metadata(metadata: &Document) -> Option<Document> {
    let Ok(mut fields) = metadata.to::<Extra>() else {
        return (!metadata.is_null()).then(|| metadata.clone());
    };
    fields.remove("client_reference");
    (!fields.is_empty()).then(|| fields.into())
}
